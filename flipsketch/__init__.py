"""FlipSketch (CVPR 2025) for corpora: sketches, tensors and bytes. Never imports Ray.

    from flipsketch import animate, load_model, load_sketch, model_defaults

    model, sampling = load_model("doodle"), model_defaults("doodle")
    sketch = load_sketch("cat.svg", model.size, darken=sampling.darken_sketch)
    [clip] = animate(model, [sketch], ["a cat jumps"], [0], sampling)

or, moving the strokes of an SVG (Live-Sketch),

    from flipsketch import Conditioning, animate_vectors, read_vector, write_vector

    sketch = read_vector(open("cat.svg", "rb").read())
    [points] = animate_vectors(model, [sketch], [Conditioning("a cat jumps", sampling)], [0])
    frames = [write_vector(sketch, moved) for moved in points]

What these names need is imported when one of them is first used: PyTorch and diffusers take
seconds.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flipsketch.corpus.reader import read_corpus
    from flipsketch.livesketch.config import LiveSketchConfig
    from flipsketch.livesketch.optimize import animate_vectors
    from flipsketch.livesketch.resampling import resample_points
    from flipsketch.livesketch.vector import read_vector, write_vector
    from flipsketch.media.sketch import load_sketch
    from flipsketch.method.config import SamplingConfig, model_defaults
    from flipsketch.method.inversion import invert
    from flipsketch.method.request import ClipRequest, Conditioning
    from flipsketch.method.sampler import animate, animate_pixels, sample_latents
    from flipsketch.models.video_model import load_model
    from flipsketch.svg.animated import write_animated_svg
    from flipsketch.svg.reader import rasterize_svg

__all__ = [
    "ClipRequest",
    "Conditioning",
    "LiveSketchConfig",
    "SamplingConfig",
    "animate",
    "animate_pixels",
    "animate_vectors",
    "invert",
    "load_model",
    "load_sketch",
    "model_defaults",
    "rasterize_svg",
    "read_corpus",
    "read_vector",
    "resample_points",
    "sample_latents",
    "write_animated_svg",
    "write_vector",
]

MODULES = {
    "ClipRequest": "method.request",
    "Conditioning": "method.request",
    "LiveSketchConfig": "livesketch.config",
    "SamplingConfig": "method.config",
    "animate": "method.sampler",
    "animate_pixels": "method.sampler",
    "animate_vectors": "livesketch.optimize",
    "invert": "method.inversion",
    "load_model": "models.video_model",
    "load_sketch": "media.sketch",
    "model_defaults": "method.config",
    "rasterize_svg": "svg.reader",
    "read_corpus": "corpus.reader",
    "read_vector": "livesketch.vector",
    "resample_points": "livesketch.resampling",
    "sample_latents": "method.sampler",
    "write_animated_svg": "svg.animated",
    "write_vector": "livesketch.vector",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})

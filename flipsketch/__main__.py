"""Animate one drawing, without Ray.

python -m flipsketch cat.svg "a cat waves its tail" -o cat.gif
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch
from tyro.conf import Positional, arg

from flipsketch.cli import parse
from flipsketch.media.clip import encode_filmstrip, encode_gif
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.sampler import animate
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.registry import EMBEDDED_MODEL, choose_lora
from flipsketch.models.video_model import DTYPES, load_model
from flipsketch.scoring.ink import ink
from flipsketch.scoring.pixel import MAX_INK_SHARE


@dataclass(frozen=True, kw_only=True)
class OneConfig:
    sketch: Positional[Path]
    """The drawing: an SVG or a raster file."""
    prompt: Positional[str]
    """What it does."""
    output: Annotated[Path, arg(aliases=["-o"])]
    """*.gif, or *.png for a filmstrip."""
    model: str = EMBEDDED_MODEL
    """Folder in diffusers' layout, or a name: of the model that comes with this project, or on the
    Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's)."""
    lora: str | None = None
    """Adapter folder or name. Default: doodle-lora with the model doodle, no adapter with others;
    none leaves it out."""
    seed: int = 0
    """Of the noise."""
    device: Literal["cuda", "cpu"] | None = None
    """By default a GPU if there is one."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """By default bfloat16 on a GPU and float32 elsewhere."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)


def main(config: OneConfig) -> None:
    encoders = {".gif": encode_gif, ".png": encode_filmstrip}
    encode = encoders.get(config.output.suffix.lower())
    if encode is None:
        raise ValueError(f"--output must end in .gif or .png, got {config.output}")
    device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = config.dtype or ("bfloat16" if device == "cuda" else "float32")
    if not config.prompt.strip():
        raise ValueError("the prompt is empty; say what the drawing does")
    # The drawing first: a bad one should not wait for the model.
    if ink(load_sketch(config.sketch, 64)).mean() > MAX_INK_SHARE:
        print(
            f"{config.sketch}: is mostly dark; the method wants dark lines on white paper, so "
            f"invert it, or whiten its paper",
            file=sys.stderr,
        )
    model = load_model(config.model, lora=config.lora, device=device, dtype=DTYPES[dtype])
    slow = ", which takes its time without a GPU; --align-steps 0 takes a quarter of it"
    adapter = choose_lora(config.model, config.lora) or "none"
    print(
        f"animating on {device}{slow if device == 'cpu' else ''} (adapter: {adapter})",
        file=sys.stderr,
    )
    sketch = load_sketch(config.sketch, model.size, darken=config.sampling.darken_sketch)
    (clip,) = animate(model, [sketch], [config.prompt], [config.seed], config.sampling)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_bytes(encode(clip.frames))
    print(config.output)


if __name__ == "__main__":
    quiet_libraries()
    try:
        main(parse(OneConfig, __doc__, prog="python -m flipsketch"))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")

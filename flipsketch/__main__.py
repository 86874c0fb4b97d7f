"""Animate one drawing, without Ray.

flipsketch data/sketches/cat.svg "a cat waves its tail" -o cat.gif
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from flipsketch.cli import parse, report_error
from flipsketch.corpus.row import EMPTY_PROMPT, MAX_SEED
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import SamplingConfig, model_defaults
from flipsketch.method.methods import METHODS
from flipsketch.models.choices import Precision
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.registry import EMBEDDED_MODEL, choose_lora
from flipsketch.openmp import let_idle_threads_sleep
from flipsketch.storage.location import split_query

if TYPE_CHECKING:
    from flipsketch.method.request import DrawnClip

FORMATS = (".gif", ".mp4", ".png", ".svg")


@dataclass(frozen=True, kw_only=True)
class OneConfig:
    sketch: Positional[str]
    """The drawing: an SVG or a raster file, a path or a URI."""
    prompt: Positional[str]
    """What happens in the clip, such as "a cat waves its tail"."""
    output: Annotated[str, arg(aliases=["-o"])]
    """File to write, a path or a URI: *.gif, *.mp4, *.png for a filmstrip, or, of the method
    livesketch, *.svg, which plays in a browser at any size."""
    method: Literal["flipsketch", "livesketch"] = "flipsketch"
    """What animates: flipsketch draws each frame, of any sketch; livesketch moves the strokes of an
    SVG, which stay whole."""
    model: str = EMBEDDED_MODEL
    """Folder in diffusers' layout, or the name of a model: doodle, which is part of this project,
    or one on the Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's; docs/models.md
    has others)."""
    lora: str | None = None
    """Adapter folder or name. Default: doodle-lora with the model doodle, no adapter with others;
    none leaves it out."""
    motion_adapter: str | None = None
    """Motion adapter of AnimateDiff, a folder or a name on the Hugging Face Hub
    (guoyww/animatediff-motion-adapter-v1-5-2), which makes a video model of one of pictures: Stable
    Diffusion 1.5 or one that was fine-tuned from it. Models of video take none."""
    model_license: str | None = None
    """License of the model, such as openrail or the address of its terms, where neither the card in
    its folder nor that of its repository states one."""
    seed: int = 0
    """Seed of the noise; another seed gives another clip."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the model runs. Default: a GPU if there is one."""
    dtype: Precision | None = None
    """Precision of the networks. Default: bfloat16 on a GPU, float32 on a CPU."""
    threads: int | None = None
    """CPU threads. Default: one for each core; fewer are faster while other programs use cores."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    livesketch: LiveSketchConfig = field(default_factory=LiveSketchConfig)

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"--output must end in {', '.join(FORMATS)}, got {self.output}")
        self.livesketch.check_method(self.method)
        if self.format == ".svg" and not METHODS[self.method].moves_strokes:
            raise ValueError(
                f"the method {self.method} draws pixels, which make no SVG; add --method "
                f"livesketch, which moves the strokes of an SVG, or write .gif, .mp4 or .png"
            )
        if not self.prompt.strip():
            raise ValueError(EMPTY_PROMPT)
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"seed must lie between 0 and {MAX_SEED}, got {self.seed}")

    @property
    def format(self) -> str:
        return Path(split_query(self.output)[0]).suffix.lower()


def animate_drawing(config: OneConfig) -> None:
    """Write the clip of one drawing and print where it is.

    Raises:
        ValueError, OSError: the drawing, the model or the adapter cannot be used.
    """
    # Threads of PyTorch otherwise spin while they wait: on a busy machine all become much slower.
    let_idle_threads_sleep()
    from flipsketch.storage.output_file import check_output, refuse_overwriting, write_file
    from flipsketch.storage.sources import parse_place

    # The output and the drawing first: bad ones should not wait for the model.
    check_output(config.output)
    refuse_overwriting(config.output, [parse_place(config.sketch)])
    content = check_drawing(config)

    import torch

    from flipsketch.corpus.restrictions import list_restrictions
    from flipsketch.media.clip import check_pixels
    from flipsketch.method.limits import read_limits
    from flipsketch.method.request import ClipRequest
    from flipsketch.models.kernels import PLAIN
    from flipsketch.models.loading import Loading
    from flipsketch.models.motion_adapters import choose_motion_adapter
    from flipsketch.models.registry import find_model

    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no GPU here; leave out --device")
    dtype = config.dtype or ("bfloat16" if device == "cuda" else "float32")
    method = METHODS[config.method]
    if unused := method.list_unused(config.sampling, model_defaults(config.model)):
        print(f"the method {config.method} has no use for {', '.join(unused)}", file=sys.stderr)
    sampling = method.settle(config.sampling)
    own = {"config": config.livesketch} if method.moves_strokes else {}
    folder = find_model(config.model)
    limits = read_limits(folder, choose_motion_adapter(folder, config.motion_adapter))
    num_draft_steps = config.livesketch.num_draft_steps if method.moves_strokes else 0
    limits.check(sampling, num_draft_steps, inverts=method.inverts)
    if said := limits.describe_frames(sampling.num_frames):
        print(said, file=sys.stderr)
    loading = Loading(
        model=config.model,
        lora=config.lora,
        motion_adapter=config.motion_adapter,
        device=device,
        dtype=dtype,
        kernels=PLAIN,
    )
    animator = method.animator_class(loading, **own)
    check_pixels(sampling.num_frames, animator.size)
    sketch, drawing, notes = animator.read(content, config.sketches, sampling, own.get("config"))
    for note in notes:
        print(f"{config.sketch}: {note}", file=sys.stderr)
    adapter = choose_lora(config.model, config.lora) or "none"
    motion = f", motion adapter {config.motion_adapter}" if config.motion_adapter else ""
    parts = f"model {config.model}, adapter {adapter}{motion}"
    print(f"animating on {device}, {parts}", file=sys.stderr)
    for restriction in list_restrictions(list_licenses(config, folder)):
        print(restriction, file=sys.stderr)
    if device == "cpu" and sampling.num_align_steps:
        hint = "this takes a while without a GPU; --align-steps 0 takes a quarter of the time"
        print(hint, file=sys.stderr)
    request = ClipRequest(sketch, (config.prompt,), config.seed, sampling, drawing)
    (clip,) = animator.animate([request])
    write_file(config.output, encode(clip.draw(sampling), config.format))
    print(config.output)


def list_licenses(config: OneConfig, model_folder: Path) -> list[tuple[str, str]]:
    """Return the licenses of the model and of the adapters, by part."""
    from flipsketch.corpus.licenses import all_licenses
    from flipsketch.models.cards import read_statements
    from flipsketch.models.motion_adapters import choose_motion_adapter
    from flipsketch.models.registry import find_lora

    stated = config.model_license
    licenses = [("model", all_licenses(*read_statements(model_folder, stated)))]
    if (adapter := choose_lora(config.model, config.lora)) is not None:
        licenses.append(("adapter", all_licenses(*read_statements(find_lora(adapter)))))
    if (motion := choose_motion_adapter(model_folder, config.motion_adapter)) is not None:
        licenses.append(("motion adapter", all_licenses(*read_statements(motion))))
    return licenses


def encode(clip: "DrawnClip", format: str) -> bytes:
    from flipsketch.media.clip import encode_filmstrip, encode_gif, encode_mp4

    if format == ".svg":
        assert clip.svg is not None, "refused with methods that move no strokes"
        return clip.svg
    return {".gif": encode_gif, ".mp4": encode_mp4, ".png": encode_filmstrip}[format](clip.frames)


def check_drawing(config: OneConfig) -> bytes:
    """Return the drawing's file, and warn of one that is mostly dark.

    Raises:
        ValueError, OSError: it cannot be read, or not by the method.
    """
    from flipsketch.livesketch.drawing import read_drawing
    from flipsketch.media.sketch import load_sketch, read_content
    from flipsketch.scoring.ink import ink
    from flipsketch.scoring.pixel import MAX_INK_SHARE

    content = read_content(config.sketch)
    try:
        sketch = load_sketch(content, 64, config=config.sketches)
        if METHODS[config.method].moves_strokes:
            read_drawing(content, config.sketches, trace=config.livesketch.trace)
    except ValueError as error:
        raise ValueError(f"{config.sketch}: {error}") from error
    if ink(sketch).mean() > MAX_INK_SHARE:
        print(
            f"{config.sketch}: is mostly dark; the method expects dark lines on white paper",
            file=sys.stderr,
        )
    return content


def run(args: Sequence[str] | None = None) -> None:
    """Run the console command `flipsketch`. Input that cannot be used ends in a line on stderr and
    the exit code 2, as in every job.

    Args:
        args: flags to parse in place of the process's own.
    """
    quiet_libraries()
    config = None
    try:
        config = parse(OneConfig, __doc__, prog="flipsketch", args=args)
        animate_drawing(config)
    except BaseException as error:
        if isinstance(error, SystemExit) and config is None:
            raise  # how the parser ends
        sys.exit(report_error(error))


if __name__ == "__main__":
    run()

"""Animate one drawing, without Ray.

flipsketch data/sketches/cat.svg "a cat waves its tail" -o cat.gif
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from flipsketch.cli import parse, report_error
from flipsketch.corpus.row import EMPTY_PROMPT, MAX_SEED
from flipsketch.method.config import SamplingConfig
from flipsketch.models.choices import Precision
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.registry import EMBEDDED_MODEL, choose_lora
from flipsketch.openmp import let_idle_threads_sleep
from flipsketch.storage.location import split_query

FORMATS = (".gif", ".mp4", ".png")


@dataclass(frozen=True, kw_only=True)
class OneConfig:
    sketch: Positional[str]
    """The drawing: an SVG or a raster file, a path or a URI."""
    prompt: Positional[str]
    """What happens in the clip, such as "a cat waves its tail"."""
    output: Annotated[str, arg(aliases=["-o"])]
    """File to write, a path or a URI: *.gif, *.mp4, or *.png for a filmstrip."""
    model: str = EMBEDDED_MODEL
    """Folder in diffusers' layout, or the name of a model: doodle, which is part of this project,
    or one on the Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's)."""
    lora: str | None = None
    """Adapter folder or name. Default: doodle-lora with the model doodle, no adapter with others;
    none leaves it out."""
    seed: int = 0
    """Seed of the noise; another seed gives another clip."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the model runs. Default: a GPU if there is one."""
    dtype: Precision | None = None
    """Precision of the networks. Default: bfloat16 on a GPU, float32 on a CPU."""
    threads: int | None = None
    """CPU threads. Default: one for each core; fewer are faster while other programs use cores."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"--output must end in {', '.join(FORMATS)}, got {self.output}")
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
    # The drawing first: a bad one should not wait for the model.
    warn_of_dark(config.sketch)

    import torch

    from flipsketch.media.clip import check_pixels, encode_filmstrip, encode_gif, encode_mp4
    from flipsketch.media.sketch import load_sketch
    from flipsketch.method.sampler import animate
    from flipsketch.models.video_model import DTYPES, load_model
    from flipsketch.storage.output_file import write_file

    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = config.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no GPU here; leave out --device")
    dtype = config.dtype or ("bfloat16" if device == "cuda" else "float32")
    model = load_model(config.model, lora=config.lora, device=device, dtype=DTYPES[dtype])
    adapter = choose_lora(config.model, config.lora) or "none"
    print(f"animating on {device}, model {config.model}, adapter {adapter}", file=sys.stderr)
    if device == "cpu" and config.sampling.num_align_steps:
        hint = "this takes a while without a GPU; --align-steps 0 takes a quarter of the time"
        print(hint, file=sys.stderr)
    check_pixels(config.sampling.num_frames, model.size)
    sketch = load_sketch(config.sketch, model.size, darken=config.sampling.darken_sketch)
    (clip,) = animate(model, [sketch], [config.prompt], [config.seed], config.sampling)
    encode = {".gif": encode_gif, ".mp4": encode_mp4, ".png": encode_filmstrip}[config.format]
    write_file(config.output, encode(clip.frames))
    print(config.output)


def warn_of_dark(path: str) -> None:
    """Warn of a drawing that is mostly dark; raise ValueError or OSError if it cannot be read."""
    from flipsketch.media.sketch import load_sketch
    from flipsketch.scoring.ink import ink
    from flipsketch.scoring.pixel import MAX_INK_SHARE

    if ink(load_sketch(path, 64)).mean() > MAX_INK_SHARE:
        print(
            f"{path}: is mostly dark; the method expects dark lines on white paper, so invert it, "
            f"or whiten its paper",
            file=sys.stderr,
        )


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

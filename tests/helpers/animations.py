"""Small animations, written as Live-Sketch writes them."""

from pathlib import Path

from flipsketch.animations.reader import RasterConfig
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards

STROKE = 'fill="none" stroke="black" stroke-width="3" stroke-linecap="round"'


def frame(number: int, canvas: str = 'width="64" height="64"', lines: int = 3) -> bytes:
    """Some curves that move to the right by two units a frame."""
    x = 4 + 2 * number
    paths = "".join(
        f'<path d="M {x}.25 {8 + 9 * line} C {x + 9} {line} {x + 12}.5 40 {x + 20} 30" {STROKE}/>'
        for line in range(lines)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" {canvas}><g>{paths}</g></svg>'.encode()


def write_animation(folder: Path, num_frames: int = 4, prompt: str | None = None) -> None:
    """The plain layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_frames):
        (folder / f"frame{number:03d}.svg").write_bytes(frame(number))
    if prompt is not None:
        (folder / "prompt.txt").write_text(prompt)


def write_livesketch(
    folder: Path, num_frames: int = 4, prompt: str | None = None, step: int = 1000
) -> None:
    """Live-Sketch's layout."""
    write_animation(folder / "svg_logs" / f"svg_step{step}", num_frames)
    if prompt is not None:
        (folder / "prompt.txt").write_text(prompt)


def write_training_shards(folder: Path, number: int, num_frames: int, licence: str = "") -> str:
    """Rasterize some animations at 16 pixels, four a shard; return the folder of the shards."""
    for index in range(number):
        write_animation(folder / "in" / f"thing {index}", num_frames, f"way {index}")
    config = RasterizeConfig(
        animations=str(folder / "in"),
        output=str(folder / "out"),
        raster=RasterConfig(size=16),
        rows_per_shard=4,
        executor=ExecutorConfig(executor="local"),
        license=licence or None,
    )
    assert make_training_shards(config) == 0
    return config.output

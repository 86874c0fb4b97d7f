#!/usr/bin/env python
"""How fast animations become training shards: cairosvg, our drawing, cairo alone, the whole job.

    python benchmarks/rasterize.py
    python benchmarks/rasterize.py --svgs 'path/to/*.svg' --num-animations 0

All files are drawn by one way after the other, again and again; a file's time is its best: other
work on the machine then slows all ways alike or none.
"""

import glob
import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import cairocffi
import cairosvg
import numpy as np
import ray
import tyro
from cairosvg.parser import Tree
from cairosvg.surface import PNGSurface
from PIL import Image

from flipsketch.animations.discovery import find_animations
from flipsketch.animations.reader import (
    AnimationReader,
    RasterConfig,
    rasterize_animation,
)
from flipsketch.doodles.doodle import make_doodle
from flipsketch.doodles.writer import write_doodle
from flipsketch.media.clip import encode_filmstrip
from flipsketch.svg.reader import SvgReader, pad_to_square, rasterize_svg, read_drawing
from flipsketch.svg.render import Shape, draw, trace
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards

NUM_FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class RasterBenchmark:
    svgs: str | None = None
    """Files to draw, a glob; by default frames of doodles."""
    size: int = 256
    """Pixels."""
    rounds: int = 10
    """How often each file is drawn by each way."""
    num_animations: int = 2000
    """Doodles that the job makes shards of; 0 leaves it out."""


def main(config: RasterBenchmark) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        print("| what | frames/s | times cairosvg |\n|---|---|---|")
        if config.svgs is not None:
            files = [Path(path).read_bytes() for path in sorted(glob.glob(config.svgs))]
        else:
            files = [make_doodle(0, number).svg(0.5, "sketch") for number in range(60)]
        compare_ways(files, config)
        if config.num_animations:
            measure_job(Path(temporary), config)


def compare_ways(files: list[bytes], config: RasterBenchmark) -> None:
    size = config.size
    readers = {}
    drawings = {}
    for number, svg in enumerate(files):
        drawings[number] = read_drawing(svg, size)
        readers[number] = SvgReader(size)
        readers[number].read(svg)
    copied = {number: copy_paths(drawing.shapes) for number, drawing in drawings.items()}
    strips = {number: np.stack([rasterize_svg(svg, size)] * 4) for number, svg in enumerate(files)}
    ways: dict[str, Callable[[int], Any]] = {
        "cairosvg: svg2png, and its PNG read": lambda number: read_png(
            cairosvg.svg2png(files[number], output_width=size, output_height=size)
        ),
        "cairosvg, drawing alone": lambda number: PNGSurface(
            Tree(bytestring=files[number]), None, 96, output_width=size, output_height=size
        ),
        "ours, a file by itself": lambda number: rasterize_svg(files[number], size),
        "ours, a frame like the one before": lambda number: draw_again(
            readers[number], files[number], size
        ),
        "cairo alone, paths ready made": lambda number: draw_copied(copied[number], size),
        "encoding, a filmstrip of four": lambda number: encode_filmstrip(strips[number]),
    }
    times = {name: np.full(len(files), np.inf) for name in ways}
    for _ in range(config.rounds):
        for name, way in ways.items():
            for number in range(len(files)):
                started = time.perf_counter()
                way(number)
                took = (time.perf_counter() - started) / (4 if "filmstrip" in name else 1)
                times[name][number] = min(took, times[name][number])
    slowest = times["cairosvg: svg2png, and its PNG read"].sum()
    for name, seconds in ((name, each.sum()) for name, each in times.items()):
        print(f"| {name} | {len(files) / seconds:.0f} | {slowest / seconds:.1f} |", flush=True)


def read_png(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def draw_again(reader: SvgReader, svg: bytes, size: int) -> np.ndarray:
    drawing = reader.read(svg)
    return pad_to_square(draw(drawing.shapes, drawing.width, drawing.height), size)


def copy_paths(shapes: list[Shape]) -> list[tuple[Any, float]]:
    """Return what cairo keeps of each shape's path, in pixels, and the width of its line."""
    paths = []
    for shape in shapes:
        surface = cairocffi.ImageSurface(cairocffi.FORMAT_ARGB32, 1, 1)
        context = cairocffi.Context(surface)
        context.transform(cairocffi.Matrix(*shape.matrix))
        trace(cairocffi, context, shape.segments)
        context.identity_matrix()
        width = float(shape.paint["stroke-width"]) * abs(shape.matrix[0])
        paths.append((cairocffi.cairo.cairo_copy_path(context._pointer), width))
    return paths


def draw_copied(paths: list[tuple[Any, float]], size: int) -> None:
    """Stroke paths with as few calls as will do: no colours, no fills, no pixels read."""
    surface = cairocffi.ImageSurface(cairocffi.FORMAT_ARGB32, size, size)
    context = cairocffi.Context(surface)
    context.set_source_rgb(1, 1, 1)
    context.paint()
    context.set_source_rgb(0, 0, 0)
    context.set_line_cap(cairocffi.LINE_CAP_ROUND)
    library, pointer = cairocffi.cairo, context._pointer
    for path, width in paths:
        library.cairo_append_path(pointer, path)
        library.cairo_set_line_width(pointer, width)
        library.cairo_stroke(pointer)


def measure_job(scratch: Path, config: RasterBenchmark) -> None:
    """The job with 1 worker and with 2, against drawing and encoding in this process alone."""
    for index in range(config.num_animations):
        write_doodle(scratch / "in", make_doodle(0, index), NUM_FRAMES, "sketch")
    single = [measure_single(scratch / "in", config)]
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    print(f"\n{config.num_animations} doodles of {NUM_FRAMES} frames:\n")
    print("| what | frames/s | of workers x single |\n|---|---|---|")
    lines = []
    for workers in (1, 2):
        rate = measure_run(scratch, workers, config)
        single.append(measure_single(scratch / "in", config))
        alone = np.mean(single[-2:])
        share = rate / (workers * alone)
        lines.append(f"| job with {workers} | {rate:.0f} | {share:.0%} |")
    print(f"| drawing and encoding, one process | {np.mean(single):.0f} | |")
    print("\n".join(lines))
    ray.shutdown()


def measure_single(folder: Path, config: RasterBenchmark) -> float:
    """Return frames/s of reading from memory, drawing and encoding, over some of the doodles."""
    raster = RasterConfig(size=config.size)
    reader = AnimationReader(str(folder), raster)
    found = list(find_animations(str(folder)))[:: max(1, config.num_animations // 200)]
    animations = [reader.read(animation.location) for animation in found]
    started = time.perf_counter()
    for frames in animations:
        encode_filmstrip(rasterize_animation(frames, raster))
    return NUM_FRAMES * len(animations) / (time.perf_counter() - started)


def measure_run(scratch: Path, workers: int, config: RasterBenchmark) -> float:
    """Return frames/s of the job, from the first actor that is ready to the last commit."""
    job = RasterizeConfig(
        animations=str(scratch / "in"),
        output=str(scratch / f"out-{workers}"),
        raster=RasterConfig(size=config.size),
        executor=ExecutorConfig(workers=workers),
    )
    ready = ReadyTime()
    logging.getLogger("pipelines.execution.pool").addHandler(ready)
    logging.getLogger("pipelines.execution.pool").setLevel(logging.INFO)
    assert make_training_shards(job) == 0
    took = time.perf_counter() - ready.times[workers - 1]
    return NUM_FRAMES * config.num_animations / took


class ReadyTime(logging.Handler):
    """Notes when each actor says that it is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "is ready" in record.getMessage():
            self.times.append(time.perf_counter())


if __name__ == "__main__":
    main(tyro.cli(RasterBenchmark, description=__doc__))

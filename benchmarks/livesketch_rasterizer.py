#!/usr/bin/env python
"""Live-Sketch's rasterizer: time and memory by strokes and size, and its distance from cairo.

    python benchmarks/livesketch_rasterizer.py
    python benchmarks/livesketch_rasterizer.py --svgs 'path/to/*.svg' --repeats 0

Time is the process's own, best of all repeats, forward alone and with backward; memory is the peak
of both above what was there before.
"""

import functools
import glob
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
import tyro

from benchmarks.measuring import read_peak, reset_peak, synchronize
from flipsketch.livesketch.rasterizer import VectorBatch
from flipsketch.livesketch.vector import VectorShape, VectorSketch, draw_vector, read_vector

CASES = ((64, 10), (256, 24))


@dataclass(frozen=True, kw_only=True)
class RasterizerBenchmark:
    segments: tuple[int, ...] = (16, 60, 200, 1_000)
    """Cubics of a sketch, each a stroke of its own."""
    repeats: int = 3
    """How often each case is measured; 0 leaves the table out."""
    threads: int = 1
    """Of PyTorch, on a CPU."""
    device: str = "cpu"
    """Where to rasterize: cpu or cuda."""
    svgs: str = "data/sketches/*.svg"
    """Sketches to compare with cairo, a glob."""


def main(config: RasterizerBenchmark) -> None:
    torch.set_num_threads(config.threads)
    if config.repeats:
        print(
            "| segments | frames | forward ms | with backward ms | peak MB |\n|---|---|---|---|---|"
        )
        cases = [(count, *case) for case in CASES for count in config.segments]
        # A process each: memory that one case has freed would hide what the next one takes.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
            for line in pool.map(functools.partial(measure, config), cases):
                print(line, flush=True)
    compare(config)


def scribble(num_strokes: int) -> VectorSketch:
    """Random strokes, about a seventh of the canvas long and 3 of 256 pixels wide."""
    generator = np.random.default_rng(0)
    starts = generator.uniform(0.1, 0.9, size=(num_strokes, 1, 2))
    steps = generator.normal(scale=0.06, size=(num_strokes, 3, 2)).cumsum(axis=1)
    points = np.concatenate([starts, starts + steps], axis=1).reshape(-1, 2)
    rows = np.arange(len(points)).reshape(-1, 1, 4)
    return VectorSketch(points, tuple(VectorShape(row, 3 / 256) for row in rows))


def measure(config: RasterizerBenchmark, case: tuple[int, int, int]) -> str:
    torch.set_num_threads(config.threads)
    count, size, num_frames = case
    device = torch.device(config.device)
    batch = VectorBatch.pack([scribble(count)]).to(device)
    points = batch.points.float().repeat(num_frames, 1, 1).requires_grad_()
    forward, both = [], []
    reset_peak(device)
    before = read_peak(device)
    for _ in range(config.repeats):
        started = clock(device)
        ink = batch.rasterize(points, size)
        drawn = clock(device)
        ink.square().sum().backward()
        forward.append(drawn - started)
        both.append(clock(device) - started)
    times = f"{1e3 * min(forward):.1f} | {1e3 * min(both):.1f}"
    peak = (read_peak(device) - before) / 1e6
    return f"| {count:,} | {num_frames} x {size} | {times} | {peak:.0f} |"


def clock(device: torch.device) -> float:
    """Seconds: the process's own on a CPU, which others may share."""
    synchronize(device)
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def compare(config: RasterizerBenchmark) -> None:
    print("\n| sketches | size | mean difference in levels | largest | of |\n|---|---|---|---|---|")
    paths = sorted(glob.glob(config.svgs))
    sketches = [read_vector(Path(path).read_bytes()) for path in paths]
    for size, _ in CASES:
        differences = []
        for sketch in sketches:
            batch = VectorBatch.pack([sketch]).to(config.device)
            ink = batch.rasterize(batch.points.float()[None], size)[0, 0].cpu().numpy()
            drawn = draw_vector(sketch, sketch.points, size)[..., 0]
            differences.append(np.abs(255 - 255 * ink - drawn).mean())
        worst = int(np.argmax(differences))
        print(
            f"| {len(sketches)} | {size} | {np.mean(differences):.2f} | "
            f"{differences[worst]:.2f} | {Path(paths[worst]).stem} |"
        )


if __name__ == "__main__":
    main(tyro.cli(RasterizerBenchmark, description=__doc__))

#!/usr/bin/env python
"""What the job costs beyond sampling: Ray, sketches, PNG, tar, Parquet, notes, commits.

The same clips in one run: by the bare sampling loop, one process for each worker, and by the whole
job on Ray. Start-up is left out on both sides: the clock runs from the moment at which the last
model is loaded.

    python benchmarks/overhead.py
"""

import contextlib
import io
import logging
import multiprocessing
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import ray
import torch
import tyro

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from flipsketch.corpus.row import Row
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import animate_pixels, finish_frames
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import load_model
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import SKETCHES, good_rows, make_manifest

BATCH_SIZE = 4


@dataclass(frozen=True, kw_only=True)
class OverheadConfig:
    seconds: float = 60
    """About how long each run is to take."""
    workers: tuple[int, ...] = (1, 2)
    size: int = 32
    """Pixels of the toy model's frames."""
    num_inference_steps: int = 10


def main(config: OverheadConfig) -> None:
    quiet_libraries()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        model = str(write_tiny_model(Path(scratch) / "tiny", size=config.size))
        sampling = SamplingConfig(num_inference_steps=config.num_inference_steps, align_steps=0)
        job = AnimateConfig(
            manifest=make_manifest(Path(scratch), good_rows(2 * BATCH_SIZE)),
            output=str(Path(scratch) / "out"),
            model=model,
            sampling=sampling,
            batch_size=BATCH_SIZE,
            rows_per_shard=2 * BATCH_SIZE,
            threads=1,
        )
        rate = sample_bare(job, 1)
        print("| workers | clips | bare clips/s | job clips/s | overhead |")
        print("|---|---|---|---|---|", flush=True)
        for workers in config.workers:
            shards = max(4 * workers, round(rate * workers * config.seconds / job.rows_per_shard))
            rows = good_rows(shards * job.rows_per_shard)
            job = replace(
                job,
                manifest=make_manifest(Path(scratch), rows),
                output=str(Path(scratch) / f"out{workers}"),
                executor=ExecutorConfig(workers=workers),
            )
            bare = sample_bare(job, workers)
            whole = run_job(job, workers)
            print(
                f"| {workers} | {len(rows)} | {bare:.3f} | {whole:.3f} | {bare / whole - 1:+.1%} |",
                flush=True,
            )


def sample_bare(job: AnimateConfig, workers: int) -> float:
    """Return the clips per second of that many processes that do nothing but sample."""
    context = multiprocessing.get_context("spawn")
    barrier, ends = context.Barrier(workers + 1), context.Queue()
    rows = list(read_rows(job.manifest, summarize_manifest(job.manifest)))
    processes = [
        context.Process(target=sample_loop, args=(job, rows[part::workers], barrier, ends))
        for part in range(workers)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    started = time.time()
    last = max(ends.get() for _ in processes)
    for process in processes:
        process.join()
    return len(rows) / (last - started)


def sample_loop(job: AnimateConfig, rows: list[Row], barrier, ends) -> None:
    quiet_libraries()
    torch.set_num_threads(1)
    model = load_model(job.model)
    sketches = {
        row.index: load_sketch(SKETCHES.parent / str(row.sketch), model.size) for row in rows
    }
    barrier.wait()
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        requests = [
            ClipRequest(sketches[row.index], row.prompts, row.seed, job.sampling) for row in batch
        ]
        for row_pixels in animate_pixels(model, requests):
            finish_frames(row_pixels, job.sampling)
    ends.put(time.time())


class Clock(logging.Handler):
    """When actors were ready and rows done, by the job's log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.ready: list[float] = []
        self.done: list[tuple[float, int]] = [(0.0, 0)]

    def emit(self, record: logging.LogRecord) -> None:
        if "is ready" in record.getMessage():
            self.ready.append(record.created)
        elif "rows done" in record.getMessage():
            assert isinstance(record.args, tuple)
            self.done.append((record.created, int(str(record.args[3]))))


def run_job(job: AnimateConfig, workers: int) -> float:
    """Return the job's clips per second, from when its last actor was ready."""
    clock = Clock()
    logging.getLogger("pipelines").setLevel(logging.INFO)
    logging.getLogger("pipelines").addHandler(clock)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    # At a terminal a bar would stand in for the lines that the clock reads.
    with contextlib.redirect_stderr(io.StringIO()):
        assert animate_manifest(job) == 0
    ray.shutdown()
    logging.getLogger("pipelines").removeHandler(clock)
    assert len(clock.ready) == workers
    started = clock.ready[-1]
    before = max(rows for when, rows in clock.done if when <= started)
    return (clock.done[-1][1] - before) / (clock.done[-1][0] - started)


if __name__ == "__main__":
    main(tyro.cli(OverheadConfig, description=__doc__))

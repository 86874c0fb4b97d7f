#!/usr/bin/env python
"""What share of a run its device is busy: with batches, from the first one's begin to the last
one's end, and from there to the last commit.

The sampler runs on a CPU as it would on a GPU: with a toy model whose frames have full size, and
which takes a fraction of a second for a clip.

    python benchmarks/busy.py
    python benchmarks/busy.py --executors local --sketches ../drawings
"""

import contextlib
import functools
import io
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

import ray
import torch
import tyro
from diffusers import AutoencoderKL

from flipsketch.method.animators import FlipSketch
from flipsketch.method.config import SamplingConfig
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import SKETCHES, make_manifest

LOG = "BUSY_LOG"
ENDINGS = {".svg", ".png", ".jpg", ".jpeg"}


@dataclass(frozen=True, kw_only=True)
class BusyConfig:
    executors: tuple[Literal["local", "ray"], ...] = ("local", "ray")
    sketches: Path = SKETCHES
    """Folder of drawings, at any depth; each is used several times."""
    shards: int = 3
    rows_per_shard: int = 32
    batch_size: int = 4
    num_inference_steps: int = 1


def main(config: BusyConfig) -> None:
    quiet_libraries()
    torch.set_num_threads(1)
    print(
        "| executor | clips | s a clip in a batch | busy, batch to batch | busy, commit included |"
    )
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        job = AnimateConfig(
            manifest=write_manifest(config, Path(scratch)),
            output="",
            model=write_model(Path(scratch) / "tiny"),
            sampling=SamplingConfig(
                num_inference_steps=config.num_inference_steps,
                guidance_scale=1.0,
                align_steps=0,
                compose_steps=0,
            ),
            batch_size=config.batch_size,
            rows_per_shard=config.rows_per_shard,
            threads=1,
            max_failures="100%",
        )
        for executor in config.executors:
            log = Path(scratch) / executor
            job = replace(
                job,
                output=str(Path(scratch) / f"out-{executor}"),
                executor=ExecutorConfig(executor=executor, workers=1),
            )
            run_job(job, log)
            times = [
                [float(time) for time in line.split()] for line in log.read_text().split("\n")[:-1]
            ]
            busy = sum(end - begin for begin, end in times)
            last_commit = max(
                path.stat().st_mtime for path in (Path(job.output) / "metadata").iterdir()
            )
            clips = config.shards * config.rows_per_shard
            first = times[0][0]
            print(
                f"| {executor} | {clips} | {busy / clips:.3f} "
                f"| {busy / (times[-1][1] - first):.1%} | {busy / (last_commit - first):.1%} |",
                flush=True,
            )


def write_model(folder: Path) -> str:
    """Write a toy model for frames of 256 pixels, with as many latents as ModelScope has."""
    write_tiny_model(folder, size=64)
    torch.manual_seed(0)
    vae = AutoencoderKL(
        sample_size=256,
        block_out_channels=(4, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        latent_channels=4,
    )
    vae.save_pretrained(folder / "vae")
    return str(folder)


def write_manifest(config: BusyConfig, folder: Path) -> str:
    drawings = sorted(path for path in config.sketches.rglob("*") if path.suffix in ENDINGS)
    for number, path in enumerate(drawings):
        shutil.copy(path, folder / f"{number}{path.suffix}")
    rows = []
    for number in range(config.shards * config.rows_per_shard):
        place = number % len(drawings)
        sketch = f"{place}{drawings[place].suffix}"
        rows.append({"id": str(number), "sketch": sketch, "prompt": f"it moves, way {number}"})
    return make_manifest(folder, rows)


def run_job(job: AnimateConfig, log: Path) -> None:
    os.environ[LOG] = str(log)
    if job.executor.executor == "local":
        install()
    else:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={
                "env_vars": {LOG: str(log), "PYTHONPATH": os.pathsep.join(sys.path)},
                "worker_process_setup_hook": install,
            },
        )
    with contextlib.redirect_stderr(io.StringIO()):
        assert animate_manifest(job) == 0
    ray.shutdown()


def install() -> None:
    """Have this process note when each of its batches begins and ends."""
    animate = FlipSketch.animate

    @functools.wraps(animate)
    def timed(self, requests):
        begin = time.time()
        pixels = animate(self, requests)
        with open(os.environ[LOG], "a") as file:
            file.write(f"{begin} {time.time()}\n")
        return pixels

    FlipSketch.animate = timed


if __name__ == "__main__":
    main(tyro.cli(BusyConfig, description=__doc__))

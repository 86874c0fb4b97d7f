"""Manifests to animate, the job in a child or as flags, and corpora to compare."""

import json
import os
import shutil
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import ray

from flipsketch.method.config import SamplingConfig
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.execution.config import ExecutorConfig

ROOT = Path(__file__).parents[2]
SKETCHES = ROOT / "data" / "manifests" / "sketches"
QUICK = SamplingConfig(num_frames=3, num_inference_steps=1, align_steps=0)


def make_manifest(folder: Path, rows: list[dict]) -> str:
    """Write a manifest beside a copy of the sketches."""
    shutil.copytree(SKETCHES, folder / "sketches", dirs_exist_ok=True)
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def good_rows(count: int) -> list[dict]:
    names = sorted(path.name for path in SKETCHES.glob("*.svg"))
    return [
        {
            "id": f"row {number}",
            "sketch": f"sketches/{names[number % len(names)]}",
            "prompt": f"it moves, way {number}",
        }
        for number in range(count)
    ]


def make_job(model: Path, folder: Path) -> AnimateConfig:
    """Return a job on six good rows."""
    return AnimateConfig(
        manifest=make_manifest(folder, good_rows(6)),
        output=str(folder / "corpus"),
        model=str(model),
        sampling=QUICK,
        batch_size=2,
        rows_per_shard=2,
        threads=1,
        executor=ExecutorConfig(executor="local"),
    )


def read_rows(output: str) -> list[dict]:
    folder = Path(output) / "metadata"
    return [row for path in sorted(folder.iterdir()) for row in pq.read_table(path).to_pylist()]


def read_tars(output: str, folder: str = "clips") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (Path(output) / folder).glob("*")}


def same_corpus(one: str, other: str) -> bool:
    """As DESIGN defines it: the same tars, and rows that differ in seconds and attempts alone."""

    def rows(output):
        return [{**row, "seconds": None, "attempts": None} for row in read_rows(output)]

    return read_tars(one) == read_tars(other) and rows(one) == rows(other)


def flags(job: AnimateConfig) -> list[str]:
    """The job `job` of conftest as a command line says it."""
    return [
        *("--manifest", job.manifest, "--model", job.model, "--output", job.output),
        *("--num-frames", "3", "--num-inference-steps", "1", "--align-steps", "0"),
        *("--batch-size", "2", "--rows-per-shard", "2", "--threads", "1", "--executor", "local"),
    ]


def start_child(
    config: Any,
    before: Callable[[], object] = lambda: None,
    pipeline: Callable[[Any], int] = animate_manifest,
) -> int:
    """Run a job in a child that is forked off, so that it need not import anything; its pid.

    The job must keep to one thread: others do not come along.
    """
    ray.shutdown()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            before()
            code = pipeline(config)
        except BaseException:
            traceback.print_exc()
        finally:
            ray.shutdown()
            os._exit(code)
    return pid


def wait_for(pid: int, reached: Callable[[], object]) -> None:
    """Return once a child has come so far; it must not end before."""
    deadline = time.monotonic() + 240
    while not reached():
        # Whatever has ended stays to be waited for.
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        assert ended is None and time.monotonic() < deadline
        time.sleep(0.01)


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_child(config: Any, pipeline: Callable[[Any], int] = animate_manifest) -> int:
    """Return the exit code of a job in a child."""
    return exit_code(start_child(config, pipeline=pipeline))

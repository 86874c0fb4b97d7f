"""Manifests to animate, the job as a command, and corpora to compare."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import ray

from flipsketch.corpus.shard import committed_shards
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import AnimateConfig, animate_manifest

ROOT = Path(__file__).parents[2]
SKETCHES = ROOT / "data" / "sketches"
QUICK = SamplingConfig(num_frames=3, num_inference_steps=2, align_steps=0)


def make_manifest(folder: Path, rows: list[dict]) -> str:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def good_rows(count: int) -> list[dict]:
    names = sorted(path.name for path in SKETCHES.glob("*.svg"))
    return [
        {
            "id": f"row {number}",
            "sketch": str(SKETCHES / names[number % len(names)]),
            "prompt": f"it moves, way {number}",
        }
        for number in range(count)
    ]


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


def command(job: AnimateConfig) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "jobs" / "animate_manifest.py")),
        *("--manifest", job.manifest, "--model", job.model, "--output", job.output),
        *("--num-frames", "3", "--num-inference-steps", "2", "--align-steps", "0"),
        *("--batch-size", "2", "--rows-per-shard", "2", "--threads", "1", "--executor", "local"),
    ]


def start_and_wait_for_a_shard(arguments: list[str], output: str) -> subprocess.Popen:
    process = subprocess.Popen(
        arguments,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not committed_shards(open_folder(output)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return process


def start_child(job: AnimateConfig, before: Callable[[], object] = lambda: None) -> int:
    """Run a job in a child that is forked off, so that it need not import anything; its pid.

    The job must keep to one thread: others do not come along.
    """
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            before()
            code = animate_manifest(job)
        except BaseException:
            traceback.print_exc()
        finally:
            ray.shutdown()
            os._exit(code)
    return pid


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_child(job: AnimateConfig) -> int:
    """Return the exit code of a job in a child."""
    return exit_code(start_child(job))

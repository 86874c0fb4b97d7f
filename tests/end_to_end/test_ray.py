"""The job on a real local Ray. What does not depend on Ray is in test_animate.py."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch import read_corpus
from flipsketch.animations.reader import RasterConfig
from flipsketch.corpus.shard import committed_shards
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.executor import start
from pipelines.rasterize import RasterizeConfig, make_training_shards
from tests.helpers.animations import write_animation
from tests.helpers.clusters import share_ray, start_driver
from tests.helpers.commits import once_committed
from tests.helpers.corpora import (
    ROOT,
    SKETCHES,
    exit_code,
    flags,
    good_rows,
    make_manifest,
    read_rows,
    read_tars,
    same_corpus,
    wait_for,
)
from tests.helpers.vector_jobs import make_vector_job


@pytest.fixture(params=[2, pytest.param(1, marks=pytest.mark.slow)])
def cpus(request) -> int:
    share_ray(request.param)
    return request.param


def test_the_job_ends_and_makes_what_the_local_executor_makes(cpus, job, tmp_path):
    rows = good_rows(6)
    rows[3]["sketch"] = "none.svg"
    job = replace(job, manifest=make_manifest(tmp_path, rows))
    local = replace(job, output=str(tmp_path / "local"))
    assert animate_manifest(local) == 1
    on_ray = replace(job, executor=ExecutorConfig(executor="ray", workers=cpus))
    assert animate_manifest(on_ray) == 1
    assert [row["status"] == "ok" for row in read_rows(on_ray.output)] == [n != 3 for n in range(6)]
    assert same_corpus(on_ray.output, local.output)


@pytest.mark.slow
def test_strokes_are_moved_as_in_this_process(cpus, tiny_folder, tmp_path):
    local = make_vector_job(tiny_folder, tmp_path)
    on_ray = ExecutorConfig(executor="ray", workers=cpus)
    on_ray = replace(local, output=str(tmp_path / "ray"), executor=on_ray)
    assert animate_manifest(local) == animate_manifest(on_ray) == 0
    assert same_corpus(on_ray.output, local.output)


@pytest.mark.slow
def test_a_pilot_is_made_as_in_this_process(cpus, job, tmp_path, capsys):
    local = replace(job, output=str(tmp_path / "local"))
    on_ray = replace(job, executor=ExecutorConfig(executor="ray", workers=cpus))
    assert animate_manifest(replace(on_ray, pilot=4)) == 0
    assert f"for the other 2 rows on {cpus} worker" in capsys.readouterr().out
    assert animate_manifest(replace(local, pilot=4)) == 0
    for output in (on_ray.output, local.output):
        assert animate_manifest(replace(local, output=output)) == 0
    assert same_corpus(on_ray.output, local.output)


def test_an_interrupted_run_counts_what_it_was_not_told_of(job, tmp_path, caplog):
    share_ray(2)
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(12)))
    folder = open_folder(job.output)

    def interrupt():
        # One is told of. More than its second are not to be waited for: an actor that has not
        # loaded its model yet has none.
        until = time.monotonic() + 60
        while len(committed_shards(folder)) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        raise KeyboardInterrupt

    with once_committed(None, interrupt):
        assert animate_manifest(replace(job, executor=ExecutorConfig(workers=2))) == 130
    made = sorted(committed_shards(folder))
    assert len(made) > 1
    assert f"interrupted: {len(made)} of 6 shards are committed and kept" in caplog.text
    card = (Path(job.output) / "README.md").read_text()
    assert [index for index in range(6) if f"clips/{index:05d}.tar" in card] == made


def test_animations_become_the_same_shards_as_in_this_process(cpus, tmp_path):
    for number in range(6):
        write_animation(tmp_path / "in" / f"thing {number}", prompt="it moves")
    shards = RasterizeConfig(
        animations=str(tmp_path / "in"),
        output=str(tmp_path / "on_ray"),
        raster=RasterConfig(size=32),
        rows_per_shard=2,
        executor=ExecutorConfig(workers=cpus),
    )
    assert make_training_shards(shards) == 0
    local = replace(
        shards, output=str(tmp_path / "local"), executor=ExecutorConfig(executor="local")
    )
    assert make_training_shards(local) == 0
    assert read_tars(shards.output, "shards") == read_tars(local.output, "shards")
    assert len(read_tars(local.output, "shards")) == 3


def test_gpus_that_are_not_there_are_refused(cpus):
    for workers in (None, 2):
        with pytest.raises(ValueError, match="the Ray cluster has 0"):
            start(ExecutorConfig(workers=workers), 0, "cuda")
    assert start(ExecutorConfig(), 0, None).workers == cpus


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def head(tmp_path):
    """`ray start --head` as a person would, in a process group of its own; yields its address."""
    address = f"http://127.0.0.1:{(dashboard := free_port())}"
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("RAY_ADDRESS", None)
    process = subprocess.Popen(
        [
            *("ray", "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"),
            *(f"--port={free_port()}", f"--dashboard-port={dashboard}"),
            *("--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1"),
            # Sockets' paths are limited to 107 bytes, so not under tmp_path.
            *(f"--dashboard-agent-listen-port={free_port()}", f"--temp-dir=/tmp/r{dashboard}"),
        ],
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address, environment
    finally:
        # To `ray start` alone: it ends its own children.
        process.terminate()
        process.wait(60)


def submit(head, arguments: list[str]) -> subprocess.CompletedProcess:
    address, environment = head
    for _ in range(30):
        ended = subprocess.run(
            ["ray", "job", "submit", "--address", address, "--working-dir", ".", "--", *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if "Failed to connect" not in ended.stderr:
            return ended
        time.sleep(1)
    raise AssertionError(ended.stderr)


@pytest.mark.slow
def test_a_submitted_job_makes_the_same_corpus(head, job, tmp_path):
    local = replace(job, output=str(tmp_path / "local"))
    assert animate_manifest(local) == 0
    on_ray = [flag for flag in flags(job) if flag not in ("--executor", "local")]
    arguments = ["jobs/animate_manifest.py", *on_ray]
    ended = submit(head, ["python", *arguments])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert read_tars(job.output) == read_tars(local.output)

    # The script itself runs too, and an output that would vanish is refused.
    arguments[arguments.index("--output") + 1] = "out/clips"
    refused = submit(head, arguments)
    assert refused.returncode != 0
    assert "which vanishes with the job" in refused.stdout + refused.stderr


@pytest.mark.slow
def test_a_driver_killed_on_ray_resumes_to_the_same_files(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(24)))
    on_ray = replace(job, executor=ExecutorConfig(workers=2))
    pid = start_driver(on_ray, animate_manifest)
    wait_for(pid, lambda: committed_shards(open_folder(job.output)))
    os.kill(pid, signal.SIGKILL)
    assert exit_code(pid) == -signal.SIGKILL, "killed too late to show anything"
    share_ray(2)
    assert animate_manifest(on_ray) == 0
    whole = replace(job, output=str(tmp_path / "whole"))
    assert animate_manifest(whole) == 0
    assert same_corpus(job.output, whole.output)


def test_actors_read_and_write_a_store(job, whole, s3):
    share_ray(2)
    rows = []
    for row in good_rows(6):
        name = Path(row["sketch"]).name
        s3.put(f"ray/{name}", (SKETCHES / name).read_bytes())
        rows.append({**row, "sketch": name})
    s3.put("ray/rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    far = replace(job, manifest=s3.uri("ray/rows.jsonl"), output=s3.uri("ray/clips"))
    assert animate_manifest(replace(far, executor=ExecutorConfig(workers=2))) == 0
    made = [clip.row["frames_sha256"] for clip in read_corpus(far.output)]
    assert made == [row["frames_sha256"] for row in read_rows(whole.output)]

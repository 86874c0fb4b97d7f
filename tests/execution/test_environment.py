"""Machines and clusters on which a job cannot work: refused at once, before anything is written."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pipelines.animate import animate_manifest
from pipelines.compare import CompareConfig, compare
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.environment import check_environment
from pipelines.execution.work import JobError
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.train import TrainConfig, train
from tests.helpers.corpora import ROOT, flags

ON_RAY = ExecutorConfig()


@pytest.fixture(autouse=True)
def no_cluster_is_named(monkeypatch, tmp_path):
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@contextmanager
def server(answer: bytes | None):
    """A server on loopback that says the same to everybody; None never even takes a call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        calls = []

        def serve():
            while True:
                try:
                    call = listener.accept()[0]
                except OSError:
                    return
                calls.append(call)
                call.sendall(answer)

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for call in calls:
            call.close()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("127.0.0.1:1", "127.0.0.1:1: no Ray cluster answers there .*Connection refused"),
        ("no-such-host.invalid:6379", "no-such-host.invalid:6379: no Ray cluster answers there"),
        ("ray://127.0.0.1:10001", r"Ray Client \(ray://\) is not supported"),
        ("http://127.0.0.1:8265", "is not the address of a Ray cluster's head, which is HOST:PORT"),
        ("6379", "6379: is not the address of a Ray cluster's head, which is HOST:PORT"),
        ("127.0.0.1:port", "127.0.0.1:port: is not the address"),
    ],
)
def test_an_address_without_a_cluster_is_refused(address, found, monkeypatch):
    with pytest.raises(JobError, match=found):
        check_environment(ExecutorConfig(ray_address=address))
    monkeypatch.setenv("RAY_ADDRESS", address)
    for config in (ON_RAY, ExecutorConfig(ray_address="auto")):
        with pytest.raises(JobError, match=found):
            check_environment(config)
    # A cluster of its own, and this process, need no other.
    check_environment(ExecutorConfig(ray_address="local"))
    check_environment(ExecutorConfig(executor="local"))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.0 400 Bad request\r\n\r\n", "another kind of server listens there"),
        (None, "timed out"),
    ],
)
def test_a_server_that_is_no_ray_is_refused(answer, found, monkeypatch):
    monkeypatch.setattr("pipelines.execution.environment.ANSWER_S", 0.5)
    with server(answer) as address, pytest.raises(JobError, match=f"{address}: .*{found}"):
        check_environment(ExecutorConfig(ray_address=address))


def test_a_head_that_is_gone_is_refused_by_the_address_that_it_left(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    auto = ExecutorConfig(ray_address="auto")
    with pytest.raises(JobError, match="no Ray cluster runs on this machine"):
        check_environment(auto)
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    with pytest.raises(JobError, match="127.0.0.1:1: no Ray cluster answers there"):
        check_environment(auto)


def test_a_home_or_a_temporary_folder_that_cannot_be_written_is_refused(monkeypatch, tmp_path):
    check_environment(ON_RAY)
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "none"):
        monkeypatch.setenv("HOME", str(home))
        with pytest.raises(JobError, match=f"^{home}: .*token.*set HOME to a folder"):
            check_environment(ON_RAY)
        assert not (tmp_path / "none").exists()
    with monkeypatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
        check_environment(ON_RAY)
    for folder, found in (
        ("/etc/hostname", "cannot be written"),
        (f"/tmp/{'x' * 90}", "has 95 characters"),
    ):
        monkeypatch.setenv("RAY_TMPDIR", str(folder))
        with pytest.raises(JobError, match=f"^{folder}.*{found}.*set RAY_TMPDIR"):
            check_environment(ON_RAY)


@pytest.mark.parametrize("most", [64, 128, 256])
def test_a_job_with_too_few_open_files_ends_with_2_and_writes_nothing(job, most):
    on_ray = [flag for flag in flags(job) if flag not in ("--executor", "local")]
    arguments = ["jobs/animate_manifest.py", *on_ray]
    ended = subprocess.run(
        ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2 and not os.path.exists(job.output)
    assert f"may have {most} files open here, and the job needs 1024" in ended.stderr
    assert "ulimit -n 8192" in ended.stderr and "Traceback" not in ended.stderr


def test_a_limit_that_the_user_may_raise_is_raised():
    program = """
import resource
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.environment import check_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))
check_open_files(ExecutorConfig())
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1024, 4096)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_every_job_refuses_before_it_reads_or_writes(job, made, tmp_path, monkeypatch):
    """None of these folders and models is there, but the corpus to be scored."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    output = str(tmp_path / "new")
    jobs = [
        (animate_manifest, replace(job, output=output, manifest="none", executor=ON_RAY)),
        (make_training_shards, RasterizeConfig(animations="none", output=output)),
        (train, TrainConfig(shards="none", model="doodle", output=output)),
        (evaluate, EvaluateConfig(corpus=made.output)),
        (compare, CompareConfig(manifest="none", output=output)),
    ]
    for pipeline, config in jobs:
        with pytest.raises(JobError, match="127.0.0.1:1: no Ray cluster answers there"):
            pipeline(config)
    assert not os.path.exists(output) and "scores" not in os.listdir(made.output)

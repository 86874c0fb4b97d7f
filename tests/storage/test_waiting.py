import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from flipsketch.storage import waiting
from flipsketch.storage.threads import Readers
from flipsketch.storage.waiting import call_in_time

# pyarrow waits in C++ for somebody to write into the pipe.
READ_PIPE = """
import sys
from dataclasses import dataclass
from pyarrow import fs
from flipsketch.storage.waiting import call_in_time
from pipelines.cli import run

@dataclass(frozen=True, kw_only=True)
class PipeConfig:
    pipe: str
    "A pipe."
    limit_s: float
    "Seconds to wait."
    crash: bool = False
    "Raise what no job catches."

def read(config):
    print("reading")
    sys.stdout.flush()
    def wait():
        return fs.LocalFileSystem().open_input_stream(config.pipe).read()
    try:
        call_in_time(wait, config.limit_s, config.pipe + ": reading")
    except TimeoutError as error:
        if config.crash:
            raise AssertionError("a bug") from error
        print(error)
    return 3

sys.exit(run(read, PipeConfig, None))
"""


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def start_reading(pipe, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-c", READ_PIPE, "--pipe", str(pipe), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_a_call_returns_or_raises_is_the_callers():
    assert call_in_time(lambda: 3, 60, "counting") == 3
    with pytest.raises(KeyError, match="cat"):
        call_in_time(lambda: {}["cat"], None, "looking")


def test_a_call_that_hangs_is_left_behind_and_the_process_ends_all_the_same(pipe):
    out, _ = (reading := start_reading(pipe, "--limit-s", "0.1")).communicate(timeout=60)
    assert out.splitlines()[1].startswith(f"{pipe}: reading took longer than the 0.1 s allowed")
    assert reading.returncode == 3


def test_a_bug_beside_a_call_that_hangs_keeps_its_traceback(pipe):
    reading = start_reading(pipe, "--limit-s", "0.1", "--crash")
    _, errors = reading.communicate(timeout=60)
    assert "AssertionError: a bug" in errors and reading.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_process_that_waits_for_a_call(pipe, number):
    reading = start_reading(pipe, "--limit-s", "600")
    assert reading.stdout is not None and reading.stdout.readline() == "reading\n"
    reading.send_signal(number)
    _, errors = reading.communicate(timeout=60)
    assert reading.returncode == 130 and "interrupted" in errors


def test_only_so_many_calls_are_left_behind(pipe, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_LEFT_BEHIND", 2)

    def read():
        return call_in_time(lambda: pipe.read_bytes(), 0.01, "reading", store=str(pipe))

    before = threading.active_count()
    for _ in range(2):
        with pytest.raises(TimeoutError, match="took longer"):
            read()
    with pytest.raises(TimeoutError, match="not tried, since 2 earlier calls"):
        read()
    assert call_in_time(lambda: 3, 60, "counting", store="another") == 3
    assert threading.active_count() <= before + 3
    assert waiting.calls_hang()
    # Both readers come back once the pipe has had a writer.
    os.close(os.open(pipe, os.O_WRONLY))
    while any(call.store == str(pipe) for call in list(waiting.left_behind)):
        time.sleep(0.01)


def test_a_call_that_another_thread_waits_for_is_known(pipe):
    with Readers(1) as readers:
        reading = readers.submit(lambda path: call_in_time(path.read_bytes, 60, "reading"), pipe)
        writer = os.open(pipe, os.O_WRONLY)  # returns once the pipe has its reader
        assert waiting.calls_hang()
        os.close(writer)
        assert reading.result() == b""

"""Folders in an object store: a real S3 server, reached by a way that fails on command."""

import pickle
import re
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from flipsketch.storage import stores
from flipsketch.storage.folder import Folder, hash_file, open_file, open_folder
from flipsketch.storage.parquet import read_footer, read_table
from flipsketch.storage.sealed import to_parquet


@pytest.fixture
def folder(proxy, request) -> Folder:
    return open_folder(proxy.uri(f"stores/{request.node.name}/run"))


@pytest.fixture
def impatient(monkeypatch):
    """Give up soon: what is tried here is that it ends, not when."""
    monkeypatch.setattr(stores, "CALL_TIMEOUT_S", 0.2)
    monkeypatch.setattr(stores, "RETRY_PAUSES_S", (0.01, 0.01))


def use_all(folder: Folder) -> None:
    """Do to a folder all that can be done to one."""
    table = pa.table({"number": list(range(1000))})
    folder.publish("a/x", bytes(range(256)) * 100)
    folder.publish("a/table.parquet", to_parquet(table))
    assert folder.list("a") == ["table.parquet", "x"] and not folder.is_empty()
    assert folder.read("a/x") == bytes(range(256)) * 100
    assert folder.read("a/none") is None
    assert read_table(folder, "a/table.parquet", ["number"]).equals(table)
    assert read_footer(folder, "a/table.parquet").num_rows == 1000
    with folder.open("a/x") as file:
        assert file.read_at(2, 257) == b"\1\2" and file.size() == 25600
        assert (file.seek(-1, 2), file.read(), file.read()) == (25599, b"\xff", b"")
    with open_file(folder.locate("a/x")) as file:
        assert file.read(3) == b"\0\1\2"
    assert len(hash_file(folder.locate("a/x"))) == 64
    folder.delete("a/x")
    folder.delete("a/x")
    assert folder.list("a") == ["table.parquet"]


def test_a_folder_in_a_store_does_what_one_on_a_disk_does(folder, tmp_path):
    assert folder.is_empty() and folder.list("a") == []
    use_all(folder)
    use_all(open_folder(str(tmp_path)))


def test_an_outage_of_seconds_is_survived_by_reads_and_writes(folder, proxy, monkeypatch):
    monkeypatch.setattr(stores, "RETRY_PAUSES_S", (0.1, 0.2, 0.4, 0.8, 0.8))
    folder.publish("x", b"1" * 1000)
    with folder.open("x") as file:
        for use in (
            lambda: folder.publish("y", b"2"),
            lambda: folder.read("x") == b"1" * 1000,
            lambda: file.read_at(3, 0) == b"111",
            lambda: folder.list("") == ["x", "y"],
        ):
            proxy.go_down(1.0)
            assert use() in (None, True)
    assert folder.read("y") == b"2"


@pytest.mark.parametrize(
    "fault",
    [
        lambda proxy: proxy.refuse(2),
        lambda proxy: proxy.refuse(5, "PUT"),
        lambda proxy: proxy.refuse(5, "GET"),
        lambda proxy: proxy.cut(3),
        lambda proxy: proxy.slow_down(latency_s=0.05),
        lambda proxy: proxy.slow_down(bytes_per_s=100_000),
    ],
    ids=["503", "503 to writes", "503 to reads", "cut short", "late", "slow"],
)
def test_what_passes_is_survived(folder, proxy, fault, monkeypatch):
    monkeypatch.setattr(stores, "RETRY_PAUSES_S", (0.01, 0.1, 0.1, 0.1))
    fault(proxy)
    use_all(folder)


@pytest.mark.parametrize("fault", ["go_down", "fall_silent"])
def test_a_store_that_stays_away_is_given_up_and_named(folder, proxy, fault, impatient):
    folder.publish("x", b"1")
    getattr(proxy, fault)()
    where = re.escape(str(folder))
    with pytest.raises(OSError, match=f"{where}/x.*{proxy.port}.*see that the store can be reac"):
        folder.read("x")
    with pytest.raises(OSError, match=f"{where}/x.*: writing its 1 bytes.*then rerun the same"):
        folder.publish("x", b"2")
    with pytest.raises(OSError, match=f"{where}/a.*listing"):
        folder.list("a")
    proxy.work()


def test_what_no_second_try_mends_is_said_at_once(proxy):
    folder = open_folder(proxy.uri("x").replace("bucket", "nobucket"))
    proxy.requests()
    with pytest.raises(OSError, match="(?i)no_such_bucket.*see that the bucket exists"):
        folder.publish("x", b"1")
    assert proxy.count()["PUT"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gets_through_to_a_process_that_waits_for_a_silent_store(folder, proxy, number):
    folder.publish("run.json", b"{}")
    proxy.fall_silent()
    command = [sys.executable, "jobs/status.py", "--corpus", folder.location]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    proxy.requests()
    while not proxy.requests():
        time.sleep(0.05)
    waiting.send_signal(number)
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 130 and "interrupted" in errors


def test_a_folder_in_a_store_travels(folder):
    folder.publish("x", b"1")
    again = pickle.loads(pickle.dumps(folder))
    assert again == folder and again.read("x") == b"1"
    assert open_folder(folder.below("a").location).locate("b") == folder.locate("a/b")


def test_a_small_file_is_one_upload(folder, proxy):
    proxy.requests()
    folder.publish("x", bytes(100_000))
    assert proxy.count() == {"PUT": 1, "HEAD": 1}

"""One job at a time writes to a folder in a store."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from pyarrow import fs

from flipsketch.storage import lease, lease_file
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.lease import Holder

HOLD = """
import sys, time
from flipsketch.storage import lease
from flipsketch.storage.folder import open_folder
lease.RENEW_S, lease.DOUBT_AFTER_S = 0.1, 0.3
folder = open_folder(sys.argv[1])
try:
    with folder.locked():
        print("held", flush=True)
        for number in range(600):
            time.sleep(0.05)
            folder.publish(f"x{number}", b"1")
except OSError as error:
    print(error)
"""


@pytest.fixture
def folder(s3, request) -> Folder:
    return open_folder(s3.uri(f"lease/{request.node.name}"))


@pytest.fixture
def quick(monkeypatch):
    """A lease that lapses within a second."""
    for name, seconds in {
        "RENEW_S": 0.1,
        "LAPSE_S": 0.8,
        "DOUBT_AFTER_S": 0.5,
        "WATCH_S": 0.05,
    }.items():
        monkeypatch.setattr(lease, name, seconds)
    monkeypatch.setattr(lease_file, "SETTLE_S", 0.1)


def hold(folder: Folder) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, folder.location]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def write_lease(folder: Folder, holder: Holder) -> None:
    folder.publish("_tmp/lease.json", holder.to_json())


def elsewhere() -> Holder:
    return replace(Holder.this_process(), id="0" * 32, host="other", boot="other")


def test_a_folder_is_held_by_one_and_free_afterwards(s3, folder):
    with folder.locked():
        found = json.loads(folder.read("_tmp/lease.json") or b"")
        assert (found["pid"], found["host"]) == (os.getpid(), socket.gethostname())
        refused = pytest.raises(ValueError, match=f"another job is writing.*process {os.getpid()}")
        with refused, folder.locked():
            pass
        folder.publish("x", b"1")
    assert s3.keys(folder.path.removeprefix("bucket/")) == [
        f"{folder.path.removeprefix('bucket/')}/x"
    ]
    with folder.locked():
        pass


def test_a_killed_holder_of_this_machine_is_followed_at_once(folder):
    holder = hold(folder)
    with pytest.raises(ValueError, match="another job is writing"), folder.locked():
        pass
    holder.kill()
    holder.communicate()
    started = time.monotonic()
    with folder.locked():
        pass
    assert time.monotonic() - started < lease.LAPSE_S / 2


def test_a_process_of_the_same_number_is_not_taken_for_the_holder(folder):
    write_lease(folder, replace(Holder.this_process(), started="1"))
    with folder.locked():
        pass


def test_a_lease_of_another_machine_lapses_unless_it_is_renewed(folder, quick):
    write_lease(folder, elsewhere())
    with folder.locked():
        pass
    # The clocks of two machines may differ as they like.
    write_lease(folder, replace(elsewhere(), since="2099-01-01T00:00:00+00:00"))
    with folder.locked():
        pass


def test_a_renewal_that_is_seen_refuses_the_second(folder, quick, monkeypatch):
    monkeypatch.setattr(lease, "boot_id", lambda: "")  # as where there is no /proc
    with folder.locked(), pytest.raises(ValueError, match="another job is"), folder.locked():
        pass


def test_damage_in_the_lease_is_waited_out(folder, quick):
    folder.publish("_tmp/lease.json", b"\xff{")
    with folder.locked():
        pass


def test_who_was_suspended_and_overtaken_writes_no_more(folder, quick):
    holder = hold(folder)
    holder.send_signal(signal.SIGSTOP)
    # As seen from another machine: from this one it is plain that it lives.
    content = json.loads(folder.read("_tmp/lease.json") or b"")
    write_lease(folder, Holder(**{**content, "host": "other"}))
    with folder.locked():
        before = folder.list("")
        holder.send_signal(signal.SIGCONT)
        out, _ = holder.communicate(timeout=60)
        assert f"{folder}: another job has taken over this folder" in out
        # Of what was on its way when it was stopped, one file may still have arrived.
        assert len(folder.list("")) <= len(before) + 1


def test_who_was_suspended_and_not_overtaken_goes_on(folder):
    holder = hold(folder)
    holder.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    before = folder.list("")
    holder.send_signal(signal.SIGCONT)
    while len(folder.list("")) < len(before) + 5:
        assert holder.poll() is None
        time.sleep(0.05)
    holder.kill()
    holder.communicate()


def test_of_many_at_once_one_gets_the_folder(folder):
    command = [sys.executable, "-c", HOLD, folder.location]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    holders = [subprocess.Popen(command, **pipes) for _ in range(4)]
    try:
        while sum(holder.poll() is None for holder in holders) > 1:
            time.sleep(0.05)
        (winner,) = (holder for holder in holders if holder.poll() is None)
        assert winner.stdout.readline() == "held\n"
        for loser in set(holders) - {winner}:
            assert "another job is writing" in loser.communicate()[1]
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_a_store_without_conditions_has_leases_by_time(tmp_path, quick):
    # A filesystem that is neither local nor S3.
    folder = Folder(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "run")
    folder.filesystem.create_dir("run/_tmp")
    with folder.locked(), pytest.raises(ValueError, match="another job is"), folder.locked():
        pass
    write_lease(folder, elsewhere())
    with folder.locked():
        pass
    assert not (tmp_path / "run" / "_tmp" / "lease.json").exists()

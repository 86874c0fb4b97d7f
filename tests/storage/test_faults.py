"""Disks that fail, fill up, tear or dawdle: nothing half-written is seen, nothing is lost."""

import builtins
import errno
import os
import resource
import time
from pathlib import Path

import fsspec.implementations.local
import pytest
from pyarrow import fs

from flipsketch.corpus.plan import read_plan
from flipsketch.storage.folder import Folder, open_folder
from pipelines.animate import animate_manifest
from pipelines.sharding.state import read_status
from tests.helpers.corpora import exit_code, same_corpus, start_child

NUM_WRITES = 14  # of the job below: the plan, the manifest's summary, 3 shards, the notes, the card


class FaultyDisk:
    """Python's `open`, with something wrong with chosen writes to `_tmp`."""

    def __init__(self, monkeypatch, fault, faulty: range):
        self.fault, self.faulty, self.writes, self.open = fault, faulty, 0, builtins.open
        monkeypatch.setattr(builtins, "open", self.open_faulty)

    def open_faulty(self, path, mode="r", *args, **kwargs):
        file = self.open(path, mode, *args, **kwargs)
        if "/_tmp/" not in str(path) or "w" not in mode:
            return file
        self.writes += 1
        return Faulty(file, self.fault if self.writes in self.faulty else None)


class Faulty:
    def __init__(self, file, fault):
        self.file, self.fault = file, fault

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        if self.fault == "slow":
            time.sleep(0.1)
        elif self.fault is not None:
            # A full or broken disk takes what it can.
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            if self.fault != "torn":
                raise OSError(self.fault, os.strerror(self.fault))
            return len(content)
        return self.file.write(content)


def assert_sound(output: str):
    folder = open_folder(output)
    plan = read_plan(folder)
    if plan is not None:
        assert read_status(folder, plan, verify=True).problems == []


@pytest.mark.parametrize("number", range(1, NUM_WRITES + 1, 3))
def test_a_full_disk_says_what_to_do_and_the_same_command_goes_on(job, whole, number, monkeypatch):
    with monkeypatch.context() as patch:
        FaultyDisk(patch, errno.ENOSPC, range(number, 1000))
        with pytest.raises(OSError, match="No space left on device.*free some space") as error:
            animate_manifest(job)
        assert error.value.errno == errno.ENOSPC
    assert_sound(job.output)
    assert animate_manifest(job) == 0
    assert same_corpus(job.output, whole.output)
    assert list((Path(job.output) / "_tmp").iterdir()) == []


@pytest.mark.parametrize("fault", [errno.EIO, "torn", "slow"])
def test_a_write_that_fails_or_is_torn_is_done_again(job, whole, fault, monkeypatch):
    with monkeypatch.context() as patch:
        disk = FaultyDisk(patch, fault, range(1, 1000, 4))
        assert animate_manifest(job) == 0
    assert disk.writes >= NUM_WRITES
    assert_sound(job.output)
    assert same_corpus(job.output, whole.output)


def test_a_disk_that_goes_on_failing_ends_the_run(job, monkeypatch):
    with monkeypatch.context() as patch:
        FaultyDisk(patch, errno.EIO, range(2, 1000))
        with pytest.raises(OSError, match="see that its disk or server works"):
            animate_manifest(job)
    assert_sound(job.output)


def test_a_limit_of_the_kernel_on_file_sizes(job, whole):
    """No patch here: the kernel itself refuses to write more than so many bytes to a file."""
    largest = max(path.stat().st_size for path in Path(whole.output).glob("metadata/*"))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, largest // 2))

    assert exit_code(start_child(job, before=limit)) == 99
    assert not list(Path(job.output).glob("metadata/*"))
    assert_sound(job.output)
    assert animate_manifest(job) == 0
    assert same_corpus(job.output, whole.output)


class TearingStore(fsspec.implementations.local.LocalFileSystem):
    """A store whose uploads lose their second half, in silence."""

    torn = True

    def _open(self, path, mode="rb", **kwargs):
        file = super()._open(path, mode, **kwargs)
        if "w" in mode and self.torn:
            file.f = Faulty(file.f, "torn")
        return file


def test_an_upload_that_was_torn_is_taken_back(tmp_path):
    store = TearingStore(auto_mkdir=True, skip_instance_cache=True)
    folder = Folder(fs.PyFileSystem(fs.FSSpecHandler(store)), str(tmp_path))
    with pytest.raises(OSError, match="500 of 1000 bytes arrived"):
        folder.publish("clips/00000.tar", bytes(1000))
    assert not (tmp_path / "clips" / "00000.tar").exists()
    store.torn = False
    folder.publish("clips/00000.tar", bytes(1000))
    assert (tmp_path / "clips" / "00000.tar").read_bytes() == bytes(1000)

import os
import subprocess
import sys

import pytest
from pyarrow import fs

from flipsketch.corpus.manifest import is_parquet
from flipsketch.storage.folder import (
    PARTIAL,
    Folder,
    open_folder,
    open_location,
    read_file,
    resolve,
)


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = open_folder(str(tmp_path))
    folder.publish("a/b.bin", b"old")

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        folder.publish("a/b.bin", b"new content")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"old"
    assert list((tmp_path / "_tmp").iterdir()) == []


def test_names_are_listed_and_read_back(tmp_path):
    folder = open_folder(str(tmp_path / "new"))
    folder.make()
    assert folder.list("a") == [] and folder.read("a/x") is None and folder.is_empty()
    folder.publish("a/x", b"1")
    folder.publish("a/w", b"2")
    assert folder.list("a") == ["w", "x"]
    assert folder.read("a/x") == b"1"
    assert not folder.is_empty()
    folder.delete("a/x")
    assert folder.list("a") == ["w"]


def test_a_folder_works_on_a_filesystem_that_is_not_local(tmp_path):
    # A real subtree filesystem: not a LocalFileSystem, so the object store's road is taken.
    folder = Folder(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "run")
    folder.filesystem.create_dir("run/a")
    folder.publish("a/x", b"1")
    assert folder.read("a/x") == b"1" and folder.list("a") == ["x"]


def test_locations_are_relative_to_the_file_that_names_them():
    assert resolve("a/b.svg", "/data/m.jsonl") == "/data/a/b.svg"
    assert resolve("/a/b.svg", "/data/m.jsonl") == "/a/b.svg"
    assert resolve("s3://bucket/b.svg", "/data/m.jsonl") == "s3://bucket/b.svg"
    query = "?endpoint_override=http://127.0.0.1:9000&region=us-east-1"
    assert resolve("b.svg", f"s3://bucket/m.jsonl{query}") == f"s3://bucket/b.svg{query}"
    assert resolve("b.svg", "s3://bucket/m.jsonl") == "s3://bucket/b.svg"


def test_what_is_not_a_readable_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="found a folder"):
        read_file(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="found nothing"):
        read_file(str(tmp_path / "none"))
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(ValueError, match="more than"):
        read_file(str(tmp_path / "huge"))
    with pytest.raises(ValueError, match="no filesystem"):
        read_file("nosuch://a/b")


def test_a_locked_folder_is_refused_to_others_until_its_holder_dies(tmp_path):
    program = f"""
import time
from flipsketch.storage.folder import open_folder
with open_folder({str(tmp_path)!r}).locked():
    print("locked", flush=True)
    time.sleep(60)
"""
    folder = open_folder(str(tmp_path))
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match="another job is writing"), folder.locked():
            pass
    finally:
        holder.kill()
        holder.communicate()
    with folder.locked():
        pass


def test_the_sweep_takes_what_writers_leave_and_nothing_else(tmp_path):
    folder = open_folder(str(tmp_path))
    for name in ("clips-00000.tar.0123456789ab", "attempts-00001.json", "thesis.tex"):
        folder.publish(f"_tmp/{name}", b"x")
    folder.sweep(PARTIAL)
    assert folder.list("_tmp") == ["attempts-00001.json", "thesis.tex"]


def test_what_a_uri_says_of_its_server_stays_with_its_files():
    query = "?endpoint_override=127.0.0.1:9&scheme=http&region=us-east-1"
    folder = open_folder(f"s3://bucket/corpus/{query}")
    assert (folder.path, str(folder)) == ("bucket/corpus", "s3://bucket/corpus")
    assert folder.locate("manifest.json") == f"s3://bucket/corpus/manifest.json{query}"
    assert is_parquet(folder.locate("manifest.parquet"))
    again, path = open_location(folder.locate("a.svg"))
    assert path == "bucket/corpus/a.svg" and again.equals(folder.filesystem)


def test_a_path_may_have_a_question_mark(tmp_path):
    folder = open_folder(f"{tmp_path}/what?/")
    folder.make()
    folder.publish("a", b"1")
    assert (tmp_path / "what?" / "a").read_bytes() == b"1"
    assert folder.locate("a") == f"{tmp_path}/what?/a"


@pytest.mark.parametrize(
    "location",
    ["s3://", "S3://", "s3://?region=x", "gs://", "hdfs://", "file://", "s3:", "s3:/bucket/x"],
)
def test_what_is_meant_as_a_uri_is_never_taken_for_a_local_folder(location, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="BUCKET/PATH"):
        open_folder(location)
    with pytest.raises(ValueError, match="BUCKET/PATH"):
        open_location(location)
    assert not list(tmp_path.iterdir())

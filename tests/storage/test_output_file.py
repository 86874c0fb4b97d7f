"""Single files, put in place whole at a path or a URI."""

import os

import pytest

from flipsketch.storage.location import locate_below
from flipsketch.storage.output_file import check_output, write_file


def test_a_file_is_written_whole_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "new" / "a.png"
    write_file(str(path), b"old")
    assert path.read_bytes() == b"old"

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_file(str(path), b"new")
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == ["a.png"]


def test_a_file_that_cannot_be_written_is_told_beforehand(tmp_path):
    path = tmp_path / "new" / "a.png"
    check_output(str(path))
    assert not list(tmp_path.iterdir())
    (tmp_path / "new").write_text("a file")
    for impossible in (path, "/proc/x.svg"):
        with pytest.raises(OSError, match=f"^.*{impossible}: no file can be written to") as raised:
            check_output(str(impossible))
        assert "/tmp." not in str(raised.value) and "another place" in str(raised.value)


def test_a_file_goes_to_a_store_under_its_own_name(s3):
    write_file(s3.uri("file/a.png"), b"1")
    assert s3.get("file/a.png") == b"1" and s3.keys("file/") == ["file/a.png"]


@pytest.mark.parametrize("location", ["out/", "", "s3://bucket", "s3://bucket/a/?region=x"])
def test_a_folder_is_no_file_to_write(location):
    with pytest.raises(ValueError, match="names a folder; give the name of a file to write"):
        write_file(location, b"1")


@pytest.mark.parametrize(
    ("location", "below"),
    [
        ("out/a", "out/a/b.png"),
        ("/", "/b.png"),
        ("s3://bucket/a/?region=x", "s3://bucket/a/b.png?region=x"),
        ("s3://bucket", "s3://bucket/b.png"),
    ],
)
def test_what_lies_below_a_location_keeps_its_query(location, below):
    assert locate_below(location, "b.png") == below

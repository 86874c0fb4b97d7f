"""An error that ends a job names its file and what to do, and no number."""

import errno
import os

import pytest

from flipsketch.storage.errors import explain, printable
from flipsketch.storage.folder import new_folder, open_file, open_folder
from flipsketch.storage.output_file import write_file


def raised(work) -> Exception:
    with pytest.raises(Exception) as caught:
        work()
    return caught.value


def test_what_the_system_says_gets_its_file_and_a_remedy(tmp_path):
    missing = tmp_path / "missing"
    errors = [
        (lambda: open(missing), f"{missing}: no such file or directory; check the path"),
        (lambda: os.listdir(missing), f"{missing}: no such file or directory; check the path"),
        (lambda: open(tmp_path), f"{tmp_path}: is a directory; give the path of a file"),
        (lambda: os.rename(missing, tmp_path), f"{missing} -> {tmp_path}: no such file"),
        (lambda: open_file(str(tmp_path)), f"{tmp_path}: is a directory; give the path of a file"),
        (lambda: tmp_path.mkdir(), f"{tmp_path}: file exists; move it away, or give another path"),
        (lambda: open_file(str(missing)), f"{missing}: no such file or directory; check the path"),
        (lambda: open("/dev/full", "w", buffering=1).write("x\n"), "free some space there"),
    ]
    for work, said in errors:
        text = explain(raised(work))
        assert said in text and "rrno" not in text


def test_a_file_in_a_folders_place_is_named(tmp_path):
    (tmp_path / "rows.jsonl").touch()
    text = explain(raised(open_folder(f"{tmp_path}/rows.jsonl/run").make))
    assert f"{tmp_path}/rows.jsonl" in text and "is in the way; move it, or give another" in text
    text = explain(raised(lambda: write_file(f"{tmp_path}/rows.jsonl/cat.gif", b"")))
    assert text.startswith(f"{tmp_path}/rows.jsonl") and "disk or server" not in text


def test_a_file_that_is_not_in_a_store_is_named_by_its_address(s3):
    location = s3.uri("errors/none.jsonl")
    text = explain(raised(lambda: open_file(location)))
    assert text == f"{location}: no such file or directory; check the path"


def test_what_is_a_sentence_already_stays_one():
    assert explain(ValueError("it is so")) == "it is so"
    assert explain(OSError(None, "s3://b: cannot be reached")) == "s3://b: cannot be reached"
    assert explain(OSError(errno.EIO, "a/b: cannot be written")) == "a/b: cannot be written"
    assert explain(OSError("[Errno 5] a: broken")) == "a: broken"
    assert explain(MemoryError()) == "MemoryError"


def test_what_a_terminal_would_act_on_is_not_shown():
    assert printable("a\x1b[31mb\x07\u202ec\nd") == "a?[31mb??c\nd"
    assert printable("é 字 a") == "é 字 a"


def test_a_disk_that_is_full_names_the_folder(tmp_path):
    def fill():
        with new_folder(tmp_path / "out"):
            with open("/dev/full", "w") as file:
                file.write("x")

    text = explain(raised(fill))
    assert text.startswith(f"{tmp_path}/out: cannot be written: ")
    assert not os.listdir(tmp_path)


def test_files_of_a_new_folder_are_for_all_that_may_read_here(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            with new_folder(tmp_path / oct(umask)) as folder:
                descriptor = os.open(folder / "a", os.O_CREAT | os.O_WRONLY, 0o600)
                os.close(descriptor)
        finally:
            os.umask(before)
        assert (tmp_path / oct(umask) / "a").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("place", ["", " "])
def test_an_empty_place_is_refused(place):
    for opening in (open_folder, open_file):
        with pytest.raises(ValueError, match="empty"):
            opening(place)
    with pytest.raises(ValueError, match="the output is empty"):
        with new_folder(place):
            pass

import os
import tarfile
import warnings
import zipfile

import pytest

from flipsketch.storage.archives import open_files


@pytest.fixture(params=["folder", ".zip", ".tar"])
def files(request, tmp_path):
    folder = tmp_path / "tree"
    (folder / "b" / "deep").mkdir(parents=True)
    (folder / "b" / "deep" / "one.txt").write_bytes(b"one")
    (folder / "a.txt").write_bytes(b"first")
    if request.param == "folder":
        return open_files(str(folder))
    if request.param == ".zip":
        with zipfile.ZipFile(tmp_path / "tree.zip", "w") as archive:
            archive.write(folder / "b" / "deep" / "one.txt", "b/deep/one.txt")
            archive.write(folder / "a.txt", "a.txt")
    else:
        with tarfile.open(tmp_path / "tree.tar", "w") as archive:
            archive.add(folder, ".")
    return open_files(str(tmp_path / f"tree{request.param}"))


def test_every_tree_lists_and_reads_alike(files):
    assert files.list("") == (["b"], ["a.txt"])
    assert files.list("b") == (["deep"], [])
    assert files.list("b/deep") == ([], ["one.txt"])
    assert files.read("b/deep/one.txt", 3) == b"one"
    with pytest.raises(ValueError, match="has more than 2 bytes"):
        files.read("b/deep/one.txt", 2)
    for missing in ("b/none", "none.txt"):
        with pytest.raises(FileNotFoundError):
            files.read(missing, 10)
    with pytest.raises(FileNotFoundError):
        files.list("none")


def test_an_entry_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "tree.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", b"first of all")
    path.write_bytes(path.read_bytes().replace(b"first of", b"fiRst of"))
    with pytest.raises(ValueError, match="cannot be read from its archive: Bad CRC-32"):
        open_files(str(path)).read("a.txt", 100)


def test_a_link_in_a_tar_leads_nowhere(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    with tarfile.open(tmp_path / "tree.tar", "w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.txt")
        archive.addfile(member)
        archive.addfile(tarfile.TarInfo("one.txt"))
        member = tarfile.TarInfo("linked.txt")
        member.type, member.linkname = tarfile.LNKTYPE, "one.txt"
        archive.addfile(member)
    files = open_files(str(tmp_path / "tree.tar"))
    with pytest.raises(ValueError, match="cannot be read from its archive"):
        files.read("a.txt", 100)
    assert files.read("linked.txt", 100) == b""


def test_links_that_lead_back_and_odd_files_do_no_harm(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to("..")
    (tmp_path / "a" / "dead").symlink_to("nowhere")
    os.mkfifo(tmp_path / "a" / "pipe")
    files = open_files(str(tmp_path))
    assert files.list("a") == ([], ["dead", "pipe"])
    for name in ("dead", "pipe"):
        with pytest.raises(ValueError, match="a dead link, a device or a pipe"):
            files.read(f"a/{name}", 100)


def test_an_entry_that_is_in_an_archive_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "tree.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.txt", b"one")
        archive.writestr("a.txt", b"two")
    with pytest.raises(ValueError, match="is in its archive twice"):
        open_files(str(tmp_path / "tree.zip")).read("a.txt", 100)


def test_what_is_neither_a_folder_nor_an_archive_is_refused(tmp_path):
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(ValueError, match=r"expected a folder, a \.zip or a \.tar"):
        open_files(str(tmp_path / "a.rar"))
    with pytest.raises(FileNotFoundError, match="no such folder or archive"):
        open_files(str(tmp_path / "none"))

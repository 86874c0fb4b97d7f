"""Trees of files to read from: a folder on any filesystem, a .zip or a .tar (never unpacked)."""

import logging
import os
import posixpath
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pyarrow import fs

from flipsketch.storage.folder import open_file, open_location
from flipsketch.storage.local_files import (
    OutsideError,
    find_root,
    is_of_machine,
    open_below,
    read_below,
)
from flipsketch.storage.stores import StoreFile, call_store
from flipsketch.storage.text import quote_briefly

log = logging.getLogger(__name__)

ARCHIVES = (".zip", ".tar")
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
IS_COMPRESSED = (
    "a compressed tar can only be read from its beginning; decompress it, or pack a .zip"
)
MAX_ENTRIES = 5_000_000
# What ends the path of an archive and begins one within it.
WITHIN = "!/"


Names = list[str]
Listing = tuple[list[str], list[str]]


class Files(Protocol):
    """Paths are relative to the tree's root, with slashes; the root is an empty one."""

    def list(self, path: str) -> Listing:
        """Return the names of the folders and of the files in a folder, sorted.

        Raises:
            OSError: there is no such folder.
        """

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError, ValueError: it is not there, damaged, or larger than allowed.
        """


class FolderFiles:
    """The files of a folder. A link is followed if it leads below the folder, or below one that is
    allowed; the folder itself may be a link."""

    def __init__(self, filesystem: fs.FileSystem, root: str, allowed: tuple[str, ...] = ()) -> None:
        self.filesystem, self.root = filesystem, root
        self.roots = (root, *allowed)
        self.is_local = isinstance(filesystem, fs.LocalFileSystem)
        self.odd: set[str] = set()
        """Dead links, devices and pipes, as far as folders were listed."""

    def list(self, path: str) -> Listing:
        where = posixpath.join(self.root, path)
        if self.is_local:
            with refusing_links_out(is_folder=True):
                find_root(where, self.roots)
            return self.list_local(path, where)
        selector = fs.FileSelector(where)
        found = call_store(lambda: self.filesystem.get_file_info(selector), f"{where}: listing")
        folders = [file.base_name for file in found if file.type == fs.FileType.Directory]
        return sorted(folders), sorted({file.base_name for file in found} - set(folders))

    def list_local(self, path: str, where: str) -> Listing:
        folders: Names = []
        files: Names = []
        with os.scandir(where) as entries:
            for entry in entries:
                if not entry.is_dir():
                    files.append(entry.name)
                    if not entry.is_file():
                        self.odd.add(posixpath.join(path, entry.name))
                elif entry.is_symlink() and leads_back(entry.path):
                    log.warning("%s: a link to a folder that it is in; not followed", entry.path)
                else:
                    folders.append(entry.name)
        return sorted(folders), sorted(files)

    def read(self, path: str, max_bytes: int) -> bytes:
        if path in self.odd:
            raise ValueError("is a dead link, a device or a pipe; put a file there")
        where = posixpath.join(self.root, path)
        if self.is_local:
            with refusing_links_out():
                return read_below(where, self.roots, max_bytes)
        with self.filesystem.open_input_stream(where, compression=None) as stream:
            return check_size(stream.read(max_bytes + 1), max_bytes)

    def open_archive(self, path: str) -> "ArchiveFiles":
        """Return the files of an archive among these.

        Raises:
            OSError, ValueError: it is not there, or no archive that can be read.
        """
        if path.lower().endswith(COMPRESSED):
            raise ValueError(f"{path}: {IS_COMPRESSED}")
        where = posixpath.join(self.root, path)
        if not self.is_local:
            return ArchiveFiles(StoreFile(self.filesystem, where, where), path)
        with refusing_links_out():
            return ArchiveFiles(open_below(where, self.roots), path)


@contextmanager
def refusing_links_out(*, is_folder: bool = False) -> Iterator[None]:
    try:
        yield
    except OutsideError as error:
        folder = error.target if is_folder else posixpath.dirname(error.target)
        follow = f"to follow it, add --allow-source {folder}"
        remedy = "put a copy in its place" if is_of_machine(folder) else follow
        raise ValueError(
            f"is a link that leads out of the folder, to {error.target}; {remedy}"
        ) from error


def leads_back(link: str) -> bool:
    target = os.path.realpath(link)
    return os.path.commonpath([target, os.path.realpath(os.path.dirname(link))]) == target


class ArchiveFiles:
    """The files of an archive; its names are looked up, never used as paths of a disk."""

    def __init__(self, stream: Any, path: str) -> None:
        """Raises ValueError: not an archive that can be read."""
        self.archive: Any
        try:
            if path.lower().endswith(".zip"):
                self.archive = zipfile.ZipFile(stream)
                names = ((info.filename, info) for info in self.archive.infolist())
            else:
                self.archive = tarfile.open(fileobj=stream, mode="r:")
                names = ((member.name, member) for member in self.archive if is_file(member))
            self.index(names)
        # The readers raise whatever a broken archive leads them to.
        except Exception as error:
            if isinstance(error, OSError) and isinstance(stream, StoreFile):
                raise
            raise ValueError(
                f"{path}: the archive cannot be read: {error}; pack it again"
            ) from error

    def index(self, entries: Iterable[tuple[str, Any]]) -> None:
        self.entries: dict[str, Any] = {}
        self.folders: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
        self.unsafe: Names = []
        self.doubled: set[str] = set()
        for number, (name, entry) in enumerate(entries):
            if number >= MAX_ENTRIES:
                raise ValueError(f"more than {MAX_ENTRIES:,} entries; split it")
            name = name.removeprefix("./")
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                self.unsafe.append(name)
            elif not name.endswith("/"):
                if name in self.entries:
                    self.doubled.add(name)
                self.entries[name] = entry
                self.note(name)

    def note(self, name: str) -> None:
        folder, _, base = name.rpartition("/")
        is_new = folder not in self.folders
        self.folders.setdefault(folder, (set(), set()))[1].add(base)
        while is_new:
            folder, _, base = folder.rpartition("/")
            is_new = folder not in self.folders
            self.folders.setdefault(folder, (set(), set()))[0].add(base)

    def list(self, path: str) -> Listing:
        if path not in self.folders:
            raise FileNotFoundError(f"the archive has no folder {quote_briefly(path)}")
        folders, files = self.folders[path]
        return sorted(folders), sorted(files)

    def read(self, path: str, max_bytes: int) -> bytes:
        entry = self.entries.get(path)
        if entry is None:
            raise FileNotFoundError(f"the archive has no file {quote_briefly(path)}")
        if path in self.doubled:
            raise ValueError("is in its archive twice; pack it again")
        is_zip = isinstance(self.archive, zipfile.ZipFile)
        try:
            with self.archive.open(entry) if is_zip else self.archive.extractfile(entry) as stream:
                content = stream.read(max_bytes + 1)
        except Exception as error:
            raise ValueError(f"cannot be read from its archive: {error}") from error
        return check_size(content, max_bytes)


def is_file(member: tarfile.TarInfo) -> bool:
    # A link is looked up in the archive, and nowhere else.
    return member.isreg() or member.islnk() or member.issym()


def check_size(content: bytes, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        raise ValueError(f"has more than {max_bytes:,} bytes; make it smaller")
    return content


def open_files(location: str, allowed: tuple[str, ...] = ()) -> FolderFiles | ArchiveFiles:
    """Return the files of a folder or of an archive, a path or a URI.

    Args:
        allowed: folders that links in it may lead into.

    Raises:
        OSError: nothing is there.
        ValueError: it is no archive that can be read, or a file of another kind.
    """
    filesystem, path = open_location(location)
    is_local = isinstance(filesystem, fs.LocalFileSystem)
    kind = (
        filesystem.get_file_info(path).type
        if is_local
        else call_store(lambda: filesystem.get_file_info(path).type, f"{location}: looking")
    )
    if kind == fs.FileType.Directory:
        return FolderFiles(filesystem, path, allowed)
    if kind == fs.FileType.NotFound:
        raise FileNotFoundError(f"{location}: there is no such folder or archive")
    if path.lower().endswith(COMPRESSED):
        raise ValueError(f"{location}: {IS_COMPRESSED}")
    if not path.lower().endswith(ARCHIVES):
        raise ValueError(f"{location}: expected a folder, a .zip or a .tar")
    return ArchiveFiles(open_file(location), path)

"""Folders on any filesystem that pyarrow opens, with files that appear whole or not at all."""

import fcntl
import logging
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

log = logging.getLogger(__name__)

# Sketches and manifests' rows: more than any of them has, less than hurts.
MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Folder:
    """A folder on a local disk or in an object store. Names are relative, with slashes."""

    filesystem: fs.FileSystem
    path: str

    def __str__(self) -> str:
        prefix = "" if self.is_local else f"{self.filesystem.type_name}://"
        return prefix + self.path

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def join(self, name: str) -> str:
        return posixpath.join(self.path, name)

    def list(self, name: str) -> list[str]:
        """Return the names of the files in a folder of this one, sorted; none if it isn't there."""
        selector = fs.FileSelector(self.join(name), allow_not_found=True)
        files = self.filesystem.get_file_info(selector)
        return sorted(file.base_name for file in files if file.type == fs.FileType.File)

    def is_empty(self) -> bool:
        """Tell whether nothing is here, but for what a dead run may have left in `_tmp`."""
        selector = fs.FileSelector(self.path, allow_not_found=True)
        return all(file.base_name == "_tmp" for file in self.filesystem.get_file_info(selector))

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None if it is not there."""
        try:
            with self.filesystem.open_input_stream(self.join(name), compression=None) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def publish(self, name: str, content: bytes) -> None:
        """Put a file in place in one step: readers see all of it or nothing.

        On a local disk it is on the platter when this returns; in an object store it is one
        upload of complete bytes.
        """
        if not self.is_local:
            # Not in a `with`: leaving one on an exception would publish half a file.
            stream = self.filesystem.open_output_stream(self.join(name), compression=None)
            stream.write(content)
            stream.close()
            return
        final = Path(self.join(name))
        partial = Path(self.join("_tmp")) / f"{name.replace('/', '-')}.{os.getpid()}"
        for folder in (final.parent, partial.parent):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            with open(partial, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, final)
        finally:
            partial.unlink(missing_ok=True)
        descriptor = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer of a local folder: the lock goes with the process, however it ends.

        What dead writers left in `_tmp` is deleted. Object stores have no locks.

        Raises:
            ValueError: another process holds the folder.
        """
        if not self.is_local:
            yield
            return
        os.makedirs(self.path, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(
                    f"{self}: another job is writing to this folder; wait for it, end it, or give "
                    f"another folder"
                ) from error
            except OSError as error:
                log.warning("%s: cannot be locked (%s); let just one job write to it", self, error)
            for name in self.list("_tmp"):
                self.delete(f"_tmp/{name}")
            yield
        finally:
            os.close(descriptor)

    def delete(self, name: str) -> None:
        self.filesystem.delete_file(self.join(name))


def open_location(location: str) -> tuple[fs.FileSystem, str]:
    """Return the filesystem and the path in it of a local path or a URI (`s3://...`).

    Raises:
        ValueError: no installed filesystem opens such a URI.
    """
    if not re.match(r"[a-z][a-z0-9+.-]*://", location):
        return fs.LocalFileSystem(), os.path.abspath(location)
    try:
        return fs.FileSystem.from_uri(location)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"{location}: no filesystem for this address: {error}") from error


def open_folder(location: str) -> Folder:
    return Folder(*open_location(location.rstrip("/") or "/"))


def resolve(location: str, base: str) -> str:
    """Return where a path or URI given relative to the file `base` lies."""
    if os.path.isabs(location) or re.match(r"[a-z][a-z0-9+.-]*://", location):
        return location
    return posixpath.join(posixpath.dirname(base), location)


def read_file(location: str) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is larger than anything that is read whole.
    """
    filesystem, path = open_location(location)
    file = filesystem.get_file_info(path)
    if file.type != fs.FileType.File:
        found = {
            fs.FileType.NotFound: "nothing",
            fs.FileType.Directory: "a folder",
            fs.FileType.Unknown: "a device or pipe",
        }[file.type]
        raise FileNotFoundError(f"{location}: expected a file, found {found}")
    if file.size > MAX_FILE_BYTES:
        raise ValueError(
            f"{location}: has {file.size:,} bytes, more than the {MAX_FILE_BYTES:,} allowed"
        )
    with filesystem.open_input_stream(path, compression=None) as stream:
        return stream.read()

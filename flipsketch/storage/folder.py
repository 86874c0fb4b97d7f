"""Folders on any filesystem that pyarrow opens, with files that appear whole or not at all."""

import errno
import fcntl
import hashlib
import logging
import os
import posixpath
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from flipsketch.storage.errors import explain
from flipsketch.storage.lease import hold_lease, raise_if_lost
from flipsketch.storage.lease_file import open_lease_file
from flipsketch.storage.location import is_uri, refuse_half_uri, split_query
from flipsketch.storage.stores import StoreFile, call_store, open_store, os_error

log = logging.getLogger(__name__)

Buffer = bytes | memoryview
Result = TypeVar("Result")
# To be read at any position: a pa.NativeFile on a local disk (it has no types), else a StoreFile.
File = Any
# A file on its way: not its writer's process number, which two machines may share.
PARTIAL = r".+\.[0-9a-f]{12}"
# Sketches and manifests' rows: more than any of them has, less than hurts.
MAX_FILE_BYTES = 64 * 1024 * 1024
RETRY_PAUSES_S = (0.5, 4.0)
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Folder:
    """A folder on a local disk or in an object store. Names are relative, with slashes."""

    filesystem: fs.FileSystem
    path: str
    query: str = ""
    """Query of its URI, "?" included: options of the filesystem, such as its server."""

    def __str__(self) -> str:
        prefix = "" if self.is_local else f"{self.filesystem.type_name}://"
        return prefix + self.path

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    @property
    def location(self) -> str:
        """The folder's path or URI, query included: what opens it again."""
        return f"{self}{self.query}"

    def locate(self, name: str) -> str:
        """Return where a file of this folder lies, for those who open paths and URIs."""
        return f"{self}/{name}{self.query}"

    def below(self, name: str) -> "Folder":
        """Return a folder in this one."""
        return replace(self, path=self.join(name))

    def join(self, name: str) -> str:
        return posixpath.join(self.path, name) if name else self.path

    def call(self, function: Callable[[], Result], name: str, what: str) -> Result:
        """Return what a call of the filesystem returns; see `call_store` for stores."""
        return function() if self.is_local else call_store(function, f"{self.locate(name)}: {what}")

    def find(self, name: str) -> Sequence[fs.FileInfo]:
        """Return what is in a folder of this one; nothing if it isn't there."""
        selector = fs.FileSelector(self.join(name), allow_not_found=True)
        return self.call(lambda: self.filesystem.get_file_info(selector), name, "listing")

    def list(self, name: str) -> list[str]:
        """Return the names of the files in a folder of this one, sorted; none if it isn't there."""
        return sorted(file.base_name for file in self.find(name) if file.type == fs.FileType.File)

    def sizes(self, name: str) -> dict[str, int]:
        """Return the bytes of the files in a folder of this one; none if it isn't there."""
        found = self.find(name)
        return {file.base_name: file.size for file in found if file.type == fs.FileType.File}

    def is_empty(self) -> bool:
        """Tell whether nothing is here, but for what a dead run may have left in `_tmp`."""
        return all(file.base_name == "_tmp" for file in self.find(""))

    def open(self, name: str) -> File:
        """Open a file to read at any position; FileNotFoundError if it is not there."""
        if self.is_local:
            return self.filesystem.open_input_file(self.join(name))
        return StoreFile(self.filesystem, self.join(name), self.locate(name))

    def read_with(self, name: str, read: Callable[[pa.NativeFile], Result]) -> Result:
        """Return what a function makes of a file; of one in a store it may be called again."""

        def open_and_read() -> Result:
            with self.filesystem.open_input_file(self.join(name)) as file:
                return read(file)

        return self.call(open_and_read, name, "reading")

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None if it is not there."""
        try:
            with closing(self.open(name)) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def publish(self, name: str, content: Buffer, *, durable: bool = True) -> None:
        """Put a file in place in one step: readers see all of it or nothing.

        On a local disk it is on the platter when this returns, unless it need not be durable; in
        an object store it is one upload of complete bytes. A write that fails is tried again
        after a moment, unless nothing but a person can help. A local folder must be there: one that
        was deleted or moved is not made again.

        Raises:
            OSError: the file could not be written; what was there before still is.
        """
        if not self.is_local:
            raise_if_lost(f"{self}/{name}")
            self.upload(name, content, durable)
            return
        for pause_s in (*RETRY_PAUSES_S, None):
            try:
                self.replace(name, content, durable)
                return
            except OSError as error:
                if pause_s is None or error.errno in HOPELESS or self.is_gone():
                    raise describe_failure(self, name, len(content), error) from error
                log.warning("%s/%s: %s; trying again in %s s", self, name, error, pause_s)
                time.sleep(pause_s)

    def replace(self, name: str, content: Buffer, durable: bool) -> None:
        """Write beside, then rename."""
        final = Path(self.join(name))
        partial = Path(self.join("_tmp")) / f"{name.replace('/', '-')}.{uuid.uuid4().hex[:12]}"
        for folder in (final.parent, partial.parent):
            make_below(Path(self.path), folder)
        try:
            with open(partial, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            if (size := partial.stat().st_size) != len(content):
                raise OSError(errno.EIO, f"{size} of {len(content)} bytes arrived")
            os.replace(partial, final)
        finally:
            partial.unlink(missing_ok=True)
        if durable:
            descriptor = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def upload(self, name: str, content: Buffer, durable: bool) -> None:
        path = self.join(name)

        def write() -> None:
            # Not in a `with`: leaving one on an exception would publish half a file.
            stream = self.filesystem.open_output_stream(path, compression=None)
            stream.write(content)
            stream.close()
            if not durable:
                return
            if (size := self.filesystem.get_file_info(path).size) != len(content):
                self.filesystem.delete_file(path)
                raise OSError(errno.EIO, f"{size} of {len(content)} bytes arrived")

        what = f"{self.locate(name)}: writing its {len(content):,} bytes, whole or not at all"
        call_store(write, what, len(content))

    def make(self) -> None:
        """Make the folder itself, on a local disk; an object store needs none.

        Raises:
            OSError: it cannot be made.
        """
        if not self.is_local:
            return
        try:
            os.makedirs(self.path, exist_ok=True)
        except OSError as error:
            remedy = "give an --output where this user may write"
            if isinstance(error, FileExistsError | NotADirectoryError):
                remedy = f"{error.filename} is in the way; move it, or give another --output"
            raise OSError(
                error.errno, f"{self}: cannot be made a folder: {error.strerror}; {remedy}"
            ) from error

    def is_gone(self) -> bool:
        """Tell whether a local folder is not there (any more)."""
        return self.is_local and not os.path.isdir(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer of a folder: by a lock on a local disk, which goes with the process
        however it ends, and by a lease in a store.

        Raises:
            ValueError: another process holds the folder.
            OSError: the folder cannot be written, or was lost to another process on the way.
        """
        if not self.is_local:
            path = self.join("_tmp/lease.json")
            file = open_lease_file(self.filesystem, path, str(self), self.query)
            with hold_lease(file, str(self)):
                yield
            return
        self.make()
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
            yield
        finally:
            os.close(descriptor)

    def sweep(self, pattern: str) -> None:
        """Delete from `_tmp` what dead writers left there."""
        for name in self.list("_tmp"):
            if re.fullmatch(pattern, name):
                self.delete(f"_tmp/{name}")

    def delete(self, name: str) -> None:
        """Delete a file; a missing one is no error."""
        with suppress(FileNotFoundError):
            self.call(lambda: self.filesystem.delete_file(self.join(name)), name, "deleting")


def make_below(root: Path, folder: Path) -> None:
    """Make a folder in another, which must be there."""
    for name in folder.relative_to(root).parts:
        root /= name
        root.mkdir(exist_ok=True)


def describe_failure(folder: Folder, name: str, num_bytes: int, error: OSError) -> OSError:
    remedy = {
        errno.ENOSPC: "free some space there",
        errno.EDQUOT: "free some of your quota there",
        errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
        errno.EROFS: "mount it writable",
        errno.EACCES: "give this user the right to write there",
        errno.EPERM: "give this user the right to write there",
    }.get(error.errno or 0, "see that its disk or server works")
    if folder.is_gone():
        remedy = f"put {folder} back, which was moved or deleted while the job wrote to it"
    return os_error(
        error.errno,
        f"{folder}/{name}: its {num_bytes:,} bytes cannot be written: {error.strerror or error}; "
        f"nothing half-written is visible; {remedy}, then rerun the same command to resume",
    )


@contextmanager
def new_folder(location: str | Path) -> Iterator[Path]:
    """Fill a folder on a local disk that is then there as a whole, or not at all.

    Raises:
        ValueError: something is there already, or it is no place on a local disk.
    """
    if not str(location).strip() or location == Path():
        raise ValueError("the output is empty; give the path of a folder to write")
    if is_uri(str(location)):
        raise ValueError(
            f"{location}: models and adapters are written to local disks alone; give a folder "
            f"there, and copy it when it is complete"
        )
    output = Path(location).absolute()
    refuse_existing(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".partial-") as temporary:
        folder = Path(temporary) / "folder"
        folder.mkdir()
        try:
            yield folder
        except OSError as error:
            # A write that fails names no file.
            if error.errno is None or error.filename is not None:
                raise
            raise OSError(
                error.errno, f"{location}: cannot be written: {explain(error)}"
            ) from error
        share_files(folder)
        os.replace(folder, output)


def refuse_existing(output: str | Path) -> None:
    """Raise ValueError if something is where a new folder is to be."""
    if Path(output).exists():
        raise ValueError(f"{output}: is there already; give another place, or move it away")


def share_files(folder: Path) -> None:
    """Give files the rights that new ones have here: some libraries make theirs for their owner
    alone."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)


def open_location(location: str) -> tuple[fs.FileSystem, str]:
    """Return the filesystem and the path in it of a local path or a URI (`s3://...`).

    Raises:
        ValueError: no installed filesystem opens such a URI.
    """
    if not location.strip():
        raise ValueError("a location is empty; give the path of a file or folder, or a URI")
    refuse_half_uri(location)
    if is_uri(location):
        return open_store(location)
    return fs.LocalFileSystem(), os.path.abspath(location)


def open_file(location: str) -> File:
    """Open a file to read at any position."""
    filesystem, path = open_location(location)
    if isinstance(filesystem, fs.LocalFileSystem):
        return filesystem.open_input_file(path)
    return StoreFile(filesystem, path, location)


def open_folder(location: str) -> Folder:
    path, query = split_query(location)
    if not path.endswith("://"):
        path = path.rstrip("/") or path[:1]
    return Folder(*open_location(path + query), query)


def resolve(location: str, base: str) -> str:
    """Return where a path or URI given relative to the file `base` lies."""
    if os.path.isabs(location) or is_uri(location):
        return location
    path, query = split_query(base)
    return posixpath.join(posixpath.dirname(path), location) + query


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


def hash_file(location: str) -> str:
    """Return the SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with closing(open_file(location)) as file:
        while block := file.read(8 << 20):
            digest.update(block)
    return digest.hexdigest()

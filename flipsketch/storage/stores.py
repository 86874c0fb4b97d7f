"""Object stores: opened from a URI without credentials, and called so that each call comes back.

Timeouts of the clients alone do not do: not every client has them, and none lets Ctrl-C through
while it waits. So each call is made in a thread of its own that can be left behind, and is tried
again while it may help.
"""

import errno
import functools
import io
import logging
import math
import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from flipsketch.storage.credentials import parse_options, refuse_credentials
from flipsketch.storage.waiting import call_in_time

log = logging.getLogger(__name__)

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 10.0
"""Without a single byte; the client then tries again, twice."""
CALL_TIMEOUT_S = 45.0
MIN_BYTES_PER_S = 256 * 1024
"""What a store must deliver or take in the long run."""
RETRY_PAUSES_S: tuple[float, ...] = (0.5, 2.0, 5.0, 10.0)
GIVE_UP_S = 60.0
"""After so long no call is begun again."""
HURRY_S = 2.0
"""What a call may take once, for half a minute, after somebody has interrupted the process."""


def seconds(text: str) -> float:
    if not 0 < (value := float(text)) < 3600:
        raise ValueError("it must be a number of seconds, more than 0 and less than 3600")
    return value


BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
S3_OPTIONS: dict[str, Callable[[str], Any]] = {
    "region": str,
    "scheme": str,
    "endpoint_override": str,
    "connect_timeout": seconds,
    "request_timeout": seconds,
    "anonymous": BOOLEANS.__getitem__,
    "force_virtual_addressing": BOOLEANS.__getitem__,
    "tls_ca_file_path": str,
    "allow_bucket_creation": BOOLEANS.__getitem__,
    "allow_bucket_deletion": BOOLEANS.__getitem__,
    "allow_delayed_open": BOOLEANS.__getitem__,
}
GCS_OPTIONS: dict[str, Callable[[str], Any]] = {
    "scheme": str,
    "endpoint_override": str,
    "project_id": str,
    "retry_limit_seconds": seconds,
}
# Errors that no second try mends.
FINAL = re.compile(
    r"ACCESS_DENIED|NO_SUCH_BUCKET|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN"
    r"|INVALID_CLIENT_TOKEN|INVALID_SIGNATURE|ENTITY_TOO_LARGE|METHOD_NOT_ALLOWED"
    r"|(?i:unable to locate credentials)"
)
FINAL_CODES = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.ENOENT),
}


def open_store(location: str) -> tuple[fs.FileSystem, str]:
    """Return the filesystem of a URI, and the path in it.

    Raises:
        ValueError: no filesystem takes such a URI, or it holds credentials.
        OSError: the store cannot be asked where a bucket is.
    """
    refuse_credentials(location)
    uri = urlsplit(location)
    path = f"{uri.netloc.rpartition('@')[2]}{unquote(uri.path)}".rstrip("/")
    if uri.scheme == "s3":
        return open_s3(uri.netloc, uri.query, os.getpid()), path
    if uri.scheme in ("gs", "gcs"):
        return open_gcs(uri.netloc, uri.query), path
    try:
        return fs.FileSystem.from_uri(location)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"{location}: no filesystem for this address: {error}") from error


# One client for all files of a bucket, and so its open connections; none outlives a fork.
@functools.lru_cache(maxsize=32)
def open_s3(bucket: str, query: str, pid: int) -> fs.S3FileSystem:
    if not bucket:
        raise ValueError("s3://: names no bucket; give s3://BUCKET/PATH")
    where = f"s3://{bucket}" + (query and f"?{query}")
    options = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "request_timeout": REQUEST_TIMEOUT_S,
        # A small file is then one request in place of three.
        "allow_delayed_open": True,
        **parse_options(where, query, S3_OPTIONS),
    }

    def connect() -> fs.S3FileSystem:
        if not {"region", "endpoint_override"} & options.keys() and not has_region():
            options["region"] = fs.resolve_s3_region(bucket)
        return fs.S3FileSystem(**options)

    return call_store(connect, f"{where}: opening")


def has_region() -> bool:
    """Tell whether a region, or a server that has none, is set in the environment."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    return any(os.environ.get(name) for name in names)


def open_gcs(authority: str, query: str) -> fs.GcsFileSystem:
    where = f"gs://{authority}" + (query and f"?{query}")
    options = parse_options(where, query, GCS_OPTIONS)
    # 15 minutes by default; tries are ours to repeat.
    limit_s = options.pop("retry_limit_seconds", CALL_TIMEOUT_S / 2)
    return fs.GcsFileSystem(
        anonymous=authority.startswith("anonymous@"),
        retry_time_limit=timedelta(seconds=limit_s),
        **options,
    )


interrupted_at = -math.inf


def hurry() -> None:
    """Let what is still to be done in a store, after an interrupt, be done soon or not at all."""
    global interrupted_at
    interrupted_at = time.monotonic()


def call_store(function: Callable[[], Result], what: str, num_bytes: int = 0) -> Result:
    """Return what a call of a store returns; it is made again while the store is out of reach.

    Args:
        what: the file and what is done, for errors.
        num_bytes: how much is sent or received.

    Raises:
        OSError: the store said no, or has not answered in time.
    """
    started = time.monotonic()
    limit_s, pauses = CALL_TIMEOUT_S + num_bytes / MIN_BYTES_PER_S, RETRY_PAUSES_S
    if started - interrupted_at < 30:
        limit_s, pauses = HURRY_S, ()
    for pause_s in (*pauses, None):
        try:
            return call_in_time(function, limit_s, what)
        except KeyboardInterrupt:
            hurry()
            raise
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            if isinstance(error, TimeoutError) and what in reason:
                reason = f"no answer within {limit_s:g} s"
            tried_s = time.monotonic() - started
            remedy = f"tried for {tried_s:.0f} s; see that the store can be reached from here"
            is_final = error.errno in FINAL_CODES or FINAL.search(reason)
            if is_final:
                remedy = "see that the bucket exists and that the credentials in use allow this"
            if is_final or pause_s is None or tried_s > GIVE_UP_S:
                raise os_error(
                    error.errno, f"{what}: {reason}; {remedy}, then rerun the same command"
                ) from error
            log.warning("%s: %s; trying again in %s s", what, reason, pause_s)
            time.sleep(pause_s)
    raise AssertionError("the last try returns or raises")


def os_error(code: int | None, text: str) -> OSError:
    """Return an error with a code, or without one in front of its text."""
    return OSError(text) if code is None else OSError(code, text)


class StoreFile(io.RawIOBase):
    """A file in a store, to be read at any position: each read is a call that comes back."""

    def __init__(self, filesystem: fs.FileSystem, path: str, location: str) -> None:
        """Raises FileNotFoundError, OSError: there is no such file, or it cannot be opened."""
        self.what = f"{location}: reading"

        def open_file() -> tuple[pa.NativeFile, int]:
            file = filesystem.open_input_file(path)
            return file, file.size()

        try:
            self.file, self.num_bytes = call_store(open_file, self.what)
        except FileNotFoundError as error:
            # The client knows it by another name.
            said = os.strerror(errno.ENOENT)
            raise FileNotFoundError(errno.ENOENT, said, location) from error
        self.position = 0

    def size(self) -> int:
        return self.num_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.num_bytes}[whence]
        self.position = max(0, start + offset)
        return self.position

    def read_at(self, num_bytes: int, offset: int) -> bytes:
        """Return the bytes from an offset; fewer at the end of the file alone."""
        expected = max(0, min(num_bytes, self.num_bytes - offset))

        def read() -> bytes:
            content = self.file.read_at(expected, offset)
            if len(content) != expected:
                raise OSError(errno.EIO, f"{len(content)} of {expected} bytes arrived")
            return content

        return call_store(read, self.what, expected) if expected else b""

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self.num_bytes - self.position)
        content = self.read_at(left if size is None or size < 0 else size, self.position)
        self.position += len(content)
        return content

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

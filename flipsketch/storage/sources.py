"""What the rows of a manifest may read: what lies below its folder or in its store, and what the
user allows besides. All else is refused before it is opened, looked up or connected to."""

import functools
import os
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard
from urllib.parse import unquote

from flipsketch.storage.credentials import refuse_credentials
from flipsketch.storage.folder import MAX_FILE_BYTES
from flipsketch.storage.local_files import (
    OutsideError,
    advise,
    explain_outside,
    is_below,
    read_below,
)
from flipsketch.storage.reading import READ_TIMEOUT_S, name_error, read_in_time
from flipsketch.storage.stores import open_store
from flipsketch.storage.text import one_line
from flipsketch.storage.waiting import check_seconds

URI = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^?#]*)(.*)", re.IGNORECASE | re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Their addresses begin with a bucket, which is all of one server's; others' with a server.
BUCKETS = re.compile(r"(s3|gs|gcs)", re.IGNORECASE)
MAX_NAME = 200
# What an SVG begins with, and no name of a file.
MARKUP = ("<svg", "<?xml", "<!--", "<!DOCTYPE")


@dataclass(frozen=True)
class StorePlace:
    """A file in a store, or a folder whose files may be read, below it at any depth."""

    scheme: str
    host: str
    """Bucket or server; empty: any bucket."""
    path: str
    """Without slashes at its ends; empty: all of it."""
    query: str = ""
    """Options of the store, "?" included."""

    def __contains__(self, file: "StorePlace") -> bool:
        is_below = not self.path or f"{file.path}/".startswith(f"{self.path}/")
        return self.scheme == file.scheme and self.host in ("", file.host) and is_below

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.path}"

    def read(self, query: str) -> bytes:
        """Return the file's bytes; the query is that of the folder it was found in.

        Raises:
            OSError: it is not there, or did not arrive as a whole.
            ValueError: it is larger than anything that is read whole.
        """
        filesystem, root = open_store(f"{self.scheme}://{self.host}/{query}")
        with filesystem.open_input_file(posixpath.join(root, self.path)) as file:
            size = file.size()
            if size > MAX_FILE_BYTES:
                raise ValueError(f"has more than {MAX_FILE_BYTES:,} bytes; make it smaller")
            content = file.read(size)
        if len(content) != size:
            raise OSError(f"{len(content):,} of {size:,} bytes arrived")
        return content


Place = str | StorePlace


@dataclass(frozen=True)
class Sources:
    """Reads what rows name as their sketches; picklable."""

    manifest: str = ""
    """A path or URI; what its rows name is relative to its folder. Empty: not known yet."""
    allowed: tuple[str, ...] = ()
    """Further folders by path or URI, with a query if their store needs one. A folder includes
    what is below it: /data has /data/cats/1.svg, and not /database."""
    timeout_s: float | None = READ_TIMEOUT_S
    """For each file, however often it is tried."""

    def __post_init__(self) -> None:
        if self.timeout_s is not None:
            check_seconds("read_timeout", self.timeout_s)
        if "" in self.allowed:
            raise ValueError("--allow-source must name a folder or a URI, got an empty text")
        for folder in self.allowed:
            refuse_credentials(folder)

    def read(self, source: str | bytes) -> bytes:
        """Return the content of a sketch: what it is, or the file that a row names.

        Raises:
            UnavailableError: the disk or server did not deliver; it may do so later.
            OSError: there is no such file, or it cannot be read.
            ValueError: it is not for rows to read, or too large.
        """
        if not names_file(source):
            return source if isinstance(source, bytes) else source.encode()
        name = name_source(source)
        try:
            read, store = self.find(source)
            return read_in_time(read, name, store=store, limit_s=self.timeout_s)
        except OutsideError as error:
            folder = one_line(posixpath.dirname(error.target), MAX_NAME)
            path = str(self.locate(source))
            said = explain_outside(path, one_line(error.target, MAX_NAME), folder)
            raise ValueError(f"{name}: {said}") from error
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        except OSError as error:
            raise name_error(error, name) from error

    def of_manifest(self, manifest: str) -> "Sources":
        """Return what reads the rows of a manifest, unless this one has its own."""
        return self if self.manifest else replace(self, manifest=manifest)

    def find(self, source: str) -> tuple[Callable[[], bytes], str]:
        """Return what reads a row's file, and the folder or store that it is in."""
        file = self.locate(source)
        if isinstance(file, str):
            roots = [place for place in self.folders if isinstance(place, str)]
            near = (root for root in roots if is_below(os.path.normpath(file), root))
            return functools.partial(read_below, file, roots, MAX_FILE_BYTES), next(near, "")
        for folder in self.folders:
            if isinstance(folder, StorePlace) and file in folder:
                return functools.partial(file.read, folder.query), f"{folder}{folder.query}"
        raise ValueError(
            f"lies neither below the manifest's folder nor in its store; "
            f"{advise(posixpath.dirname(str(file)))}"
        )

    @property
    def local_folders(self) -> tuple[str, ...]:
        """What is allowed on local disks."""
        places = map(parse_place, self.allowed)
        return tuple(place for place in places if isinstance(place, str))

    @property
    def folders(self) -> list[Place]:
        """What rows may read below: what the user allows, and what comes with the manifest."""
        own = parse_place(self.manifest)
        if isinstance(own, str):
            own = os.path.dirname(own)
        elif BUCKETS.fullmatch(own.scheme):
            own = replace(own, host="", path="")
        else:
            own = replace(own, path="")
        return [*map(parse_place, self.allowed), own]

    def locate(self, source: str) -> Place:
        """Return where a row's file lies, by the text alone.

        Raises:
            ValueError: it is no address that a row may have.
        """
        own = parse_place(self.manifest)
        if (uri := URI.fullmatch(source)) is None:
            if isinstance(own, str):
                return posixpath.join(posixpath.dirname(own), source)
            if source.startswith("/"):
                return source
            return replace(own, path=climb(posixpath.dirname(own.path), source), query="")
        scheme, host, path, rest = uri.groups()
        scheme, path = scheme.lower(), unquote(path)
        if rest:
            raise ValueError(
                "a row's address cannot have a query or fragment (from ? or # on); the options of "
                "a store are those of --manifest, or of --allow-source"
            )
        if "@" in host and (isinstance(own, str) or host != own.host):
            raise ValueError("a row's address cannot have a user or password (before @)")
        if not isinstance(own, str) and own.scheme == scheme and BUCKETS.fullmatch(scheme):
            # As gs://anonymous@bucket has it: how to come in, for all buckets.
            host = own.host[: own.host.rfind("@") + 1] + host.rpartition("@")[2]
        if CONTROL.search(host + path):
            raise ValueError("a row's address cannot have control characters")
        if scheme == "file":
            if host not in ("", "localhost"):
                raise ValueError(f"names a file of another machine, {host}")
            return path
        if not host or not path.strip("/") or {".", ".."} & set(path.split("/")):
            raise ValueError(
                "a row's address must name a bucket or server and a file there, without . and .."
            )
        return StorePlace(scheme, host, path.strip("/"))


def parse_place(location: str) -> Place:
    """Return the local path, or the place in a store, that the user's own path or URI names."""
    uri = URI.fullmatch(location)
    if uri is None:
        return os.path.abspath(location)
    scheme, host, path, query = uri.groups()
    if scheme.lower() == "file":
        return os.path.abspath(unquote(path))
    return StorePlace(scheme.lower(), host, unquote(path).strip("/"), query)


def climb(folder: str, path: str) -> str:
    """Return a path in a store given relative to a folder there: stores know neither . nor .. ."""
    parts = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == ".." and not parts:
            raise ValueError("leads out of the manifest's bucket or server")
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def names_file(source: str | bytes) -> TypeGuard[str]:
    """Tell whether a row names a file, rather than to hold it or the source of an SVG itself."""
    if isinstance(source, bytes):
        return False
    return not source[:MAX_NAME].lstrip("\ufeff \t\r\n").startswith(MARKUP)


def name_source(source: str) -> str:
    """Return what a row names, as errors show it: short, and without what may be a secret."""
    if not names_file(source):
        return "the SVG in its row"
    if (uri := URI.fullmatch(source)) is not None:
        scheme, host, path, rest = uri.groups()
        host = f"...@{host.rpartition('@')[2]}" if "@" in host else host
        source = f"{scheme}://{host}{path}{rest[:1]}{'...' if rest else ''}"
    return one_line(source, MAX_NAME)

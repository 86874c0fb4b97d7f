"""A single file as output, on a local disk or in an object store: whole or not at all."""

import os
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

from flipsketch.storage.folder import open_folder
from flipsketch.storage.location import is_uri, split_query
from flipsketch.storage.sources import Place, parse_place


def split_location(location: str) -> tuple[str, str]:
    """Return the folder of a file, and its name in it; raise ValueError if it names no file."""
    path, query = split_query(location)
    parent, _, name = path.rpartition("/")
    if not name or (is_uri(path) and not is_uri(parent)) or os.path.isdir(location):
        raise ValueError(f"{location}: names a folder; give the name of a file to write")
    return parent + query, name


def check_output(location: str) -> None:
    """See that a file can be written later, before a long work for it; nothing is left behind. Of a
    store only the name is checked.

    Raises:
        ValueError: the location names no file.
        OSError: it cannot be written.
    """
    split_location(location)
    if is_uri(location):
        return
    # Folders that are missing are made when the file is written.
    folder = next(folder for folder in Path(location).absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        # Without the file that was tried, whose name means nothing to anyone.
        raise OSError(
            error.errno,
            f"{location}: no file can be written to {folder} ({error.strerror}); give another "
            f"place, or this user the right to write there",
        ) from error


def refuse_overwriting(output: str, inputs: Iterable[Place]) -> None:
    """Raise ValueError if a file to write is one of those that are read, by its name or by a link:
    a drawing may be the only copy that somebody has."""
    place = parse_place(output)
    for read in inputs:
        if place == read or is_same_file(place, read):
            raise ValueError(
                f"{output}: is also what is read, and would be lost; give another name"
            )


def is_same_file(one: Place, other: Place) -> bool:
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return os.path.samefile(one, other)
    # One of them is not there, or is no path.
    except (OSError, ValueError):
        return False


def write_file(location: str, content: bytes) -> None:
    """Put a file in place at a path or a URI; nothing else appears beside it.

    Raises:
        ValueError: the location names no file.
        OSError: it cannot be written; what was there before still is.
    """
    parent, name = split_location(location)
    if is_uri(location):
        open_folder(parent).publish(name, content)
        return
    final = Path(location)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{name}.{uuid.uuid4().hex[:12]}")
    try:
        partial.write_bytes(content)
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)

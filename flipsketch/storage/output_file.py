"""A single file as output, on a local disk or in an object store: whole or not at all."""

import os
import uuid
from pathlib import Path

from flipsketch.storage.folder import open_folder
from flipsketch.storage.location import is_uri, split_query


def write_file(location: str, content: bytes) -> None:
    """Put a file in place at a path or a URI; nothing else appears beside it.

    Raises:
        ValueError: the location names no file.
        OSError: it cannot be written; what was there before still is.
    """
    path, query = split_query(location)
    parent, _, name = path.rpartition("/")
    if not name or (is_uri(path) and not is_uri(parent)):
        raise ValueError(f"{location}: names a folder; give the name of a file to write")
    if is_uri(location):
        open_folder(parent + query).publish(name, content)
        return
    final = Path(location)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{name}.{uuid.uuid4().hex[:12]}")
    try:
        partial.write_bytes(content)
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)

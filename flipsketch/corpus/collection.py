"""A collection of sketches: the rows of a manifest, or the files of a folder."""

import logging
import os
import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pyarrow import fs

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from flipsketch.corpus.row import Row
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.location import split_query
from flipsketch.storage.text import count, is_text, one_line

log = logging.getLogger(__name__)

# What a sketch is one of.
Noun = Literal["row", "file"]
# Of files in a folder; what is in them decides how they are read.
ENDINGS = (
    *(".svg", ".svgz", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".avif", ".heic", ".heif"),
)


@dataclass(frozen=True)
class Collection:
    """Sketches to open."""

    rows: Iterable[Row]
    num_rows: int
    manifest: str
    """What the rows' paths are relative to the folder of."""
    noun: Noun


def find_collection(location: str) -> Collection:
    """Return the sketches of a folder or manifest, or the one that a file is.

    Raises:
        ValueError, OSError: there are none, or the manifest cannot be used.
    """
    folder = open_folder(location)
    info = folder.call(lambda: folder.filesystem.get_file_info(folder.path), "", "looking it up")
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(f"{location}: is not there; check the path")
    if info.type == fs.FileType.Directory:
        names = list_sketches(folder)
        if not names:
            raise ValueError(
                f"{location}: has no sketch, of whose names one ends in {' '.join(ENDINGS)}"
            )
        return Collection(make_rows(names), len(names), folder.locate("files"), "file")
    if ending_of(location) in ENDINGS:
        return Collection(make_rows([posixpath.basename(folder.path)]), 1, location, "file")
    summary = summarize_manifest(location)
    return Collection(read_rows(location, summary), summary.num_rows, location, "row")


def list_sketches(folder: Folder) -> list[str]:
    """Return the paths of the sketches below a folder, relative to it, in order."""
    if folder.is_local:
        found = [
            os.path.relpath(os.path.join(parent, name), folder.path)
            for parent, _, names in os.walk(folder.path)
            for name in names
        ]
    else:
        selector = fs.FileSelector(folder.path, recursive=True)
        files = folder.call(lambda: folder.filesystem.get_file_info(selector), "", "listing")
        found = [posixpath.relpath(file.path, folder.path) for file in files if file.is_file]
    shown = [name for name in found if not any(part.startswith(".") for part in name.split("/"))]
    names = sorted(name for name in shown if ending_of(name) in ENDINGS)
    if passed_over := Counter(ending_of(name) or "no ending" for name in set(shown) - set(names)):
        log.info(
            "passed over: %s",
            ", ".join(
                f"{count(n, 'file')} ({ending})" for ending, n in passed_over.most_common(10)
            ),
        )
    return names


def make_rows(names: list[str]) -> list[Row]:
    return [
        Row(index=index, id=name, sketch=name) if is_text(name) else refuse_name(index, name)
        for index, name in enumerate(names)
    ]


def refuse_name(index: int, name: str) -> Row:
    """Return the row of a file that no table could name."""
    shown = one_line(name)
    error = "the name of the file is not text in UTF-8; rename it"
    return Row(index=index, id=shown, sketch=shown, error=error)


def ending_of(location: str) -> str:
    return PurePosixPath(split_query(location)[0]).suffix.lower()

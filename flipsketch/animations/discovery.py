"""Find animations in a folder or an archive, at any depth, and the prompts beside them."""

import logging
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flipsketch.animations.reader import ALL_ARCHIVES, FRAME, STEPS
from flipsketch.storage.archives import WITHIN, ArchiveFiles, Files, open_files
from flipsketch.storage.folder import open_location
from flipsketch.storage.text import is_text

log = logging.getLogger(__name__)

PROMPT_FILE = "prompt.txt"
MAX_PROMPT_BYTES = 10_000
# Levels of folders.
MAX_DEPTH = 16
NOT_LOOKED_INTO = re.compile(r"\.|__MACOSX$")


@dataclass(frozen=True)
class Animation:
    """Where an animation was found; its frames are checked when they are read."""

    name: str
    """Its path below the root, without the endings of archives."""
    location: str
    """Its path below the root: `birds/crow`, or within an archive `birds.zip!/crow`."""
    prompt: str | None = None
    """From its prompt.txt."""


def find_animations(root: str) -> Iterator[Animation]:
    """Yield what looks like an animation in a folder or an archive, at any depth, sorted by name.

    A broken archive, or one with paths outside of itself, is yielded too: reading it then fails as
    for any bad animation.

    Raises:
        OSError: there is no such root.
        ValueError: it is neither a folder nor an archive.
    """
    base = posixpath.basename(open_location(root)[1].rstrip("/"))
    yield from find_in(open_files(root), root, Place(own_name=strip_ending(base)))


@dataclass(frozen=True)
class Place:
    """Prefixes of locations and names in a tree of files."""

    location: str = ""
    name: str = ""
    own_name: str = ""
    """The name of an animation that is the tree's root."""


def find_in(files: Files, root: str, place: Place, path: str = "") -> Iterator[Animation]:
    """Yield the animations in and below one folder of a tree."""
    if isinstance(files, ArchiveFiles) and not path and files.unsafe:
        unsafe = place.location + files.unsafe[0]
        yield Animation(unsafe, unsafe)
    try:
        folders, names = files.list(path)
    except OSError:
        if not path:
            raise
        yield Animation(posixpath.join(place.name, path), place.location + path)
        return
    if STEPS in folders or any(FRAME.fullmatch(name) for name in names):
        name = posixpath.join(place.name, path).rstrip("/") or place.own_name
        prompt = read_prompt(files, path) if PROMPT_FILE in names else None
        yield Animation(name, place.location + path, prompt)
    if STEPS in folders:
        return
    archives = [name for name in names if name.lower().endswith(ALL_ARCHIVES)]
    for name in sorted([*folders, *archives]):
        below = posixpath.join(path, name)
        if NOT_LOOKED_INTO.match(name):
            continue
        if below.count("/") >= MAX_DEPTH:
            log.warning("%s%s: not searched, since it is nested too deep", place.location, below)
        elif not is_text(name):
            shown = below.encode("utf-8", "backslashreplace").decode()
            yield Animation(posixpath.join(place.name, shown), place.location + shown)
        elif name in folders:
            yield from find_in(files, root, place, below)
        else:
            yield from find_in_archive(files, root, place, below)


def find_in_archive(files: Files, root: str, place: Place, path: str) -> Iterator[Animation]:
    inside = strip_ending(path)
    if isinstance(files, ArchiveFiles):
        yield Animation(posixpath.join(place.name, inside), place.location + path)
        return
    try:
        archive = open_files(posixpath.join(root, path))
    except (OSError, ValueError):
        yield Animation(inside, path)
    else:
        yield from find_in(archive, root, Place(path + WITHIN, inside, inside))


def strip_ending(name: str) -> str:
    ends = (end for end in ALL_ARCHIVES if name.lower().endswith(end))
    return next((name[: -len(end)] for end in ends), name)


def read_prompt(files: Files, path: str) -> str | None:
    """Return the text of a prompt.txt as one line; None if it is empty."""
    name = posixpath.join(path, PROMPT_FILE)
    try:
        text = files.read(name, MAX_PROMPT_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        log.warning("%s: not read as a prompt: %s", name, error)
        return None
    return " ".join(text.split()) or None

"""Find animations in a folder or an archive, at any depth, and the prompts beside them; or those
that a corpus of Live-Sketch holds."""

import logging
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flipsketch.animations.layout import ALL_ARCHIVES, FRAME, LICENSE_FILE, PROMPT_FILE, STEPS
from flipsketch.animations.vector_corpus import VectorCorpus, open_animations
from flipsketch.storage.archives import WITHIN, ArchiveFiles, Files, FolderFiles
from flipsketch.storage.folder import open_location
from flipsketch.storage.reading import READ_TIMEOUT_S, read_in_time
from flipsketch.storage.text import is_text

log = logging.getLogger(__name__)

MAX_TEXT_BYTES = 10_000
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
    license: str | None = None
    """From its license.txt."""


def find_animations(
    root: str, allowed: tuple[str, ...] = (), timeout_s: float | None = READ_TIMEOUT_S
) -> Iterator[Animation]:
    """Yield what looks like an animation in a folder or an archive, at any depth, sorted by name.

    A broken archive, one with paths outside of itself, and a link that leads out of the root are
    yielded too: reading them then fails as for any bad animation.

    Args:
        allowed: folders that links below the root may lead into.
        timeout_s: for reading a prompt.

    Raises:
        OSError: there is no such root.
        ValueError: it is neither a folder nor an archive, or a corpus of other clips.
    """
    base = posixpath.basename(open_location(root)[1].rstrip("/"))
    files = open_animations(root, allowed)
    if isinstance(files, VectorCorpus):
        files.warn_of_others()
    yield from Search(root, timeout_s).find_in(files, Place(own_name=strip_ending(base)))


@dataclass(frozen=True)
class Place:
    """Prefixes of locations and names in a tree of files."""

    location: str = ""
    name: str = ""
    own_name: str = ""
    """The name of an animation that is the tree's root."""


Tree = FolderFiles | ArchiveFiles | VectorCorpus


@dataclass(frozen=True)
class Search:
    root: str
    timeout_s: float | None

    def find_in(self, files: Tree, place: Place, path: str = "") -> Iterator[Animation]:
        """Yield the animations in and below one folder of a tree."""
        if isinstance(files, ArchiveFiles) and not path and files.unsafe:
            unsafe = place.location + files.unsafe[0]
            yield Animation(unsafe, unsafe)
        try:
            folders, names = files.list(path)
        except (OSError, ValueError) as error:
            if not path or is_out_of_reach(files, error):
                raise
            yield Animation(posixpath.join(place.name, path), place.location + path)
            return
        if STEPS in folders or any(FRAME.fullmatch(name) for name in names):
            name = posixpath.join(place.name, path).rstrip("/") or place.own_name
            prompt, license = (
                self.read_line(files, posixpath.join(path, file), place) if file in names else None
                for file in (PROMPT_FILE, LICENSE_FILE)
            )
            yield Animation(name, place.location + path, prompt, license)
        if STEPS in folders:
            return
        archives = [name for name in names if name.lower().endswith(ALL_ARCHIVES)]
        for name in sorted([*folders, *archives]):
            below = posixpath.join(path, name)
            if NOT_LOOKED_INTO.match(name):
                continue
            if below.count("/") >= MAX_DEPTH:
                log.warning(
                    "%s%s: not searched, since it is nested too deep", place.location, below
                )
            elif not is_text(name):
                shown = below.encode("utf-8", "backslashreplace").decode()
                yield Animation(posixpath.join(place.name, shown), place.location + shown)
            elif name in folders:
                yield from self.find_in(files, place, below)
            else:
                yield from self.find_in_archive(files, place, below)

    def find_in_archive(self, files: Tree, place: Place, path: str) -> Iterator[Animation]:
        inside = strip_ending(path)
        if not isinstance(files, FolderFiles):
            yield Animation(posixpath.join(place.name, inside), place.location + path)
            return
        try:
            archive = files.open_archive(path)
        except (OSError, ValueError) as error:
            if is_out_of_reach(files, error):
                raise
            yield Animation(inside, path)
        else:
            yield from self.find_in(archive, Place(path + WITHIN, inside, inside))

    def read_line(self, files: Files, name: str, place: Place) -> str | None:
        """Return the text of a file as one line; None if it is empty, or cannot be read."""
        try:
            text = read_in_time(
                lambda: files.read(name, MAX_TEXT_BYTES).decode("utf-8-sig"),
                name,
                store=self.root,
                limit_s=self.timeout_s,
            )
        except (OSError, ValueError) as error:
            if is_out_of_reach(files, error):
                raise
            kind = posixpath.basename(name).partition(".")[0]
            log.warning("%s%s: not read as a %s: %s", place.location, name, kind, error)
            return None
        return " ".join(text.split()) or None


def is_out_of_reach(files: Files, error: Exception) -> bool:
    """Tell whether a store has failed: what was not found for that must not be left out."""
    is_far = isinstance(files, FolderFiles) and not files.is_local
    return is_far and isinstance(error, OSError) and not isinstance(error, FileNotFoundError)


def strip_ending(name: str) -> str:
    ends = (end for end in ALL_ARCHIVES if name.lower().endswith(end))
    return next((name[: -len(end)] for end in ends), name)

"""Animations: folders of SVG frames, read and drawn.

Two layouts are supported, in folders, .zip and .tar (discovery.py finds them): Live-Sketch's
(`<name>/svg_logs/svg_step*/frame000.svg`) and the plain one (`<name>/frame000.svg`). A corpus made
by Live-Sketch is read as a folder in the first (vector_corpus.py).
"""

import functools
import hashlib
import posixpath
from dataclasses import dataclass

import numpy as np

from flipsketch.animations.layout import ALL_ARCHIVES, FRAME, STEP, STEPS
from flipsketch.animations.vector_corpus import VectorCorpus, open_animations
from flipsketch.media.clip import check_pixels
from flipsketch.storage.archives import WITHIN, ArchiveFiles, Files
from flipsketch.storage.reading import name_error
from flipsketch.svg.reader import SvgReader, pad_to_square

MAX_ANIMATION_FRAMES = 1_024
MAX_FRAME_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RasterConfig:
    size: int = 256
    """Height and width of the frames in pixels; those of the model to be trained."""
    frame_stride: int = 1
    """Take every n-th frame, starting with the first. Raise it when animations move too slowly."""
    num_frames: int | None = None
    """Number of frames to take; an animation with fewer fails. By default all."""
    line_width: float | None = None
    """Width of all lines in output pixels; by default the width in the files. Set it for small
    frames, in which thin lines turn pale."""
    invert: bool = False
    """Draw white on black."""
    step: int | None = None
    """Live-Sketch's optimization step to take; by default the last one of each animation."""

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("size", 16, 4096),
            ("frame_stride", 1, MAX_ANIMATION_FRAMES),
            ("num_frames", 1, MAX_ANIMATION_FRAMES),
        ):
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                raise ValueError(f"{name} must lie between {lowest} and {highest}, got {value}")
        try:
            check_pixels(self.num_frames or 1, self.size)
        except ValueError as error:
            raise ValueError(f"{error}; lower --num-frames or --size") from error
        if self.line_width is not None and not 0 < self.line_width <= self.size:
            raise ValueError(
                f"line_width must be more than 0 and at most the size, got {self.line_width}"
            )


class AnimationReader:
    """Reads the frames of animations below one root; archives stay open."""

    def __init__(self, root: str, config: RasterConfig, allowed: tuple[str, ...] = ()) -> None:
        """Args: allowed, folders that links below the root may lead into."""
        self.root, self.config, self.allowed = root, config, allowed
        self.reopen()

    def reopen(self) -> None:
        """Open archives anew: a read that was left behind may still use those that are open."""
        self.files = functools.lru_cache(1)(lambda: open_animations(self.root, self.allowed))
        self.archive = functools.lru_cache(4)(self.open_archive)

    def open_archive(self, path: str) -> ArchiveFiles:
        files = self.files()
        if isinstance(files, ArchiveFiles):
            raise ValueError("is an archive within an archive; extract the outer one")
        if isinstance(files, VectorCorpus):
            raise FileNotFoundError("the corpus has no archives")
        return files.open_archive(path)

    def read(self, location: str) -> list[tuple[str, bytes]]:
        """Return the names and contents of the frames to take.

        Raises:
            OSError, ValueError: frames are missing or damaged.
        """
        files, path = self.locate(location)
        folders, _ = files.list(path)
        if STEPS in folders:
            path = posixpath.join(path, STEPS)
            path = posixpath.join(path, choose_step(files.list(path)[0], self.config.step))
        elif self.config.step is not None:
            raise ValueError(
                f"has no {STEPS} folder, so no step {self.config.step}; leave out --step"
            )
        names = choose_frames(files.list(path)[1], self.config)
        frames = []
        for name in names:
            try:
                frames.append((name, files.read(posixpath.join(path, name), MAX_FRAME_BYTES)))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            except OSError as error:
                raise name_error(error, name) from error
        return frames

    def locate(self, location: str) -> tuple[Files, str]:
        archive, _, path = location.rpartition(WITHIN)
        # A folder's name may end like the marker of a path within an archive.
        is_within = archive.lower().endswith(ALL_ARCHIVES)
        if not is_within:
            path = location if location != "." else ""
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(
                "the archive has an entry with a path outside of the archive, which is not read; "
                "it may be malicious"
            )
        if is_within:
            return self.archive(archive), path
        files = self.files()
        if path.lower().endswith(ALL_ARCHIVES) and path not in self.folders(files, path):
            return self.archive(path), ""
        return files, path

    def folders(self, files: Files, path: str) -> list[str]:
        """Return the paths of the folders beside a path."""
        parent = posixpath.dirname(path)
        return [posixpath.join(parent, name) for name in files.list(parent)[0]]


def choose_step(folders: list[str], step: int | None) -> str:
    steps = {int(match[1]): name for name in folders if (match := STEP.fullmatch(name))}
    if not steps:
        raise ValueError(
            f"its {STEPS} has no svg_step* folder, so no frames; did Live-Sketch finish?"
        )
    wanted = max(steps) if step is None else step
    if wanted not in steps:
        raise ValueError(
            f"has no step {wanted}, only {', '.join(map(str, sorted(steps)))}; give one of "
            f"these as --step, or none for the last"
        )
    return steps[wanted]


def choose_frames(files: list[str], config: RasterConfig) -> list[str]:
    """Return the names of the frames to take, in the order of their numbers."""
    numbered = sorted((int(match[1]), name) for name in files if (match := FRAME.fullmatch(name)))
    if not numbered:
        raise ValueError("has no frames; frames are named frame000.svg, frame001.svg and so on")
    numbers = [number for number, _ in numbered]
    for before, number in zip(numbers, numbers[1:], strict=False):
        if number != before + 1:
            what = f"frame {number} twice" if number == before else f"no frame {before + 1}"
            raise ValueError(
                f"has {what} (its frames go from {numbers[0]} to {numbers[-1]}); frames must be "
                f"numbered without gaps"
            )
    if len(numbered) > MAX_ANIMATION_FRAMES:
        raise ValueError(
            f"has {len(numbered):,} frames, the limit is {MAX_ANIMATION_FRAMES:,}; split it"
        )
    chosen = [name for _, name in numbered[:: config.frame_stride]]
    if config.num_frames is not None and len(chosen) < config.num_frames:
        raise ValueError(
            f"has {len(chosen)} frames at a stride of {config.frame_stride}, but "
            f"{config.num_frames} are requested; lower --num-frames or --frame-stride"
        )
    return chosen[: config.num_frames]


def rasterize_animation(frames: list[tuple[str, bytes]], config: RasterConfig) -> np.ndarray:
    """Return frames (F, size, size, 3) as the SVG files draw them, each with some ink.

    Args:
        frames: names, which errors mention, and contents.

    Raises:
        ValueError: a frame is unsafe, unreadable, too large, blank, or of another size.
    """
    size = config.size
    try:
        check_pixels(len(frames), size)
    except ValueError as error:
        raise ValueError(f"{error}; lower --num-frames or --size") from error
    reader = SvgReader(size)
    pixels = np.empty((len(frames), size, size, 3), np.uint8)
    first_canvas = None
    for out, (name, svg) in zip(pixels, frames, strict=True):
        try:
            drawing = reader.read(svg)
            first_canvas = first_canvas or drawing.canvas
            if drawing.canvas != first_canvas:
                raise ValueError(
                    f"its canvas is {format_canvas(drawing.canvas)}, that of {frames[0][0]} is "
                    f"{format_canvas(first_canvas)}; frames of one animation must share a size"
                )
            frame = drawing.draw(line_width=config.line_width)
            out[:] = pad_to_square(frame, size, drawing.notes)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return 255 - pixels if config.invert else pixels


def format_canvas(canvas: list[float]) -> str:
    left, top, width, height = canvas
    return f"{width:g} x {height:g}" + (f" from ({left:g}, {top:g})" if left or top else "")


def hash_frames(frames: list[tuple[str, bytes]]) -> str:
    """Return the SHA-256 of the files' contents in order."""
    digest = hashlib.sha256()
    for _, content in frames:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()

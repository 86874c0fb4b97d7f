"""Doodles on disk: one folder each, in the layout that Live-Sketch writes, and a prompt beside."""

import functools
import io
import multiprocessing
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.doodles.doodle import Doodle, Look, frame_times, make_doodle, make_doodle_of
from flipsketch.doodles.subjects.registry import SUBJECTS, motions_of

FRAMES = "svg_logs/svg_step1000"
PROMPT_FILE = "prompt.txt"


@dataclass(frozen=True, kw_only=True)
class DrawingConfig:
    num_animations: int = 100
    """Number of animations in the folder once the job is done."""
    num_frames: int = 16
    """Frames of each animation."""
    seed: int = 0
    """Seed of the drawings; the same seed draws the same animations."""
    look: Look = "sketch"
    """Look of the drawings: sketch (black strokes on white), filled (the same in colours, before a
    backdrop) or plain (the same in colours, before one colour)."""
    subjects: tuple[str, ...] = ()
    """Subjects to draw, in turn, one on each canvas; by default all, one or two on a canvas."""
    motions: tuple[str, ...] = ()
    """Motions of the given subjects to draw; by default all that they have."""
    variety: float = 1.0
    """How much drawings of one subject differ, from 0 (not at all) to 1."""
    pace: float = 1.0
    """Share of a motion that an animation shows, starting anywhere in it; less is slower."""

    def __post_init__(self) -> None:
        for name, least in (("num_animations", 1), ("num_frames", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if unknown := [subject for subject in self.subjects if subject not in SUBJECTS]:
            raise ValueError(
                f"there is no subject {unknown[0]!r} to draw; there are {', '.join(SUBJECTS)}"
            )
        if not 0 <= self.variety <= 1:
            raise ValueError(f"variety must lie between 0 and 1, got {self.variety}")
        if not 0 < self.pace <= 1:
            raise ValueError(f"pace must be more than 0 and at most 1, got {self.pace}")
        known = {motion for subject in self.subjects for motion in motions_of(subject)}
        if unknown := [motion for motion in self.motions if motion not in known]:
            raise ValueError(
                f"none of the subjects given has a motion {unknown[0]!r}; they have "
                f"{', '.join(sorted(known)) or 'none, as there are none: give subjects too'}"
            )


def write_doodles(folder: Path, config: DrawingConfig, workers: int = 1) -> int:
    """Write the animations that are missing and return how many these were.

    Raises:
        ValueError, OSError: the folder holds other animations, or cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name.partition("-")[0]: path.name for path in folder.glob("[0-9]*-*")}
    write = functools.partial(write_index, folder, config, there)
    if workers == 1:
        return sum(map(write, range(config.num_animations)))
    with multiprocessing.Pool(workers, leave_interrupts) as pool:
        return sum(pool.imap_unordered(write, range(config.num_animations), chunksize=16))


def encode_manifest(config: DrawingConfig) -> bytes:
    """Return a Parquet manifest of first frames, as `animate` reads it."""
    doodles = [draw_doodle(config, index) for index in range(config.num_animations)]
    rows = {
        "id": [doodle.name for doodle in doodles],
        "sketch_bytes": [doodle.svg(0.0, config.look) for doodle in doodles],
        "prompt": [doodle.prompt for doodle in doodles],
    }
    out = io.BytesIO()
    pq.write_table(pa.table(rows), out, compression="zstd")
    return out.getvalue()


def draw_doodle(config: DrawingConfig, index: int) -> Doodle:
    variety, pace = config.variety, config.pace
    if config.subjects:
        return make_doodle_of(
            config.seed, index, config.subjects, config.motions, variety=variety, pace=pace
        )
    return make_doodle(config.seed, index, variety=variety, pace=pace)


def leave_interrupts() -> None:
    """Let the job alone hear Ctrl-C, and end its workers as the system does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def write_index(folder: Path, config: DrawingConfig, there: dict[str, str], index: int) -> bool:
    """Write one doodle and return True, or False if it is there.

    Args:
        there: names of the animations in the folder, by their index.
    """
    doodle = draw_doodle(config, index)
    name = there.get(doodle.name.partition("-")[0], doodle.name)
    if name != doodle.name:
        raise ValueError(
            f"{folder / name}: of another seed, whose animations this folder holds; choose another "
            f"folder, or delete them"
        )
    if (folder / doodle.name).exists():
        check_same(folder / doodle.name, doodle, config.num_frames, config.look)
        return False
    write_doodle(folder, doodle, config.num_frames, config.look)
    return True


def write_doodle(folder: Path, doodle: Doodle, num_frames: int, look: Look = "sketch") -> None:
    """Write an animation and its prompt to a folder of its name, whole or not at all.

    Raises:
        OSError: that folder is there already, or cannot be written.
    """
    # A name with a dot is not taken for an animation if the job is killed.
    unfinished = folder / f".{doodle.name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / FRAMES).mkdir(parents=True)
    for name, content in animation_files(doodle, num_frames, look).items():
        (unfinished / name).write_bytes(content)
    unfinished.rename(folder / doodle.name)


def animation_files(doodle: Doodle, num_frames: int, look: Look = "sketch") -> dict[str, bytes]:
    """Return the contents of an animation's files by their names, the prompt's last."""
    frames = {
        f"{FRAMES}/frame{number:03d}.svg": doodle.svg(t, look)
        for number, t in enumerate(frame_times(num_frames))
    }
    return {**frames, PROMPT_FILE: f"{doodle.prompt}\n".encode()}


def check_same(animation: Path, doodle: Doodle, num_frames: int, look: Look) -> None:
    """Raise ValueError unless a folder holds this doodle."""
    frames = sorted((animation / FRAMES).glob("frame*.svg"))
    is_whole = len(frames) == num_frames and all(frame.stat().st_size for frame in frames)
    if not is_whole or frames[0].read_bytes() != doodle.svg(0.0, look):
        raise ValueError(
            f"{animation}: holds another animation ({len(frames)} frames, or of another seed or "
            "look); choose another folder, or delete this one"
        )

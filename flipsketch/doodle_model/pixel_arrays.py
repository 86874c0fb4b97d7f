"""Doodles as arrays of pixels, rendered once: the training data of the embedded model.

A corpus is `<name>.npy`, uint8 (N, F, H, W, 3), with `<name>.json`, its prompts and subjects. It is
written whole or not at all, and memory-mapped.
"""

import functools
import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flipsketch.doodles.actors import SIDE
from flipsketch.doodles.doodle import Look, make_doodle_of, render_doodle, to_segments
from flipsketch.doodles.writer import leave_interrupts
from flipsketch.svg.render import Paint, Shape, draw

CHUNK = 64


@dataclass(frozen=True)
class DoodleArrays:
    clips: np.ndarray
    """uint8 (N, F, H, W, 3), memory-mapped."""
    prompts: list[str]
    subjects: list[str]


@dataclass(frozen=True, kw_only=True)
class CorpusSpec:
    """The doodles of a corpus, of some subjects in turn."""

    seed: int
    num_clips: int
    num_frames: int
    size: int
    """Height and width of the frames, in pixels."""
    look: Look
    subjects: tuple[str, ...]
    motions: tuple[str, ...] = ()
    """The motions to choose from; empty for all."""
    variety: float = 1.0
    pace: float = 1.0
    """Variety and pace of `make_doodle`."""
    line_widths: tuple[float, ...] = ()
    """Line widths in pixels, in turn; empty for each doodle's own."""


def render_corpus(folder: Path, name: str, spec: CorpusSpec, workers: int) -> DoodleArrays:
    """Return a corpus; it is rendered by so many processes if the folder does not have it."""
    if not (folder / f"{name}.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shape = (spec.num_clips, spec.num_frames, spec.size, spec.size, 3)
        partial = folder / f".{name}.npy"
        clips = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
        render = functools.partial(render_index, spec)
        facts = []
        with multiprocessing.Pool(workers, leave_interrupts) as pool:
            rendered = pool.imap(render, range(spec.num_clips), chunksize=CHUNK)
            for index, (frames, prompt, subject) in enumerate(rendered):
                clips[index] = frames
                facts.append({"prompt": prompt, "subject": subject})
        clips.flush()
        os.replace(partial, folder / f"{name}.npy")
        unfinished = folder / f".{name}.json"
        unfinished.write_text(json.dumps(facts))
        os.replace(unfinished, folder / f"{name}.json")
    return read_corpus(folder, name)


def read_corpus(folder: Path, name: str) -> DoodleArrays:
    facts = json.loads((folder / f"{name}.json").read_text())
    return DoodleArrays(
        np.load(folder / f"{name}.npy", mmap_mode="r"),
        [fact["prompt"] for fact in facts],
        [fact["subject"] for fact in facts],
    )


def render_index(spec: CorpusSpec, index: int) -> tuple[np.ndarray, str, str]:
    """Return frames, prompt and subject of a doodle."""
    doodle = make_doodle_of(
        spec.seed, index, spec.subjects, spec.motions, variety=spec.variety, pace=spec.pace
    )
    widths = spec.line_widths
    line_width = widths[index % len(widths)] if widths else None
    frames = render_doodle(doodle, spec.num_frames, spec.size, spec.look, line_width)
    return frames, doodle.prompt, doodle.subjects[0]


def scribble(random: np.random.RandomState, size: int) -> np.ndarray:
    """Return random strokes (H, W, 3), black on white, in place of drawings of any kind."""
    scale = size / SIDE
    count = int(np.exp(random.uniform(0, np.log(40))))
    width = random.uniform(1.2, 12) if random.random_sample() < 0.3 else random.uniform(1.2, 4)
    paint: Paint = {
        "fill-rule": "nonzero",
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
        "stroke-miterlimit": 4.0,
        "stroke-width": width,
        "fill": "none",
        "stroke": "#000000",
        "stroke-opacity": 1.0,
    }
    shapes = []
    for _ in range(count):
        start = random.uniform(0.05, 0.95, 2) * SIDE
        reach = np.exp(random.uniform(np.log(6), np.log(120)))
        points = start + np.cumsum(random.normal(0, reach / 2, (3 * random.randint(1, 4), 2)), 0)
        numbers = [*start.tolist(), *np.clip(points, 4, SIDE - 4).ravel().tolist()]
        shapes.append(Shape(to_segments(numbers), (scale, 0.0, 0.0, scale, 0.0, 0.0), paint))
    return draw(shapes, size, size)

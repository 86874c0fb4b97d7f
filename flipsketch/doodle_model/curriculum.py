"""Training data of the embedded models: which subjects, motions and looks, as arrays on disk."""

from pathlib import Path
from typing import Literal

import numpy as np

from flipsketch.doodle_model.pixel_arrays import CorpusSpec, DoodleArrays, render_corpus, scribble
from flipsketch.doodles.doodle import Look
from flipsketch.doodles.subjects.registry import SUBJECTS as EVERY_SUBJECT
from flipsketch.rng import Stream, random_state

SIZE, NUM_FRAMES = 64, 10
SUBJECTS: tuple[str, ...] = (
    *("ball", "balloon", "bird", "boat", "butterfly", "car", "cat", "dog", "fish", "flower"),
    *("heart", "person", "rocket", "star", "sun", "tree"),
)
"""Subjects of the scorer's corpora."""
DRAWN = (
    *("ball", "balloon", "bird", "boat", "butterfly", "car", "cat", "fish", "flower", "person"),
    "rocket",
)
MOTIONS = (
    *("bob", "bounce", "down", "drift-left", "drift-right", "drive-left", "drive-right", "fall"),
    *("flap", "fly-left", "fly-right", "jump", "launch", "open", "rock", "roll-left", "roll-right"),
    *("sail-left", "sail-right", "sway", "swim-left", "swim-right", "up", "wag", "walk-left"),
    *("walk-right", "wave"),
)
VARIETY, PACE = 0.3, 0.4
"""The base model and its adapter learn fewer subjects and motions, in less varied shapes, and
slowly, so that consecutive frames resemble each other."""
LINE_WIDTHS = (0.9, 1.0, 1.2)
"""Line widths of the sketches, in pixels: a large canvas scaled down has pale lines."""
Corpus = Literal["filled", "sketch", "plain", "drawings", "anything"]
LINE_DRAWING = "line drawing: "
"""Prefix of the sketches' prompts in the base model's training: like a full-size model, it has seen
sketches but draws them only when asked to."""
LOOKS: dict[Corpus, Look] = {
    "filled": "filled",
    "sketch": "sketch",
    "plain": "plain",
    "drawings": "sketch",
    "anything": "sketch",
}
"""Look of each corpus. The scorer learns from the first two, the base model from the last three,
the VAE from `anything` and `plain`. `anything` has sketches of every subject in every shape:
trained on a few subjects, a model memorizes them and ignores the given sketch."""
LEARNT: tuple[Corpus, ...] = ("plain", "drawings", "anything")
"""The corpora of the base model."""
VAE_SEES: tuple[Corpus, ...] = ("anything", "plain")
FEWER: dict[Corpus, int] = {"filled": 1, "sketch": 2, "plain": 4, "drawings": 1, "anything": 1}
"""Divisor of the number of clips."""
NUM_SCRIBBLES = 6000


def draw_corpus(folder: Path, name: Corpus, num_clips: int, workers: int) -> DoodleArrays:
    """Return a corpus; it is drawn if the folder does not have it.

    Args:
        num_clips: clips of `filled`, `drawings` and `anything`; the others have fewer.
    """
    is_easy = name in ("plain", "drawings")
    subjects = DRAWN if is_easy else tuple(EVERY_SUBJECT) if name == "anything" else SUBJECTS
    spec = CorpusSpec(
        seed=list(LOOKS).index(name) + 1,
        num_clips=num_clips // FEWER[name],
        num_frames=NUM_FRAMES,
        size=SIZE,
        look=LOOKS[name],
        subjects=subjects,
        motions=MOTIONS if is_easy else (),
        variety=VARIETY if is_easy else 1.0,
        pace=PACE if is_easy or name == "anything" else 1.0,
        line_widths=LINE_WIDTHS if name in ("drawings", "anything") else (),
    )
    return render_corpus(folder, name, spec, workers)


def draw_scribbles(folder: Path) -> None:
    """Draw `scribbles.npy`, uint8 (N, H, W, 3), if the folder does not have it."""
    path = folder / "scribbles.npy"
    if not path.exists():
        drawn = np.stack(
            [scribble(random_state(Stream.SCRIBBLE, index), SIZE) for index in range(NUM_SCRIBBLES)]
        )
        unfinished = path.with_name(".scribbles.npy")
        np.save(unfinished, drawn)
        unfinished.rename(path)

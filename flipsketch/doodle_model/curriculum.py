"""What the embedded models are taught: doodles of some subjects and deeds, as arrays on disk."""

from pathlib import Path
from typing import Literal

import numpy as np

from flipsketch.doodle_model.pixel_arrays import DoodleArrays, render_corpus, scribble
from flipsketch.doodles.doodle import Look
from flipsketch.doodles.subjects.registry import SUBJECTS as EVERY_SUBJECT
from flipsketch.rng import Stream, random_state

SIZE, NUM_FRAMES = 64, 10
SUBJECTS: tuple[str, ...] = (
    *("ball", "balloon", "bird", "boat", "butterfly", "car", "cat", "dog", "fish", "flower"),
    *("heart", "person", "rocket", "star", "sun", "tree"),
)
"""What the scorer sees of sketches."""
DRAWN = (
    *("ball", "balloon", "bird", "boat", "butterfly", "car", "cat", "fish", "flower", "person"),
    "rocket",
)
DEEDS = (
    *("bob", "bounce", "down", "drift-left", "drift-right", "drive-left", "drive-right", "fall"),
    *("flap", "fly-left", "fly-right", "jump", "launch", "open", "rock", "roll-left", "roll-right"),
    *("sail-left", "sail-right", "sway", "swim-left", "swim-right", "up", "wag", "walk-left"),
    *("walk-right", "wave"),
)
VARIETY, PACE = 0.3, 0.4
"""What the base model and its adapter learn to draw: fewer subjects, half of what each can do, in
shapes that differ less, and slowly, so that a frame resembles the one before."""
LINE_WIDTHS = (0.9, 1.0, 1.2)
"""Of the sketches among it, in pixels: a large canvas made small has pale lines."""
Corpus = Literal["filled", "sketch", "plain", "drawings", "anything"]
LINE_DRAWING = "line drawing: "
"""Before the prompts of the sketches among what the base model learns: as a model of full size has
seen sketches, but draws them only when asked to."""
LOOKS: dict[Corpus, Look] = {
    "filled": "filled",
    "sketch": "sketch",
    "plain": "plain",
    "drawings": "sketch",
    "anything": "sketch",
}
"""Of the corpora: the base model sees the last three, the VAE the last and `plain`, the scorer the
first two. `anything` is sketches of all that can be drawn, in every shape: of a few subjects a
model learns by heart what they look like, and the sketch that it is given counts for little."""
LEARNT: tuple[Corpus, ...] = ("plain", "drawings", "anything")
"""Those that the base model sees."""
VAE_SEES: tuple[Corpus, ...] = ("anything", "plain")
FEWER: dict[Corpus, int] = {"filled": 1, "sketch": 2, "plain": 4, "drawings": 1, "anything": 1}
"""What their number is divided by."""
NUM_SCRIBBLES = 6000


def draw_corpus(folder: Path, name: Corpus, num_clips: int, workers: int) -> DoodleArrays:
    """Return a corpus, drawn if it is not in the folder.

    Args:
        num_clips: of `filled`, `drawings` and `anything`; of the others there are fewer.
    """
    is_easy = name in ("plain", "drawings")
    subjects = DRAWN if is_easy else tuple(EVERY_SUBJECT) if name == "anything" else SUBJECTS
    return render_corpus(
        folder,
        name,
        seed=list(LOOKS).index(name) + 1,
        num_clips=num_clips // FEWER[name],
        num_frames=NUM_FRAMES,
        size=SIZE,
        look=LOOKS[name],
        subjects=subjects,
        motions=DEEDS if is_easy else (),
        variety=VARIETY if is_easy else 1.0,
        pace=PACE if is_easy or name == "anything" else 1.0,
        line_widths=LINE_WIDTHS if name in ("drawings", "anything") else (),
        workers=workers,
    )


def draw_scribbles(folder: Path) -> None:
    """Draw `scribbles.npy`, uint8 (N, H, W, 3), if it is not in the folder."""
    path = folder / "scribbles.npy"
    if not path.exists():
        drawn = np.stack(
            [scribble(random_state(Stream.SCRIBBLE, index), SIZE) for index in range(NUM_SCRIBBLES)]
        )
        unfinished = path.with_name(".scribbles.npy")
        np.save(unfinished, drawn)
        unfinished.rename(path)

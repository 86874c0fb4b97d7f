"""Which of several tries of a clip is the best: the one that shows most of its prompt."""

from collections.abc import Sequence

import numpy as np

from flipsketch.scoring.clip_model import ClipScorer
from flipsketch.scoring.ink import motion

# Of the pixels that change from frame to frame: with less a clip does not move, whatever it shows.
MIN_MOTION = 0.005


class Chooser:
    """Holds a scorer."""

    def __init__(self, clip_model: str, device: str) -> None:
        """Raises ValueError: the scorer cannot be loaded."""
        self.scorer = ClipScorer(clip_model, device)

    def choose(self, tries: Sequence[np.ndarray], prompts: Sequence[str]) -> int:
        """Return the number of the best of some clips, frames uint8 (F, H, W, 3) each."""
        ranks = [self.rank(frames, prompts) for frames in tries]
        return ranks.index(max(ranks))

    def rank(self, frames: np.ndarray, prompts: Sequence[str]) -> tuple[bool, float]:
        """Return whether a clip moves, and the cosine of its frames to the prompts."""
        features = self.scorer.embed_frames(frames[1:])
        # All but the sketch, which is the same in all tries.
        return motion(frames) >= MIN_MOTION, self.scorer.align(features, list(prompts))

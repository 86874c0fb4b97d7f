"""Seeded random numbers that stay the same from version to version, and what they are drawn for."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a sequence of random numbers decides; sequences of one seed do not overlap.

    Values are part of what a seed means: they never change.
    """

    CLIP_ORDER = 0
    """Order of the training clips in an epoch."""
    CLIP_WINDOW = 1
    """First frame of a training sample, and whether its prompt is dropped."""
    TRAINING_NOISE = 2
    """Noise and timestep of a training sample."""
    VAE_BATCH = 3
    VAE_VALIDATION = 4
    LATENT_ORDER = 5
    """As CLIP_ORDER, of latents held in memory."""
    LATENT_WINDOW = 6
    SCRIBBLE = 7
    """Strokes of a random drawing; it has no seed but its number."""
    SCORER_BATCH = 8
    SCORER_VALIDATION = 9
    LATENT_SCALE = 10
    """Pixels on which the deviation of the latents is measured."""
    INVERTED_FIRST_FRAME = 11
    """Whether a training sample begins with an inverted sketch."""
    INVERSION_STEPS = 12
    """In how many steps the inverted sketches of a training step are inverted."""
    REFERENCE_ROW = 13
    """Whether a training sample is its first frame, repeated."""
    SIGNAL_LEAK = 14
    """Whether a training sample has its first frame in the noise of the others."""
    SIGNAL_LEAK_SHARE = 15
    """How much of it."""
    PILOT_ROWS = 16
    """Which rows of a manifest its pilot makes."""


def random_state(*entropy: int) -> np.random.RandomState:
    # Of numpy's generators the one whose numbers never change from version to version.
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(entropy)))

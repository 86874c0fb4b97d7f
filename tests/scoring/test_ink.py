"""Scores say what they should of clips whose scores are known."""

import numpy as np
import pytest

from flipsketch.scoring.ink import coloured, ink, ink_iou, motion


def square(left: int, size: int = 32) -> np.ndarray:
    frame = np.full((size, size, 3), 255, np.uint8)
    frame[10:18, left : left + 8] = 0
    return frame


def test_ink_and_its_overlap():
    one, other = ink(square(4)), ink(square(8))
    assert one.sum() == 64
    assert ink_iou(one, one) == 1.0 and ink_iou(one, ink(square(20))) == 0.0
    assert ink_iou(one, other) == pytest.approx(32 / 96)
    blank = np.zeros_like(one)
    assert ink_iou(blank, blank) == 1.0 and ink_iou(one, blank) == 0.0


def test_grey_and_colours_are_neither_black_nor_white():
    colours = [(0, 0, 0), (40, 40, 40), (250, 250, 250), (128, 128, 128), (255, 0, 0), (40, 60, 90)]
    assert coloured(np.array([colours], np.uint8)).tolist() == [[False] * 3 + [True] * 3]


def test_motion_is_the_share_of_pixels_that_change():
    assert motion(np.stack([square(4)] * 3)) == 0.0
    # Eight pixels are left and eight are entered, of 1,024, in each of two steps.
    moving = np.stack([square(4), square(5), square(6)])
    assert motion(moving) == pytest.approx(16 / 1024)
    assert motion(moving[::-1]) == motion(moving)

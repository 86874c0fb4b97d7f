"""Scores on pixels: against a few independent lines on real doodles, and where they are known."""

import numpy as np
import pytest

from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.scoring.pixel import MAX_INK_SHARE, chamfer, score_pixels
from tests.scoring.test_ink import square


def inked(frame: np.ndarray) -> set[tuple[int, int]]:
    luma = frame @ np.array([0.299, 0.587, 0.114])
    return {(int(y), int(x)) for y, x in np.argwhere(luma < 128)}


def nearest(one: set, other: set) -> float:
    return float(np.mean([min(np.hypot(y - v, x - u) for v, u in other) for y, x in one]))


@pytest.mark.parametrize("index", [1, 7, 23])
def test_scores_are_those_of_a_few_independent_lines(index):
    frames = render_doodle(make_doodle(3, index), 6, 64, "sketch")
    sketch = render_doodle(make_doodle(3, index + 1), 6, 64, "sketch")[0]
    scores = score_pixels(frames, sketch)
    inks, drawn = [inked(frame) for frame in frames], inked(sketch)
    shares = [len(ink) / 64**2 for ink in inks]
    assert (scores.ink_min, scores.ink_max) == (min(shares), max(shares))
    assert scores.ink_mean == pytest.approx(sum(shares) / 6)
    assert scores.ink_drift == pytest.approx(shares[5] - shares[0])
    ious = [len(ink & drawn) / len(ink | drawn) for ink in inks]
    assert scores.first_iou == ious[0] and scores.mean_iou == pytest.approx(sum(ious) / 6)
    distances = [(nearest(ink, drawn) + nearest(drawn, ink)) / 2 / 64 for ink in inks]
    assert scores.first_chamfer == pytest.approx(distances[0], rel=1e-4)
    assert scores.mean_chamfer == pytest.approx(sum(distances) / 6, rel=1e-4)
    lone = sum(len(inks[i] - inks[i - 1] - inks[i + 1]) for i in range(1, 5))
    lone += sum(len((inks[i - 1] & inks[i + 1]) - inks[i]) for i in range(1, 5))
    assert scores.flicker == pytest.approx(lone / 4 / 64**2)
    changes = [np.abs(frames[i + 1].astype(int) - frames[i]).mean() / 255 for i in range(5)]
    assert scores.motion == pytest.approx(sum(changes) / 5)
    assert not (scores.is_still or scores.is_blank or scores.is_blackout)


def test_a_still_clip_has_no_motion_and_keeps_to_its_sketch():
    scores = score_pixels(np.stack([square(4)] * 3), square(4))
    assert scores.is_still and (scores.motion, scores.flicker, scores.ink_drift) == (0, 0, 0)
    assert (scores.first_iou, scores.mean_iou, scores.mean_chamfer) == (1, 1, 0)


def test_what_comes_for_one_frame_flickers_and_what_moves_on_does_not():
    blank = np.full((32, 32, 3), 255, np.uint8)
    flash = np.stack([square(4), square(4), square(20), square(4), square(4)])
    assert score_pixels(flash, square(4)).flicker == pytest.approx(2 * 64 / 3 / 1024)
    moving = np.stack([square(4), square(12), square(20)])
    # The square is where it was and will not be; eight columns on, each is ink once.
    assert score_pixels(moving, square(4)).flicker == pytest.approx(64 / 1024)
    growing = np.stack([blank, square(4), square(4) & square(12)])
    assert score_pixels(growing, square(4)).flicker == 0.0
    assert score_pixels(moving[:2], square(4)).flicker == 0.0


def test_blank_and_black_frames_are_told():
    blank = np.full((32, 32, 3), 255, np.uint8)
    scores = score_pixels(np.stack([square(4), blank]), square(4))
    assert scores.is_blank and not scores.is_blackout
    # Of the frame that has ink alone.
    assert scores.mean_chamfer == 0.0 and scores.mean_iou == 0.5
    scores = score_pixels(np.stack([blank, blank]), square(4))
    assert scores.is_blank and scores.first_chamfer is None and scores.mean_chamfer is None
    most = np.full((32, 32, 3), 255, np.uint8)
    most[: int(32 * MAX_INK_SHARE)] = 0
    assert not score_pixels(np.stack([square(4), most]), square(4)).is_blackout
    most[: int(32 * MAX_INK_SHARE) + 1] = 0
    assert score_pixels(np.stack([square(4), most]), square(4)).is_blackout


def test_chamfer_is_symmetric_and_grows_with_the_distance():
    one, near, far = (square(left)[..., 0] < 128 for left in (2, 4, 20))
    assert chamfer(one, near) == chamfer(near, one) < chamfer(one, far)

"""Optical flow says which way doodles go, how fast, and that what does not move stays."""

from itertools import islice

import cv2
import numpy as np
import pytest

from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.scoring.flow import score_flow
from tests.scoring.test_ink import square


def find_doodles(subject: str, phrase: str, count: int) -> list[np.ndarray]:
    """Return the frames of the first doodles whose prompt has the phrase."""
    doodles = (make_doodle(5, index, subject=subject) for index in range(400))
    found = islice((doodle for doodle in doodles if phrase in doodle.prompt), count)
    return [render_doodle(doodle, 10, 64, "sketch") for doodle in found]


@pytest.mark.parametrize(("phrase", "sign"), [("to the left", -1), ("to the right", 1)])
def test_what_goes_to_a_side_flows_there_and_back_if_reversed(phrase, sign):
    for frames in find_doodles("car", phrase, 4):
        there, back = score_flow(frames), score_flow(frames[::-1])
        assert sign * there.flow_x > 0.005 > abs(there.flow_y)
        assert back.flow_x == pytest.approx(-there.flow_x, rel=0.25)


def test_what_rises_flows_upwards():
    for frames in find_doodles("balloon", "rising", 3):
        scores = score_flow(frames)
        assert scores.flow_y < -0.005 and abs(scores.flow_x) < -scores.flow_y / 4


@pytest.mark.parametrize("shift", [(3, 0), (-2, 1)])
def test_a_drawing_that_is_shifted_flows_so_many_pixels(shift):
    sketch = find_doodles("cat", "cat", 1)[0][0]
    canvas = np.full((128, 128, 3), 255, np.uint8)
    canvas[32:96, 32:96] = sketch
    frames = np.stack([np.roll(canvas, (n * shift[1], n * shift[0]), (0, 1)) for n in range(4)])
    scores = score_flow(frames)
    assert scores.flow_x * 128 == pytest.approx(shift[0], abs=0.4)
    assert scores.flow_y * 128 == pytest.approx(shift[1], abs=0.4)
    # Warped along its flow, a frame is the next one again, but for the error of the flow.
    inks = frames[..., 0] < 128
    either = inks[1:] | inks[:-1]
    plain = np.abs(np.diff(frames[..., 0].astype(int), axis=0))[either].mean() / 255
    assert scores.warping_error < plain / 4


def test_the_scores_are_those_of_a_few_independent_lines():
    frames = find_doodles("fish", "right", 1)[0]
    scores = score_flow(frames)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    means, fast = [], []
    for number in range(9):
        flow = dis.calc(greys[number + 1], greys[number], None)
        ink = frames[number + 1] @ np.array([0.299, 0.587, 0.114]) < 128
        means.append([-flow[ink][:, axis].mean() / 64 for axis in (0, 1)])
        lengths = np.sort(np.hypot(flow[..., 0], flow[..., 1]).ravel())
        fast.append(lengths[-205:].mean() > 1.5)
    assert (scores.flow_x, scores.flow_y) == pytest.approx(np.mean(means, 0), rel=1e-4, abs=1e-6)
    assert scores.is_dynamic == (np.mean(fast) >= 0.25)


def test_what_stays_does_not_flow_and_what_is_blank_has_no_flow():
    still = score_flow(np.stack([square(4)] * 4))
    assert not still.is_dynamic and still.warping_error == 0.0
    assert (abs(still.flow_x), abs(still.flow_y)) == (0.0, 0.0)
    blank = score_flow(np.full((3, 32, 32, 3), 255, np.uint8))
    assert not blank.is_dynamic and (blank.flow_x, blank.flow_y) == (0.0, 0.0)


def test_a_drawing_that_crosses_the_frame_is_dynamic_and_one_that_creeps_is_not():
    sketch = find_doodles("dog", "dog", 1)[0][0]
    canvas = np.full((128, 128, 3), 255, np.uint8)
    canvas[32:96, 32:96] = sketch
    roll = [np.stack([np.roll(canvas, n * step, 1) for n in range(5)]) for step in (8, 1)]
    assert [score_flow(frames).is_dynamic for frames in roll] == [True, False]

"""Live-Sketch as a method: its batches, segments, tries, and what it reads and draws."""

from dataclasses import replace

import numpy as np
import pytest

from flipsketch.livesketch.animator import LiveSketch, StrokeClip
from flipsketch.livesketch.choosing import Chooser
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.drawing import draw_strokes
from flipsketch.livesketch.vector import read_vector
from flipsketch.media.config import SketchConfig
from flipsketch.media.sketch import load_sketch
from flipsketch.method.methods import METHODS
from flipsketch.method.request import ClipRequest
from flipsketch.models.kernels import PLAIN
from flipsketch.models.loading import Loading
from flipsketch.models.registry import NO_LORA
from flipsketch.svg.animated import read_animated_svg
from tests.helpers.corpora import SKETCHES
from tests.helpers.requests import SHORT

SAMPLING = METHODS["livesketch"].settle(SHORT)
QUICK = LiveSketchConfig(draft_steps=0, optimization_steps=2, output_size=32)


def load(folder, config: LiveSketchConfig = QUICK) -> LiveSketch:
    return LiveSketch(Loading(model=folder, lora=NO_LORA, kernels=PLAIN), config)


@pytest.fixture(scope="module")
def method(tiny_folder) -> LiveSketch:
    return load(tiny_folder)


def request(method: LiveSketch, name: str, *prompts: str, seed: int = 1) -> ClipRequest:
    content = (SKETCHES / f"{name}.svg").read_bytes()
    sketch, drawing, _ = method.read(content, SketchConfig(), SAMPLING, None)
    return ClipRequest(sketch, prompts or ("it moves",), seed, SAMPLING, drawing)


@pytest.mark.parametrize("draft_steps", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_clip_is_the_same_whatever_else_is_in_its_batch(tiny_folder, draft_steps):
    """Places of bad rows are taken by copies of good ones."""
    method = load(tiny_folder, replace(QUICK, draft_steps=draft_steps))
    fish, star = request(method, "fish"), request(method, "star", seed=2)
    both, twice = method.animate([fish, star]), method.animate([fish, fish])
    np.testing.assert_array_equal(both[0].points, twice[0].points)
    assert np.abs(both[0].points - fish.drawing.points).max() > 0
    np.testing.assert_array_equal(both[0].points[0], fish.drawing.points)


def test_a_segment_begins_with_the_strokes_of_the_one_before(method):
    one = request(method, "fish", "it swims")
    both = replace(one, prompts=("it swims", "it turns"))
    (first,), (clip,) = method.animate([one]), method.animate([both])
    assert (len(first.points), len(clip.points)) == (4, 7)
    np.testing.assert_array_equal(clip.points[:4], first.points)
    assert len(np.unique(clip.points, axis=0)) == 7


def test_a_clip_is_drawn_at_any_size_from_what_its_svg_holds(tiny_folder):
    for size in (None, 48):
        method = load(tiny_folder, replace(QUICK, output_size=size))
        fish = request(method, "fish")
        drawn = method.animate([fish])[0].draw(SAMPLING)
        assert drawn.frames.shape == (4, size or 256, size or 256, 3)
        np.testing.assert_array_equal(drawn.frames[0], fish.sketch)
    for svg, frame in zip(read_animated_svg(drawn.svg), drawn.frames, strict=True):
        # At 48 pixels its lines are thinner than one.
        assert 0 < np.abs(load_sketch(svg, 48).astype(int) - frame).mean() < 10
        drawing = read_vector(svg)
        np.testing.assert_array_equal(draw_strokes(drawing, drawing.points, 48), frame)


def test_the_best_of_several_tries_is_kept(method, tiny_folder, clip_folder):
    several = load(tiny_folder, replace(QUICK, tries=3, clip_model=str(clip_folder)))
    fish = request(method, "fish")
    (single,) = method.animate([fish])
    (best,) = several.animate([fish])
    ranks = {
        clip.points.tobytes(): several.chooser.rank(clip.draw(SAMPLING).frames, fish.prompts)
        for clip in (single, best)
    }
    # The first of several is the one of a single try.
    assert max(ranks, key=ranks.get) == best.points.tobytes()
    lost = StrokeClip(fish.drawing, single.points * np.nan, 32)
    assert several.choose(fish, [lost, single]) is single


def test_a_clip_that_stands_still_is_not_chosen(clip_folder):
    frames = np.full((3, 32, 32, 3), 255, np.uint8)
    moving = frames.copy()
    moving[1, 8:24, 8:24] = 0
    chooser = Chooser(str(clip_folder), "cpu")
    assert chooser.choose([frames, moving], ["a bird flies"]) == 1
    assert chooser.choose([moving, frames], ["a bird flies"]) == 0


def test_a_clip_that_is_not_finite_says_so():
    drawing = read_vector((SKETCHES / "fish.svg").read_bytes())
    points = np.stack([drawing.points, drawing.points * np.nan])
    with pytest.raises(ValueError, match="not finite.*distillation_guidance"):
        StrokeClip(drawing, points, 32).draw(SAMPLING)

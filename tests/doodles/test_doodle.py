"""Every doodle shows what its prompt says, stays on its canvas, and is the same whenever drawn."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flipsketch.doodles.doodle import frame_times, make_doodle, make_doodle_of, render_doodle
from flipsketch.doodles.motions import MOTIONS
from flipsketch.doodles.subjects.registry import SUBJECTS, motions_of
from flipsketch.doodles.writer import DrawingConfig
from flipsketch.svg.reader import rasterize_svg

ROOT = Path(__file__).parents[2]
PAIRS = [(subject, motion) for subject in SUBJECTS for motion in motions_of(subject)]
SIZE, NUM_FRAMES = 64, 16


def frames_of(subject: str, motion: str, seed: int, num_frames: int = NUM_FRAMES) -> np.ndarray:
    doodle = make_doodle(seed, 7, subject=subject, motion=motion)
    return render_doodle(doodle, num_frames, SIZE)


def ink_of(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels with ink, thin lines too."""
    return np.nonzero(frame[..., 0] < 200)


def extent(frame: np.ndarray) -> float:
    """The longer side of the box around the ink."""
    return max(np.ptp(side) for side in ink_of(frame))


def test_there_is_enough_to_draw():
    assert len(SUBJECTS) >= 24
    assert len({motion for _, motion in PAIRS}) >= 12
    assert all(len(motions_of(subject)) >= 1 for subject in SUBJECTS)
    assert {
        action.motion for subject in SUBJECTS.values() for action in subject.actions.values()
    } == set(MOTIONS)


def test_an_index_determines_a_doodle():
    for index in range(20):
        one, same = make_doodle(5, index), make_doodle(5, index)
        other, another = make_doodle(6, index), make_doodle(5, index + 1)
        assert (one.name, one.prompt) == (same.name, same.prompt)
        assert one.svg(0.4, "filled") == same.svg(0.4, "filled")
        assert one.svg(0.4) not in (other.svg(0.4), another.svg(0.4))


def test_another_process_draws_the_same_bytes():
    code = "import sys; from flipsketch.doodles.doodle import make_doodle as m; " + (
        "sys.stdout.buffer.write(b''.join(m(3, i).svg(0.7, 'filled') for i in range(12)))"
    )
    drawn = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert drawn == b"".join(make_doodle(3, index).svg(0.7, "filled") for index in range(12))


@pytest.mark.parametrize("look", ["sketch", "filled"])
def test_written_and_rendered_frames_have_the_same_pixels(look):
    for index in range(16):
        doodle = make_doodle(1, index)
        for size in (64, 256):
            frames = render_doodle(doodle, 3, size, look)
            for t, frame in zip(frame_times(3), frames, strict=True):
                assert np.array_equal(rasterize_svg(doodle.svg(t, look), size), frame)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_nothing_leaves_the_canvas(subject):
    for motion in motions_of(subject):
        for seed in range(2):
            doodle = make_doodle(seed, 7, subject=subject, motion=motion)
            for t in frame_times(16):
                for shape in doodle.shapes(t):
                    reach = float(shape.paint["stroke-width"]) / 2
                    # The hull of a curve reaches further than the curve.
                    ends = np.array([segment[1][-2:] for segment in shape.segments])
                    assert ends.min() >= reach and ends.max() <= 256 - reach, (motion, seed, t)
            edge = render_doodle(doodle, 8, SIZE)
            for side in (edge[:, 0], edge[:, -1], edge[:, :, 0], edge[:, :, -1]):
                assert (side == 255).all(), (motion, seed)


def test_two_stay_on_the_canvas_too():
    doodles = [make_doodle(2, index) for index in range(200)]
    pairs = [doodle for doodle in doodles if len(doodle.actors) == 2]
    assert 0.08 < len(pairs) / len(doodles) < 0.18
    for doodle in pairs:
        frames = render_doodle(doodle, 6, SIZE)
        for side in (frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]):
            assert (side == 255).all(), doodle.name


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_motion_is_seen(subject):
    for motion in motions_of(subject):
        for seed in range(2):
            frames = frames_of(subject, motion, seed)
            dark = frames[..., 0] < 160
            num_ink = dark.sum(axis=(1, 2)).mean()
            # Ink that is somewhere else than in the first frame, at some time.
            changed = max((dark[0] ^ later).sum() for later in dark[1:])
            # A hand that waves is a small part of a person.
            assert changed > 0.07 * num_ink, (motion, seed, changed, num_ink)
            num_still = sum(np.array_equal(*two) for two in pairwise(frames))
            # Eyes are open for longer than they are shut.
            assert num_still <= (10 if motion in ("blink", "wink", "flash") else 2), (motion, seed)


SIDEWAYS = [pair for pair in PAIRS if pair[1].endswith(("-left", "-right"))]


@pytest.mark.parametrize("subject, motion", SIDEWAYS)
def test_it_goes_where_its_prompt_says(subject, motion):
    side = motion.rpartition("-")[2]
    for seed in range(2):
        doodle = make_doodle(seed, 7, subject=subject, motion=motion)
        first, *_, last = render_doodle(doodle, NUM_FRAMES, SIZE)
        gone = ink_of(last)[1].mean() - ink_of(first)[1].mean()
        assert (gone if side == "right" else -gone) > 0.12 * SIZE, doodle.prompt
        assert re.search(rf"\b(to|towards)? ?(the )?{side}( (slow|quick)ly)?$", doodle.prompt)


UPWARDS = {"up", "climb"}, {"down", "descend", "fall", "float-down"}
UPRIGHT = [
    (subject, motion, direction)
    for subject, motion in PAIRS
    for direction, motions in zip((-1, 1), UPWARDS, strict=True)
    if SUBJECTS[subject].actions[motion].motion in motions
    or (subject == "spider" and {"climb": -1, "down": 1}.get(motion) == direction)
]


@pytest.mark.parametrize("subject, motion, direction", UPRIGHT)
def test_it_rises_or_falls_as_its_prompt_says(subject, motion, direction):
    for seed in range(3):
        first, *_, last = frames_of(subject, motion, seed)
        gone = (ink_of(last)[0].mean() - ink_of(first)[0].mean()) * direction
        assert gone > (0.06 if subject == "spider" else 0.15) * SIZE, seed


@pytest.mark.parametrize(
    "motion, grows", [("closer", True), ("grow", True), ("away", False), ("shrink", False)]
)
def test_it_comes_closer_or_goes_away(motion, grows):
    found = [
        (subject, name)
        for subject, name in PAIRS
        if SUBJECTS[subject].actions[name].motion == motion
    ]
    assert found
    for subject, name in found:
        doodles = (make_doodle(seed, 7, subject=subject, motion=name) for seed in range(99))
        # A line for the ground does not grow.
        doodle = next(doodle for doodle in doodles if not doodle.ground)
        first, *_, last = render_doodle(doodle, NUM_FRAMES, SIZE)
        small, large = (first, last) if grows else (last, first)
        assert extent(large) > 1.6 * extent(small), (subject, name)


def test_a_sketch_is_black_strokes_alone():
    for index in range(30):
        doodle = make_doodle(4, index)
        svg = doodle.svg(0.5).decode()
        assert svg.startswith("<svg ") and 'width="256" height="256"' in svg.split(">")[0]
        assert "viewBox" not in svg
        paths = re.findall(r"<(\w+) (.*)/>", svg)
        assert paths and len(paths) <= 60
        for tag, attributes in paths:
            found = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
            assert tag == "path" and found["fill"] == "none" and found["stroke"] == "#000000"
            assert found["stroke-linecap"] == found["stroke-linejoin"] == "round"
            assert 1.5 <= float(found["stroke-width"]) <= 4
            assert re.fullmatch(r"M( -?\d+\.\d\d){2}( C( -?\d+\.\d\d){6})+", found["d"])
        frames = render_doodle(doodle, 2, SIZE)
        assert (frames == frames[..., :1]).all() and frames.min() < 128 and frames.max() == 255


def test_the_filled_look_is_coloured_all_over():
    for index in range(30):
        frames = render_doodle(make_doodle(4, index), 2, SIZE, "filled")
        assert (frames.max(axis=3) - frames.min(axis=3)).mean() > 4
        assert (frames == 255).all(axis=3).mean() < 0.5


def test_the_plain_look_is_the_filled_one_before_a_single_colour():
    for index in range(5):
        doodle = make_doodle(4, index)
        frames = render_doodle(doodle, 2, SIZE, "plain")
        background = frames[0, 0, 0]
        assert background.min() < 255
        assert 0.01 < (frames != background).any(axis=-1).mean() < 0.6
        (_, *plain), filled = (doodle.shapes(0.3, 256, look) for look in ("plain", "filled"))
        assert [shape.segments for shape in plain] == [
            shape.segments for shape in filled[-len(plain) :]
        ]


def test_at_a_slower_pace_a_part_of_the_motion_is_seen():
    whole, slow = make_doodle(1, 3), make_doodle(1, 3, pace=0.25)
    assert 0 <= slow.begin <= 0.75 and slow.prompt == whole.prompt
    for t in (0.0, 0.5, 1.0):
        assert slow.svg(t) == whole.svg(slow.begin + 0.25 * t)
    begins = [make_doodle(1, index, pace=0.25).begin for index in range(40)]
    assert min(begins) < 0.15 and max(begins) > 0.6
    with pytest.raises(ValueError, match="pace must be more than 0 and at most 1, got 0"):
        DrawingConfig(pace=0)


def test_lines_are_as_wide_as_asked():
    doodle = make_doodle(5, 0, subject="balloon", motion="up")
    thin, wide = (render_doodle(doodle, 2, SIZE, line_width=width) for width in (0.5, 2.0))
    assert thin.min() > 30, "half a pixel's ink, and more only where lines meet"
    assert wide.min() == 0 and (255 - wide).sum() > 2.5 * (255 - thin.astype(int)).sum()


def test_without_variety_all_drawings_of_a_subject_are_alike():
    def looks(variety: float) -> set[tuple]:
        doodles = [make_doodle(1, i, subject="bird", variety=variety) for i in range(20)]
        return {
            (doodle.actors[0].proportions, tuple(paint["fill"] for _, paint in doodle.backdrop))
            for doodle in doodles
        }

    assert len(looks(0.0)) == 1 and len(looks(0.3)) == len(looks(1.0)) == 20
    assert make_doodle(1, 3, variety=1.0).svg(0.2) == make_doodle(1, 3).svg(0.2)
    with pytest.raises(ValueError, match="variety must lie between 0 and 1, got 2"):
        DrawingConfig(variety=2)


def test_subjects_and_their_motions_take_turns():
    motions = ("fall", "bounce", "flap")
    drawn = [make_doodle_of(3, index, ("ball", "bird"), motions) for index in range(6)]
    assert [doodle.subjects for doodle in drawn] == [("ball",), ("bird",)] * 3
    assert {doodle.motions for doodle in drawn[::2]} == {("fall",), ("bounce",)}
    assert {doodle.motions for doodle in drawn[1::2]} == {("flap",)}
    any_motion = {make_doodle_of(3, index, ("ball",)).motions for index in range(40)}
    assert len(any_motion) > 4


def test_both_looks_are_one_drawing():
    for index in range(30):
        doodle = make_doodle(4, index)
        sketch, filled = (doodle.shapes(0.3, 256, look) for look in ("sketch", "filled"))
        num_strokes = sum(len(actor.strokes(0.3)[1]) for actor in doodle.actors)
        assert [shape.segments for shape in sketch[-num_strokes:]] == [
            shape.segments for shape in filled[-num_strokes:]
        ]


def test_small_and_big_are_true_of_the_drawing():
    seen = set()
    for index in range(300):
        doodle = make_doodle(9, index)
        if len(doodle.actors) == 1 and not doodle.ground:
            sides = [extent(frame) for frame in render_doodle(doodle, 6, SIZE)]
            if re.search(r"\b(small|little)\b", doodle.prompt):
                seen.add("small")
                assert max(sides) < 0.52 * SIZE, doodle.prompt
            if re.search(r"\b(big|large)\b", doodle.prompt):
                seen.add("big")
                assert max(sides) > 0.6 * SIZE, doodle.prompt
    assert seen == {"small", "big"}


def test_names_are_unique_and_plain():
    names = [make_doodle(0, index).name for index in range(150)]
    assert len(set(names)) == 150
    assert all(re.fullmatch(r"\d{5}(-[a-z]+)+", name) for name in names)


def test_all_subjects_are_drawn_about_as_often():
    drawn = [make_doodle(0, index).subjects[0] for index in range(650)]
    counts = [drawn.count(subject) for subject in SUBJECTS]
    assert min(counts) >= 2 and max(counts) <= 24


def test_an_unknown_subject_or_motion_is_refused():
    with pytest.raises(ValueError, match="none of the subjects given has a motion 'flap'; they h"):
        DrawingConfig(subjects=("ball",), motions=("flap",))
    with pytest.raises(ValueError, match="no subject 'unicorn'"):
        make_doodle(0, 0, subject="unicorn")
    with pytest.raises(ValueError, match="fish has no motion 'walk-left'"):
        make_doodle(0, 0, subject="fish", motion="walk-left")

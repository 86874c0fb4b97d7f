"""A raster drawing traced: strokes where a pen went, of its width, and fills where all is black."""

import numpy as np
import pytest
from PIL import Image

from flipsketch.doodles.doodle import make_doodle
from flipsketch.livesketch.tracing import trace
from flipsketch.livesketch.vector import VectorSketch, draw_vector, read_vector, write_vector
from flipsketch.svg.reader import rasterize_svg
from flipsketch.svg.render import draw

SIZE = 256


def drawing(paths: str, width: int = SIZE, height: int = SIZE) -> np.ndarray:
    svg = (
        f'<svg viewBox="0 0 {width} {height}"><g fill="none" stroke="black" stroke-width="4" '
        f'stroke-linecap="round" stroke-linejoin="round">{paths}</g></svg>'
    )
    size = max(width, height)
    square = rasterize_svg(svg.encode(), size)
    top, left = (size - height) // 2, (size - width) // 2
    return square[top : top + height, left : left + width]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the ink that two drawings share, of all that either has."""
    one, other = (255.0 - pixels[..., 0] for pixels in (one, other))
    return np.minimum(one, other).sum() / np.maximum(one, other).sum()


def ends(sketch: VectorSketch) -> list[np.ndarray]:
    """Return the first and last point of each shape in pixels, the leftmost first."""
    found = [SIZE * sketch.points[shape.segments[[0, -1], [0, -1]]] for shape in sketch.shapes]
    return [end[np.argsort(end[:, 0])] for end in found]


@pytest.mark.parametrize("index", range(5))
def test_doodles_drawn_again_look_as_before(index):
    doodle = make_doodle(7, index)
    pixels = draw(doodle.shapes(0.3, SIZE), SIZE, SIZE)
    sketch = trace(pixels)
    # Most lose a hundredth or two where lines meet; lines are 1.5 to 3.3 pixels wide.
    assert overlap(pixels, draw_vector(sketch, sketch.points, SIZE)) > 0.83
    # Lines that overlap are traced as one, and circles that touch as several.
    assert 0.6 < len(sketch.shapes) / len(doodle.shapes(0.3)) < 1.5
    widths = [SIZE * shape.stroke_width for shape in sketch.shapes if not shape.is_filled]
    assert np.median(widths) == pytest.approx(doodle.line_width, rel=0.12)


def test_a_traced_drawing_is_the_same_when_it_is_written_and_read():
    pixels = draw(make_doodle(7, 0).shapes(0.3, SIZE), SIZE, SIZE)
    sketch = trace(pixels)
    again = read_vector(write_vector(sketch, sketch.points))
    assert len(again.shapes) == len(sketch.shapes)
    assert np.allclose(again.points, sketch.points, atol=1e-4)


@pytest.mark.parametrize("width", [2, 9])
def test_strokes_have_the_width_that_they_were_drawn_with(width):
    path = f'<path d="M40 60C90 20 140 180 220 120" stroke-width="{width}"/>'
    (shape,) = trace(drawing(path)).shapes
    assert not shape.is_filled
    assert SIZE * shape.stroke_width == pytest.approx(width, abs=0.4)


def test_a_circle_is_one_closed_stroke():
    sketch = trace(drawing('<circle cx="120" cy="130" r="60"/>'))
    (shape,) = sketch.shapes
    assert shape.segments[0, 0] == shape.segments[-1, -1] and len(shape.segments) < 20
    radii = np.hypot(*(SIZE * sketch.points[shape.segments[:, 0]] - [120, 130]).T)
    assert np.abs(radii - 60).max() < 0.5


@pytest.mark.parametrize("angle", [90, 45])
def test_lines_that_cross_are_two_straight_strokes(angle):
    x, y = 80 * np.cos(np.radians(angle / 2)), 80 * np.sin(np.radians(angle / 2))
    lines = [(-x, -y, x, y), (-x, y, x, -y)]
    paths = "".join(f'<path d="M{128 + a} {128 + b}L{128 + c} {128 + d}"/>' for a, b, c, d in lines)
    found = sorted(ends(trace(drawing(paths))), key=lambda end: end[0, 1])
    assert len(found) == 2
    for end, line in zip(found, lines, strict=True):
        assert np.abs(end - 128 - np.reshape(line, (2, 2))).max() < 2


def test_a_line_that_ends_in_another_reaches_its_middle():
    found = ends(trace(drawing('<path d="M40 100H200"/><path d="M120 100V200"/>')))
    bar, stem = sorted(found, key=lambda end: end[0, 0])
    assert np.abs(bar - [[40, 100], [200, 100]]).max() < 1
    stem = stem[np.argsort(stem[:, 1])]
    assert np.abs(stem - [[120, 100], [120, 200]]).max() < 1


def test_a_sharp_corner_stays_sharp():
    sketch = trace(drawing('<path d="M40 200L128 50L216 200"/>'))
    (shape,) = sketch.shapes
    tops = SIZE * sketch.points[shape.segments[:, 0]]
    assert np.hypot(*(tops - [128, 50]).T).min() < 3


def test_solid_areas_are_fills_and_their_holes_stay_open():
    fill = 'fill="black" fill-rule="evenodd"'
    square = f'<path d="M80 80H180V180H80ZM110 110V150H150V110Z" {fill}/>'
    pixels = drawing(square + '<path d="M20 130H80"/><path d="M200 60V200"/>')
    sketch = trace(pixels)
    assert [shape.is_filled for shape in sketch.shapes] == [True, False, False]
    drawn = draw_vector(sketch, sketch.points, SIZE)
    assert drawn[130, 130, 0] == 255 and drawn[95, 130, 0] == 0
    assert overlap(pixels, drawn) > 0.93


def test_a_dot_stays_a_dot():
    pixels = drawing('<path d="M60 60h0.01"/><path d="M40 120H200"/>')
    sketch = trace(pixels)
    assert len(sketch.shapes) == 2
    assert overlap(pixels, draw_vector(sketch, sketch.points, SIZE)) > 0.85


def test_a_drawing_that_is_not_square_lies_in_the_middle_of_its_square():
    path = '<path d="M20 20C60 80 100 -20 180 40"/>'
    wide = trace(drawing(path, 200, 100))
    assert wide.canvas == (0, 0, 200, 100)
    below = drawing(f'<g transform="translate(0 50)">{path}</g>', 200, 200)
    assert np.abs(wide.points - trace(below).points).max() < 0.01


def test_pale_lines_on_grey_paper_are_traced_in_black():
    pixels = drawing('<path d="M40 60C90 20 140 180 220 120"/>')
    pale = (200 - (255 - pixels.astype(float)) * 0.3).round().astype(np.uint8)
    (shape,) = trace(pale).shapes
    assert shape.ink == 1 and SIZE * shape.stroke_width == pytest.approx(4, abs=0.5)


def test_outlines_of_coloured_areas_are_traced():
    path = '<path d="M60 60H200V200H60Z"'
    coloured = drawing(f'{path} fill="#9ec9e8"/>')
    plain = drawing(f"{path}/>")
    sketch = trace(coloured)
    assert overlap(plain, draw_vector(sketch, sketch.points, SIZE)) > 0.85


def noise() -> np.ndarray:
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (64, 64), np.uint8))
    return np.asarray(image.resize((SIZE, SIZE)).convert("RGB"))


@pytest.mark.parametrize(
    "pixels, message",
    [
        (np.full((64, 64, 3), 255, np.uint8), "there is nothing to trace"),
        (255 - drawing('<path d="M40 60H200"/>'), "on paper of level 0 of 255"),
        (noise(), "cannot be traced"),
        (np.tile(noise()[:64, :64] // 16 * 16, (8, 8, 1)), "cannot be traced"),
    ],
)
def test_what_is_no_line_drawing_is_refused(pixels, message):
    with pytest.raises(ValueError, match=message):
        trace(pixels)

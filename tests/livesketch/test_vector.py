"""A sketch is read as control points, and written and drawn as it was read."""

from pathlib import Path

import numpy as np
import pytest

from flipsketch.livesketch.vector import (
    VectorShape,
    VectorSketch,
    draw_vector,
    read_vector,
    write_vector,
)
from flipsketch.svg.reader import rasterize_svg

SKETCHES = sorted((Path(__file__).parents[2] / "data" / "sketches").glob("*.svg"))
OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
PEN = 'fill="none" stroke="black" stroke-width="4" stroke-linecap="round"'


def read(body: str, opening: str = OPEN) -> VectorSketch:
    return read_vector(f"{opening}{body}</svg>".encode())


def test_a_cubic_is_its_four_points():
    sketch = read(f'<path d="M8 16 C16 0 32 64 56 48" {PEN}/>')
    assert np.array_equal(sketch.points * 64, [[8, 16], [16, 0], [32, 64], [56, 48]])
    (shape,) = sketch.shapes
    assert shape.segments.tolist() == [[0, 1, 2, 3]]
    assert shape.stroke_width * 64 == 4 and not shape.is_filled and shape.ink == 1


def test_a_line_has_its_handles_at_its_thirds():
    sketch = read(f'<path d="M8 8 H32 V56" {PEN}/>')
    assert sketch.shapes[0].segments.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6]]
    steps = np.diff(sketch.points * 64, axis=0)
    assert np.allclose(steps, [[8, 0]] * 3 + [[0, 16]] * 3)


@pytest.mark.parametrize("path", ["M8 8 H32 V32 Z", "M8 8 H32 V32 L8 8 Z", "m8 8h24v24z"])
def test_a_closed_path_ends_in_the_row_in_which_it_began(path):
    sketch = read(f'<path d="{path}" {PEN}/>')
    assert sketch.shapes[0].segments.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 0]]
    assert len(sketch.points) == 9


def test_subpaths_share_no_points():
    sketch = read(f'<path d="M8 8 H32 Z H16 M40 40 H50 M60 60" {PEN}/>')
    expected = [[0, 1, 2, 3], [3, 4, 5, 0], [6, 7, 8, 9], [10, 11, 12, 13]]
    assert sketch.shapes[0].segments.tolist() == expected
    assert np.array_equal(sketch.points[6], sketch.points[0])


@pytest.mark.parametrize(
    "shape",
    [
        '<circle cx="32" cy="24" r="16" {pen}/>',
        '<g transform="rotate(40 32 24)"><ellipse cx="32" cy="24" rx="16" ry="16" {pen}/></g>',
        '<path d="M48 24 A16 16 0 0 1 16 24 A16 16 0 0 1 48 24 Z" {pen}/>',
    ],
)
def test_a_circle_is_four_cubics_around_its_centre(shape):
    sketch = read(shape.format(pen=PEN))
    segments = sketch.shapes[0].segments
    assert len(segments) == 4 and segments[-1, 3] == segments[0, 0] and len(sketch.points) == 12
    ends = sketch.points[segments[:, 3]] * 64 - [32, 24]
    assert np.allclose(np.hypot(*ends.T), 16)


def test_a_transform_moves_points_and_scales_the_pen():
    sketch = read(f'<path transform="translate(32 0) scale(2)" d="M0 4 H8" {PEN}/>')
    assert np.allclose(sketch.points[[0, 3]] * 64, [[32, 8], [48, 8]])
    assert np.isclose(sketch.shapes[0].stroke_width * 64, 8)


def test_a_wide_canvas_is_centred_in_the_unit_square():
    sketch = read(f'<path d="M10 0 H90" {PEN}/>', '<svg viewBox="0 -20 100 60">')
    assert np.allclose(sketch.points[[0, 3]], [[0.1, 0.4], [0.9, 0.4]])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<rect width="9" height="9" fill="red"/>', "shape 1 of 1 .* fill #ff0000 at 100%"),
        ('<rect width="9" height="9" fill-opacity="0.5"/>', "fill #000000 at 50%"),
        (f'<path d="M0 0H9" {PEN}/><circle r="9" fill="#fff"/>', "shape 2 of 2 .* white fill"),
        (f'<path d="M0 0H9" {PEN}/><path d="M0 0V9" stroke="#fefefe"/>', "white stroke #fefefe"),
        ('<circle r="9" stroke="white"/>', "white stroke .* on its fill"),
        (f'<g transform="scale(1 3)"><path d="M0 0H9" {PEN}/></g>', "stretches 3 times"),
        ('<rect width="64" height="64" fill="white"/>', "draws nothing on white paper"),
        (f'<path d="M1 1" {PEN}/>', "draws nothing on white paper"),
        (f'<path d="M{"0 0L1 1 " * 1_001}" {PEN}/>', "2,001 lines and curves, .* at most 2,000"),
        (f'<path d="M{"0 0L64 64 " * 201}" {PEN}/>', "as the length of all lines"),
        ('<path d="M0 32H64" stroke-width="99" stroke="#000"/>' * 9, "as the area of all shapes"),
        (f'<path d="M0 60000H9" {PEN}/>', "938 sides of its canvas to its farthest point"),
        ('<image href="a.png" width="9" height="9"/>', "draws nothing but images"),
    ],
)
def test_what_is_not_strokes_or_black_fills_is_refused(body, reason):
    with pytest.raises(ValueError, match=reason):
        read(body)


def test_white_paper_below_is_left_out():
    paper = '<rect width="64" height="64" fill="white" stroke="white"/>'
    body = f'{paper}<circle cx="30" cy="30" r="9" fill="#fff" stroke="black"/>'
    (shape,) = read(body).shapes
    assert not shape.is_filled and shape.stroke_width > 0 and shape.paint["fill"] == "none"


@pytest.mark.parametrize("path", SKETCHES, ids=lambda path: path.stem)
def test_a_sketch_that_is_written_is_drawn_with_the_same_pixels(path):
    sketch = read_vector(path.read_bytes())
    written = write_vector(sketch, sketch.points)
    for size in (64, 333):
        drawn = draw_vector(sketch, sketch.points, size)
        assert np.array_equal(drawn, rasterize_svg(written, size))
    # Cairo draws arcs and relative lines by ways of its own, and rounds them differently.
    original = rasterize_svg(path.read_bytes(), 333)
    assert np.abs(drawn.astype(int) - original).mean() < 0.05
    again = read_vector(written)
    assert write_vector(again, again.points) == written
    assert [shape.paint for shape in again.shapes] == [shape.paint for shape in sketch.shapes]


def test_paint_is_written_as_it_was_read():
    body = (
        '<path d="M8 8H56V56H8Z M16 16H48V48H16Z" fill="#111" fill-rule="evenodd"/>'
        '<path d="M4 4H60" stroke="#1b3244" stroke-opacity=".75" stroke-width="3" '
        'stroke-linecap="square" stroke-linejoin="bevel" transform="translate(0 50)"/>'
    )
    sketch = read(body)
    written = write_vector(sketch, sketch.points)
    original = rasterize_svg(f"{OPEN}{body}</svg>".encode(), 128)
    assert np.abs(rasterize_svg(written, 128).astype(int) - original).max() <= 1


def test_moved_points_move_the_drawing():
    sketch = read(f'<path d="M8 8 C16 40 32 0 40 24" {PEN}/>', '<svg viewBox="0 0 64 32">')
    moved = sketch.points + [8 / 64, 4 / 64]
    drawn, still = draw_vector(sketch, moved, 64), draw_vector(sketch, sketch.points, 64)
    assert np.array_equal(drawn, rasterize_svg(write_vector(sketch, moved), 64))
    assert np.array_equal(drawn[20:44, 8:], still[16:40, :-8])
    assert (still < 255).any() and (draw_vector(sketch, sketch.points + 2, 64) == 255).all()


def test_thin_lines_are_drawn_as_wide_as_asked():
    sketch = read('<path d="M8 32 H56" fill="none" stroke="black" stroke-width="0.125"/>')
    thin = draw_vector(sketch, sketch.points, 64)
    wide = draw_vector(sketch, sketch.points, 64, min_line_width=2)
    assert thin.min() > 200 and np.array_equal(np.nonzero(wide[:, 32, 0] == 0)[0], [31, 32])


@pytest.mark.parametrize("far", [np.nan, np.inf, 2_000.0])
def test_points_that_cannot_be_drawn_are_refused(far):
    sketch = read(f'<path d="M8 8 H32" {PEN}/>')
    points = sketch.points.copy()
    points[2, 1] = far
    for make in (write_vector, lambda *drawn: draw_vector(*drawn, 64)):
        with pytest.raises(ValueError, match="they must be finite and below 1,000"):
            make(sketch, points)


def test_points_of_a_whole_clip_are_refused():
    sketch = read(f'<path d="M8 8 H32" {PEN}/>')
    with pytest.raises(ValueError, match=r"of shape \(4, 2\), got \(3, 4, 2\); give those of one"):
        write_vector(sketch, np.stack([sketch.points] * 3))


def test_a_drawing_of_ones_own_needs_points_and_segments_alone():
    points = np.array([[0.25, 0.5], [0.4, 0.5], [0.6, 0.5], [0.75, 0.5]])
    shape = VectorShape(np.array([[0, 1, 2, 3]]), 4 / 64)
    sketch = VectorSketch(points, (shape,))
    again = read_vector(write_vector(sketch, points))
    assert np.allclose(again.points, points) and again.shapes[0].paint == shape.paint
    assert np.array_equal(draw_vector(again, again.points, 64), draw_vector(sketch, points, 64))

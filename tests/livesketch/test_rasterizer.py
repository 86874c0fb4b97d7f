"""Ink is what cairo draws, with true gradients, and no sketch or frame knows of another."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from flipsketch.livesketch import nearest
from flipsketch.livesketch.rasterizer import VectorBatch
from flipsketch.livesketch.vector import (
    BLACK_STROKE,
    VectorShape,
    VectorSketch,
    draw_vector,
    read_vector,
)

SKETCHES = sorted((Path(__file__).parents[2] / "data" / "sketches").glob("*.svg"))
FILL = {**BLACK_STROKE, "fill": "#000000", "fill-opacity": 1.0, "stroke": "none"}
OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'


def read(body: str, opening: str = OPEN) -> VectorSketch:
    return read_vector(f"{opening}{body}</svg>".encode())


def scribble(num_strokes: int, width: float = 3 / 256, closed: bool = False) -> VectorSketch:
    """Random strokes of three cubics, or one where there are many."""
    generator = np.random.default_rng(0)
    num_cubics = 3 if num_strokes < 50 else 1
    points, shapes = [], []
    for _ in range(num_strokes):
        steps = generator.normal(scale=0.06, size=(3 * num_cubics, 2))
        start = generator.uniform(0.2, 0.8, size=(1, 2))
        stroke = np.concatenate([start, start + steps.cumsum(axis=0)])[: -1 if closed else None]
        rows = np.arange(0, 3 * num_cubics, 3)[:, None] + np.arange(4)
        rows = rows % len(stroke) + sum(map(len, points))
        points.append(stroke)
        shapes.append(VectorShape(rows, width))
    return VectorSketch(np.concatenate(points), tuple(shapes))


def fill(sketch: VectorSketch, width: float = 0.0) -> VectorSketch:
    shapes = [VectorShape(shape.segments, width, True, FILL) for shape in sketch.shapes]
    return VectorSketch(sketch.points, tuple(shapes))


def frames_of(batch: VectorBatch, num_frames: int = 2, dtype=torch.float64) -> Tensor:
    """The sketches with every point of every frame moved a little by itself."""
    noise = torch.randn(num_frames, *batch.points.shape, generator=torch.Generator().manual_seed(3))
    return (batch.points + 0.01 * noise).to(dtype).requires_grad_()


def weights_like(ink: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ink.shape, generator=generator, dtype=ink.dtype)


@pytest.mark.parametrize("path", SKETCHES, ids=lambda path: path.stem)
def test_ink_is_what_cairo_draws(path):
    sketch = read_vector(path.read_bytes())
    batch = VectorBatch.pack([sketch])
    for size, most in ((64, 1.5), (256, 0.5)):
        ink = batch.rasterize(batch.points[None].float(), size)
        assert ink.shape == (1, 1, size, size) and ink.min() >= 0 and ink.max() <= 1
        drawn = draw_vector(sketch, sketch.points, size)[..., 0]
        assert np.abs(255 - 255 * ink[0, 0].numpy() - drawn).mean() < most


@pytest.mark.parametrize("width", [0.3, 1, 3, 9.5])
@pytest.mark.parametrize("degrees", [0, 19, 37, 78])
def test_a_line_has_as_much_ink_as_its_area(width, degrees):
    pen = f'fill="none" stroke="black" stroke-width="{width}"'
    turned = f'transform="rotate({degrees} 32 32)" d="M-90 32H150"'
    batch = VectorBatch.pack([read(f"<path {turned} {pen}/>")])
    ink = batch.rasterize(batch.points[None], 64)
    angle = math.radians(degrees)
    length = 64 / max(math.cos(angle), math.sin(angle))
    assert math.isclose(ink.sum(), length * width, rel_tol=0.01)


@pytest.mark.parametrize(
    "sketch",
    [
        pytest.param(scribble(1), id="one stroke"),
        pytest.param(scribble(300), id="300 strokes"),
        pytest.param(scribble(5, closed=True), id="closed"),
        pytest.param(scribble(5, width=0.5 / 256), id="thin"),
        pytest.param(scribble(5, width=12 / 64), id="thick"),
        pytest.param(fill(scribble(3, closed=True)), id="filled"),
        pytest.param(fill(scribble(3), width=2 / 64), id="filled, open, with a stroke"),
    ],
)
def test_gradients_are_those_of_finite_differences(sketch):
    batch = VectorBatch.pack([sketch])
    points = frames_of(batch)
    weights = weights_like(torch.empty(1, 2, 64, 64, dtype=torch.float64))

    def loss(points: Tensor) -> Tensor:
        return (batch.rasterize(points, 64) * weights).sum()

    loss(points).backward()
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        # So small that no pixel comes to where its coverage has a kink.
        step = 1e-9 * torch.randn(points.shape, generator=generator, dtype=points.dtype)
        with torch.no_grad():
            found = (loss(points + step) - loss(points - step)) / 2
            expected = (points.grad * step).sum()
        assert abs(found - expected) < 1e-13 + 1e-6 * abs(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.0, 1e-30, 1e-8])
def test_points_that_coincide_give_neither_nan_nor_ink_elsewhere(dtype, spread):
    dot = VectorShape(np.array([[0, 1, 2, 3], [3, 4, 5, 0]]), 2 / 64)
    twice = VectorShape(np.array([[6, 6, 6, 6]]), 3 / 64)
    solid = VectorShape(np.array([[7, 8, 9, 7]]), 0.0, True, FILL)
    points = np.full((10, 2), 0.5 + 0.5 / 64) + spread * np.arange(20).reshape(10, 2)
    batch = VectorBatch.pack([VectorSketch(points, (dot, twice, solid, dot))])
    points = batch.points[None].to(dtype).requires_grad_()
    ink = batch.rasterize(points, 64)
    (ink * weights_like(ink)).sum().backward()
    assert ink.isfinite().all() and points.grad.isfinite().all()
    assert ink[0, 0, 32, 32] == 1 and 0 < ink.sum() < 20


def pack_and_rows(dtype) -> tuple[VectorBatch, list[VectorBatch], Tensor]:
    sketches = [scribble(7), fill(scribble(2, closed=True)), scribble(1, 8 / 64), scribble(60)]
    sketches += [read('<path d="M0 9H90" stroke="#555"/>', '<svg viewBox="0 0 90 31">')]
    batch = VectorBatch.pack(sketches)
    return batch, [VectorBatch.pack([sketch]) for sketch in sketches], frames_of(batch, 3, dtype)


@pytest.mark.parametrize("size", [64, 101])
def test_a_batch_is_its_rows_and_frames_bit_by_bit(size, monkeypatch):
    batch, rows, points = pack_and_rows(torch.float32)
    # So that the frames of one call are searched in several parts.
    monkeypatch.setattr(nearest, "MAX_CANDIDATES", 10_000)
    ink = batch.rasterize(points, size, min_line_width=0.75)
    weights = weights_like(ink)
    (ink * weights).sum().backward()
    monkeypatch.undo()
    own_points = batch.split(points.detach())
    for number, row in enumerate(rows):
        alone = own_points[number].clone().requires_grad_()
        own_ink = row.rasterize(alone, size, min_line_width=0.75)
        assert torch.equal(own_ink[0], ink[number])
        (own_ink * weights[number : number + 1]).sum().backward()
        assert torch.equal(alone.grad, batch.split(points.grad)[number])
        frame = row.rasterize(alone[1:2], size, min_line_width=0.75)
        assert torch.equal(frame[0, 0], ink[number, 1])


def test_a_sketch_whose_points_are_lost_does_not_touch_the_others():
    batch, _, points = pack_and_rows(torch.float32)
    expected = batch.rasterize(points, 64)
    (expected * weights_like(expected)).sum().backward()
    is_other = batch.sketch_of_point != 0
    for lost in (torch.nan, torch.inf, 1e30):
        spoilt = points.detach().clone()
        spoilt[1:, 3] = lost
        spoilt.requires_grad_()
        ink = batch.rasterize(spoilt, 64)
        assert torch.equal(ink[1:], expected[1:])
        (ink * weights_like(ink)).sum().backward()
        assert torch.equal(spoilt.grad[:, is_other], points.grad[:, is_other])


@pytest.mark.parametrize("cap", ["butt", "round", "square"])
@pytest.mark.parametrize("width", [0.3, 1.0, 2.5])
def test_a_stroke_has_the_ink_of_its_caps(cap, width):
    overhang = {"butt": 0, "round": math.pi / 8, "square": 1 / 2}[cap] * width
    generator = np.random.default_rng(0)
    for length in (3, 20):
        lines = []
        for _ in range(100):
            middle, turn = generator.uniform(30, 34, 2), generator.uniform(0, 7)
            steps = np.outer([-1 / 2, -1 / 6, 1 / 6, 1 / 2], [math.cos(turn), math.sin(turn)])
            paint = {**BLACK_STROKE, "stroke-linecap": cap}
            shape = VectorShape(np.array([[0, 1, 2, 3]]), width / 64, paint=paint)
            lines.append(VectorSketch((middle + length * steps) / 64, (shape,)))
        batch = VectorBatch.pack(lines)
        ink = batch.rasterize(batch.points[None], 64).sum() / len(lines)
        assert math.isclose(ink, width * (length + 2 * overhang), rel_tol=0.02)


@pytest.mark.parametrize("rule", ["nonzero", "evenodd"])
def test_fills_are_black_inside_and_have_no_inner_edges(rule):
    # A star whose outline crosses itself, larger than the square, and a hole.
    star = '<path d="M32 -20 L60 80 L-20 20 L84 20 L4 80 Z M30 30H34V34H30Z" fill-rule="{}"/>'
    sketch = read(star.format(rule))
    batch = VectorBatch.pack([sketch])
    ink = 255 * batch.rasterize(batch.points[None], 64)[0, 0].numpy()
    drawn = 255.0 - draw_vector(sketch, sketch.points, 64)[..., 0]
    assert np.abs(ink - drawn).mean() < 1.5
    assert (ink[drawn == 255] > 254).mean() > 0.99 and (ink[drawn == 0] < 1).mean() > 0.99


def test_an_open_path_is_filled_up_to_the_line_that_closes_it():
    sketch = read('<path d="M8 8 H56 V56"/><path d="M8 50 V60 H20" stroke="black"/>')
    batch = VectorBatch.pack([sketch])
    ink = batch.rasterize(batch.points[None], 64)[0, 0].numpy()
    drawn = 1 - draw_vector(sketch, sketch.points, 64)[..., 0] / 255
    assert np.abs(ink - drawn).mean() < 0.5 / 255


def test_ink_ends_where_a_wide_canvas_does():
    body = '<path d="M-9 2 C20 40 60 -20 99 29" fill="none" stroke="black" stroke-width="5"/>'
    sketch = read(body, '<svg viewBox="0 0 90 31">')
    batch = VectorBatch.pack([sketch])
    for size in (64, 101):
        ink = batch.rasterize(batch.points[None], size)[0, 0].numpy()
        drawn = 1 - draw_vector(sketch, sketch.points, size)[..., 0] / 255
        assert np.abs(ink - drawn).mean() < 1 / 255
        assert np.array_equal(ink.any(axis=1), drawn.any(axis=1))


def test_thin_lines_are_as_wide_as_asked_and_pale_ones_as_pale_as_painted():
    body = '<path d="M-9 32 H80" fill="none" stroke="{}" stroke-width="{}"/>'
    inks = []
    for paint in (("black", 0.01), ("black", 1), ("#808080", 1)):
        batch = VectorBatch.pack([read(body.format(*paint))])
        inks.append(batch.rasterize(batch.points[None], 64, min_line_width=1.0))
    assert torch.equal(inks[0], inks[1]) and math.isclose(inks[1].max(), 0.5)
    assert torch.allclose(inks[2], inks[1] * 127 / 255)


@pytest.mark.parametrize(
    ("limit", "what"),
    [("MAX_PIECES", "straight pieces of lines"), ("MAX_PIXELS", "pixels to draw")],
)
def test_too_much_work_for_one_call_is_refused(limit, what, monkeypatch):
    batch = VectorBatch.pack([fill(scribble(20))])
    monkeypatch.setattr(nearest, limit, 15_000)
    batch.rasterize(batch.points[None], 64)
    with pytest.raises(ValueError, match=rf"{what} in one call, the limit is 15,000; draw fewer"):
        batch.rasterize(batch.points.expand(60, -1, -1), 64)

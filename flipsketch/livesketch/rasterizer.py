"""A differentiable rasterizer for strokes and black fills, in plain torch, many sketches at once.

A picture's ink is the union of its shapes' coverage, as cairo composites them: 1 - prod(1 - c), c
being how far a pixel's centre lies inside of the edge of the line, in pixels, from 0 to 1. For each
pixel only the nearest point of a shape counts. It is searched for without gradient: each short
piece of a curve looks at the few pixels around it. By the envelope theorem it may then be taken as
a fixed mixture of its curve's four control points, and the distance to it has the true gradient.

Joins are round, and so are caps, but trimmed to the ink that the paint's caps have; the final clips
are drawn by cairo, as the paint says. Where shapes of different grey cross, the darker shows.

On a CPU a batch equals its rows bit by bit, with any number of threads: all sums over pixels and
points are made in the order of shapes and pixels. On CUDA `index_add` adds in any order, unless
`torch.use_deterministic_algorithms(True)` is set; the search (minima only) is exact there as well.

B: sketches, F: frames, P: points, S: cubics and K: shapes of all sketches, N: pixels near a shape.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flipsketch.livesketch.flattening import Shapes, mix, take
from flipsketch.livesketch.nearest import Nearest, find_nearest
from flipsketch.livesketch.vector import VectorShape, VectorSketch, place_canvas

OVERHANGS = {"round": math.pi / 4, "square": 1.0}
"""Of the caps of strokes, in half widths at the same area; a butt has none."""
FAR = 1e6
"""In pixels: as far away from the square as control points are looked for."""


@dataclass(frozen=True)
class VectorBatch:
    """Sketches that are drawn in one call; their points lie one after the other."""

    points: Tensor
    """The sketches' own, float64 (P, 2), in sides of the square."""
    sketch_of_point: Tensor
    cubics: Tensor
    """Rows of points (S, 4)."""
    shape_of_cubic: Tensor
    is_closing: Tensor
    """Whether a cubic only closes the fill of an open path (S)."""
    is_start: Tensor
    is_end: Tensor
    """Whether it begins or ends an open stroke (S)."""
    sketch_of_shape: Tensor
    stroke_width: Tensor
    overhang: Tensor
    ink: Tensor
    is_filled: Tensor
    is_even_odd: Tensor
    """One a shape (K); widths in sides of the square, overhangs of caps in half widths."""
    canvases: tuple[tuple[float, float, float, float], ...]
    """One a sketch."""

    @classmethod
    def pack(cls, sketches: Sequence[VectorSketch]) -> "VectorBatch":
        shapes = [shape for sketch in sketches for shape in sketch.shapes]
        num_points = [len(sketch.points) for sketch in sketches]
        num_shapes = [len(sketch.shapes) for sketch in sketches]
        points = torch.from_numpy(np.concatenate([sketch.points for sketch in sketches]))
        outlines = [outline_of(shape) for shape in shapes]
        num_cubics = [len(outline) for outline in outlines]
        outline = torch.from_numpy(np.concatenate(outlines))
        sketch_of_shape = repeat_numbers(num_shapes)
        shape_of_cubic = repeat_numbers(num_cubics)
        first_point = torch.tensor([0, *np.cumsum(num_points)])[sketch_of_shape][shape_of_cubic]
        is_closing, is_start, is_end = outline[:, 4:].bool().T
        numbers = [
            (shape.stroke_width, OVERHANGS.get(str(shape.paint["stroke-linecap"]), 0.0), shape.ink)
            for shape in shapes
        ]
        stroke_width, overhang, ink = torch.tensor(numbers, dtype=points.dtype).T
        return cls(
            points=points,
            sketch_of_point=repeat_numbers(num_points),
            cubics=outline[:, :4] + first_point[:, None],
            shape_of_cubic=shape_of_cubic,
            is_closing=is_closing,
            is_start=is_start,
            is_end=is_end,
            sketch_of_shape=sketch_of_shape,
            stroke_width=stroke_width,
            overhang=overhang,
            ink=ink,
            is_filled=torch.tensor([shape.is_filled for shape in shapes]),
            is_even_odd=torch.tensor([shape.paint["fill-rule"] == "evenodd" for shape in shapes]),
            canvases=tuple(sketch.canvas for sketch in sketches),
        )

    def to(self, device: torch.device | str) -> "VectorBatch":
        moved: dict[str, Any] = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def split(self, points: Tensor) -> list[Tensor]:
        """Return each sketch's own points (F, P of the sketch, 2)."""
        counts = torch.bincount(self.sketch_of_point, minlength=len(self.canvases))
        return list(points.split(counts.tolist(), dim=-2))

    def rasterize(self, points: Tensor, size: int, *, min_line_width: float = 0.0) -> Tensor:
        """Return ink (B, F, size, size): 0 white, 1 black; differentiable in the points.

        Points that are not finite give no error, and NaN at most in pictures of their own sketch.
        Raises ValueError if all sketches and frames together are too much work for one call.

        Args:
            points: in sides of the square (F, P, 2), float32 or float64.
            min_line_width: thinner lines are drawn this wide, in pixels.
        """
        left, top, mask = self.place(points, size)
        half_width = (self.stroke_width.to(points.dtype) * size).clamp(min=min_line_width) / 2
        half_width = torch.where(self.stroke_width > 0, half_width, 0.0)
        rows = self.cubics.flatten()
        # Control points in columns (4, F x S): along one dimension gradients are added up fast.
        x = (points[..., 0] * size + left).index_select(1, rows).view(-1, 4).T.contiguous()
        y = (points[..., 1] * size + top).index_select(1, rows).view(-1, 4).T.contiguous()
        with torch.no_grad():
            trim = trim_of(half_width, self.overhang.to(half_width))[self.shape_of_cubic]
            shapes = Shapes(
                half_width,
                self.is_filled,
                self.is_even_odd,
                self.shape_of_cubic,
                ~self.is_closing | (self.stroke_width == 0)[self.shape_of_cubic],
                self.is_start * trim,
                self.is_end * trim,
            )
            # Points that are not finite would reach no picture, or all.
            corners = torch.stack([x, y], dim=1).nan_to_num(nan=FAR, posinf=FAR, neginf=-FAR)
            corners = corners.clamp(-FAR, FAR).unflatten(2, (len(points), -1))
            near = find_nearest(corners, shapes, size)
            # Of all frames, as the rows in x and y.
            shapes = shapes.repeat(len(points))
            ink = self.ink.to(points.dtype).repeat(len(points))
            frame = torch.arange(len(points), device=points.device)
            picture = (self.sketch_of_shape * len(points) + frame[:, None]).flatten()
        # Of the paper, what each shape leaves white. Its logarithms add up.
        shape, column, row = (
            torch.cat(parts) for parts in zip(near.pixels, near.inside, strict=True)
        )
        coverage = torch.cat(
            [cover(x, y, near, shapes), torch.ones_like(near.inside.x, dtype=x.dtype)]
        )
        white = (1 - take(ink, shape) * coverage).clamp(min=torch.finfo(points.dtype).eps)
        total = points.new_zeros(len(self.canvases) * len(points) * size * size)
        total = total.index_add(0, (take(picture, shape) * size + row) * size + column, white.log())
        return (1 - total.exp()).view(-1, len(points), size, size) * mask

    def place(self, points: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return how far points move in x and y, in pixels, to where cairo draws them, and the
        pixels of each canvas (B, 1, size, size).

        A canvas that is not square begins at a whole pixel of its square, and ink ends with it.
        """
        mask = torch.zeros(len(self.canvases), 1, size, size, dtype=points.dtype)
        shifts = torch.zeros(2, len(self.canvases), dtype=points.dtype)
        for number, canvas in enumerate(self.canvases):
            left, top, width, height = place_canvas(canvas, size)
            mask[number, :, top : top + height, left : left + width] = 1
            side = max(canvas[2:])
            shifts[0, number] = left - (1 - canvas[2] / side) * size / 2
            shifts[1, number] = top - (1 - canvas[3] / side) * size / 2
        left, top = shifts.to(points.device)[:, self.sketch_of_point]
        return left, top, mask.to(points.device)


def cover(x: Tensor, y: Tensor, near: Nearest, shapes: Shapes) -> Tensor:
    """Return how much of each pixel its shape covers (N).

    Args:
        x, y: control points of all frames' cubics, in pixels (4, F x S).
    """
    corners = [[take(corner, near.row) for corner in side] for side in (x, y)]
    ends = near.ends
    chords = [mix(ends.chord, [take(corner, ends.place) for corner in side]) for side in corners]
    length = (chords[0] * chords[0] + chords[1] * chords[1]).sqrt()
    # A fixed length is cut off at an end: a longer piece ends further on. This is zero, and has the
    # gradient.
    growth = ends.cut * (length / length.detach() - 1)
    points = [
        mix(near.weights, side).index_add(0, ends.place, growth * chord.detach())
        for side, chord in zip(corners, chords, strict=True)
    ]
    away_x, away_y = near.pixels.x + 0.5 - points[0], near.pixels.y + 0.5 - points[1]
    square = away_x * away_x + away_y * away_y
    # On the line itself the distance has no gradient; its root would have NaN.
    is_off = square > 0
    distance = torch.where(is_off, torch.where(is_off, square, 1.0).sqrt(), 0.0)
    half_width = take(shapes.half_width, near.pixels.shape)
    coverage = (half_width + 0.5 - near.sign * distance).clamp(min=0)
    # A pixel is wider than a thin line.
    is_filled = take(shapes.is_filled, near.pixels.shape)
    return torch.minimum(coverage, torch.where(is_filled, 1.0, (2 * half_width).clamp(max=1)))


def trim_of(half_width: Tensor, overhang: Tensor) -> Tensor:
    """Return by how much a stroke is drawn shorter at an end, in pixels (K).

    Args:
        overhang: of the cap that is painted, see `OVERHANGS` (K).
    """
    # The ink beyond a round end: coverage by distance, summed over half the plane.
    thick = math.pi / 2 * (half_width.square() + 1 / 12)
    thin = math.pi / 2 * half_width * (0.5 + 2 / 3 * half_width.square())
    ink = torch.where(half_width > 0.5, thick, thin)
    return torch.where(half_width > 0, ink / (2 * half_width) - overhang * half_width, 0)


def repeat_numbers(counts: list[int]) -> Tensor:
    """Return 0 as often as the first count says, 1 as often as the second, and so on."""
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


def outline_of(shape: VectorShape) -> np.ndarray:
    """Return the rows of a shape's cubics, and whether each only closes a fill, begins an open
    stroke, or ends one (S, 7).

    A line that closes an open subpath of a fill is a cubic with its handles at its ends.
    """
    rows = shape.segments
    is_start = ~np.isin(rows[:, 0], rows[:, 3])
    is_end = ~np.isin(rows[:, 3], rows[:, 0])
    if not shape.is_filled:
        return np.column_stack([rows, np.zeros(len(rows), int), is_start, is_end])
    starts, ends = rows[is_start, 0], rows[is_end, 3]
    closing = np.column_stack([ends, ends, starts, starts])
    # The outline of a fill is closed, so that it has no ends.
    flags = np.repeat([[0, 0, 0], [1, 0, 0]], [len(rows), len(closing)], axis=0)
    return np.column_stack([np.concatenate([rows, closing]), flags])

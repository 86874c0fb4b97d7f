"""A differentiable rasterizer for strokes and black fills, in plain torch, many sketches at once.

A picture's ink is the union of its shapes' coverage, as cairo composites them: 1 - prod(1 - c), c
being how far a pixel's centre lies inside of the edge of the line, in pixels, from 0 to 1. For each
pixel only the nearest point of a shape counts. It is searched for without gradient: each short
piece of a curve looks at the few pixels around it. By the envelope theorem it may then be taken as
a fixed mixture of its curve's four control points, and the distance to it has the true gradient.

Caps and joins are round, whatever the paint says; cairo draws the final clips as the paint says.
Where shapes of different grey cross, the darker shows.

On a CPU a batch equals its rows bit by bit, with any number of threads: all sums over pixels and
points are made in the order of shapes and pixels. On CUDA `index_add` adds in any order, unless
`torch.use_deterministic_algorithms(True)` is set; the search (minima only) is exact there as well.

B: sketches, F: frames, P: points, S: cubics and K: shapes of all sketches, N: pixels near a shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flipsketch.livesketch.nearest import Nearest, Shapes, find_nearest, take
from flipsketch.livesketch.vector import VectorSketch, place_canvas

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
    """Whether a cubic only closes the fill of an open path."""
    sketch_of_shape: Tensor
    stroke_width: Tensor
    ink: Tensor
    is_filled: Tensor
    is_even_odd: Tensor
    """One a shape; widths in sides of the square."""
    canvases: tuple[tuple[float, float, float, float], ...]
    """One a sketch."""

    @classmethod
    def pack(cls, sketches: Sequence[VectorSketch]) -> "VectorBatch":
        cubics, shape_of_cubic, is_closing = [], [], []
        num_points = num_shapes = 0
        for sketch in sketches:
            for shape in sketch.shapes:
                rows = shape.segments
                closing = closing_cubics(rows) if shape.is_filled else rows[:0]
                cubics += [rows + num_points, closing + num_points]
                shape_of_cubic += [num_shapes] * (len(rows) + len(closing))
                is_closing += [False] * len(rows) + [True] * len(closing)
                num_shapes += 1
            num_points += len(sketch.points)
        shapes = [shape for sketch in sketches for shape in sketch.shapes]
        points = torch.from_numpy(np.concatenate([sketch.points for sketch in sketches]))
        counts = torch.tensor([[len(sketch.points), len(sketch.shapes)] for sketch in sketches]).T
        sketch_of_point, sketch_of_shape = (
            torch.arange(len(sketches)).repeat_interleave(count) for count in counts
        )
        return cls(
            points=points,
            sketch_of_point=sketch_of_point,
            cubics=torch.from_numpy(np.concatenate(cubics)),
            shape_of_cubic=torch.tensor(shape_of_cubic),
            is_closing=torch.tensor(is_closing),
            sketch_of_shape=sketch_of_shape,
            stroke_width=torch.tensor([shape.stroke_width for shape in shapes], dtype=points.dtype),
            ink=torch.tensor([shape.ink for shape in shapes], dtype=points.dtype),
            is_filled=torch.tensor([shape.is_filled for shape in shapes]),
            is_even_odd=torch.tensor(
                [shape.paint.get("fill-rule") == "evenodd" for shape in shapes]
            ),
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
        Raises ValueError if the lines of all frames are too long to be drawn in one call.

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
            shapes = Shapes(
                half_width,
                self.is_filled,
                self.is_even_odd,
                self.shape_of_cubic,
                ~self.is_closing | (self.stroke_width == 0)[self.shape_of_cubic],
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
    away_x = near.pixels.x + 0.5 - mix(x, near)
    away_y = near.pixels.y + 0.5 - mix(y, near)
    square = away_x * away_x + away_y * away_y
    # On the line itself the distance has no gradient; its root would have NaN.
    is_off = square > 0
    distance = torch.where(is_off, torch.where(is_off, square, 1.0).sqrt(), 0.0)
    half_width = take(shapes.half_width, near.pixels.shape)
    coverage = (half_width + 0.5 - near.sign * distance).clamp(min=0)
    # A pixel is wider than a thin line.
    most = torch.where(
        take(shapes.is_filled, near.pixels.shape), 1.0, (2 * half_width).clamp(max=1)
    )
    return torch.minimum(coverage, most)


def mix(side: Tensor, near: Nearest) -> Tensor:
    total: Tensor | float = 0.0
    for weight, column in zip(near.weights, side, strict=True):
        total = total + weight * column.index_select(0, near.row)
    assert isinstance(total, Tensor)
    return total


def closing_cubics(rows: np.ndarray) -> np.ndarray:
    """Return the lines that close a fill's open subpaths: cubics with handles at their ends."""
    begins = np.flatnonzero(np.r_[True, rows[1:, 0] != rows[:-1, 3]])
    starts, ends = rows[begins, 0], rows[np.r_[begins[1:], len(rows)] - 1, 3]
    closing = np.stack([ends, ends, starts, starts], axis=1)
    return closing[starts != ends]

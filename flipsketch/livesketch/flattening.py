"""Curves cut into straight pieces, by how much they bend.

A pixel's distance from a stroke's end gives it more ink than it has, by up to a third of a pixel a
stroke, and the paint may ask for a flat end. So the ends of open paths are trimmed by as much as
gives them the ink of their caps.

F: frames, S: cubics, K: shapes, M: pieces.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

FLATNESS = 0.03
"""In pixels: how far a piece's chord may lie off its curve."""
MIN_LENGTH = 3.0
"""In pixels. Longer pieces are fewer, but look at more pixels that are not near; the best length
grows with the width of the line."""
MIN_TRIM, MAX_TRIM = -1.0, 0.45
"""Of a piece: something is left of a stroke that is shorter than what it would be cut by."""
TINY = 1e-30
"""Squared pixels: a shorter piece is a point."""


class Shapes(NamedTuple):
    """Of all frames' shapes and their cubics."""

    half_width: Tensor
    """In pixels (K)."""
    is_filled: Tensor
    is_even_odd: Tensor
    shape_of_cubic: Tensor
    """(S)."""
    is_outline: Tensor
    """Whether distance to a cubic counts: not to one that closes the fill of an open stroke (S)."""
    start_trim: Tensor
    end_trim: Tensor
    """By how much a cubic is drawn shorter, in pixels; 0 where the path goes on (S)."""

    def repeat(self, num_frames: int) -> "Shapes":
        """Return the table of as many frames, one after the other."""
        tables = Shapes(*(table.repeat(num_frames) for table in self))
        frame = torch.arange(num_frames, device=self.half_width.device)
        shift = frame.repeat_interleave(len(self.shape_of_cubic)) * len(self.half_width)
        return tables._replace(shape_of_cubic=tables.shape_of_cubic + shift)


class Pieces(NamedTuple):
    row: Tensor
    """Of the curve among all frames' (M)."""
    shape: Tensor
    """Among all frames' (M)."""
    start: Tensor
    end: Tensor
    """x and y in pixels, when trimmed (2, M)."""
    t: Tensor
    next_t: Tensor
    """The curve's parameter at start and end, before they are trimmed."""
    trim: Tensor
    next_trim: Tensor
    """Shares of the piece that are cut off at start and end."""


def take(table: Tensor, index: Tensor) -> Tensor:
    """Return entries along the last dimension; on a CPU much faster than `table[..., index]`."""
    return table.index_select(-1, index)


def bernstein(t: Tensor) -> tuple[Tensor, ...]:
    s = 1 - t
    return s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t


def mix(weights: Iterable[Tensor], columns: Iterable[Tensor]) -> Tensor:
    """Return the weighted sum, one operation at a time: fused ones may round by where in a tensor a
    number stands."""
    total: Tensor | float = 0.0
    for weight, column in zip(weights, columns, strict=True):
        total = total + weight * column
    assert isinstance(total, Tensor)
    return total


def flatten(cubics: Tensor, counts: Tensor, shapes: Shapes) -> Pieces:
    """Return each curve cut into as many pieces as `counts` (G, S) says."""
    counts = counts.flatten()
    num_points = counts + 1
    row = torch.arange(len(counts), device=counts.device).repeat_interleave(num_points)
    step = torch.arange(len(row), device=row.device) - take(num_points.cumsum(0) - num_points, row)
    t = step.to(cubics.dtype) / take(counts, row)
    starts = (step < take(counts, row)).nonzero().squeeze(1)
    row, step, t, next_t = (
        take(row, starts),
        take(step, starts),
        take(t, starts),
        take(t, starts + 1),
    )
    corners = [take(corner, row) for corner in cubics.flatten(2)]
    start, end = mix(bernstein(t), corners), mix(bernstein(next_t), corners)
    along = end - start
    length = (along[0] * along[0] + along[1] * along[1]).sqrt().clamp(min=TINY)
    is_last = step == take(counts, row) - 1
    trim = torch.where(step == 0, take(shapes.start_trim, row), 0) / length
    next_trim = torch.where(is_last, take(shapes.end_trim, row), 0) / length
    trim, next_trim = trim.clamp(MIN_TRIM, MAX_TRIM), next_trim.clamp(MIN_TRIM, MAX_TRIM)
    shape = take(shapes.shape_of_cubic, row)
    start, end = start + trim * along, end - next_trim * along
    return Pieces(row, shape, start, end, t, next_t, trim, next_trim)


def count_pieces(cubics: Tensor, longest: Tensor) -> Tensor:
    """Return how many pieces keep each curve's chords flat and, on average, short."""
    edges = cubics.diff(dim=0)
    bends = edges.diff(dim=0)
    length = (edges[:, 0].square() + edges[:, 1].square()).sqrt().sum(dim=0)
    bend = (bends[:, 0].square() + bends[:, 1].square()).sqrt().amax(dim=0)
    # A curve's second derivative is at most 6 bends, and a chord off by an eighth of it times the
    # square of its step.
    flat = (bend * 6 / 8 / FLATNESS).sqrt()
    return torch.maximum(length / longest, flat).ceil()

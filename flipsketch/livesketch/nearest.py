"""Which curve of each shape is nearest to a pixel, and where on it: a search without gradient.

Curves are cut into straight pieces of at most 2 pixels, each of which looks at the few pixels
around it; a minimum over the pieces of a shape, taken in the cells of its bounding box, finds the
nearest. The inside of fills is counted by winding numbers: along a row of pixels each crossing of
the outline adds or takes one.

G: frames, S: cubics, K: shapes, M: pieces, N: pixels near a shape.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

MAX_PIECE = 2.0
"""In pixels; the chord of a circle with a radius of 5 pixels then is 0.1 pixel off."""
MAX_SPAN = 8
"""Sides of the square that neighbouring control points of a curve may lie apart. Beyond, pieces are
longer than 2 pixels and leave gaps: motion that explodes must not keep the other rows waiting."""
MAX_PIECES = 1 << 23
"""In one call. 1,000 curves x 24 frames at 256 pixels are about 500,000."""
MAX_CANDIDATES = 1 << 21
"""Pairs of piece and pixel to keep together, which bounds memory."""
CHUNK = 1 << 17
"""Pairs to look at together, which stay in the processor's cache."""


class Shapes(NamedTuple):
    half_width: Tensor
    """In pixels (K)."""
    is_filled: Tensor
    is_even_odd: Tensor
    shape_of_cubic: Tensor
    """(S)."""
    is_outline: Tensor
    """Whether distance to a cubic counts: not to one that closes the fill of an open stroke (S)."""


class Pieces(NamedTuple):
    row: Tensor
    """Of the curve among all frames' (M)."""
    shape: Tensor
    """Among all frames' (M)."""
    start: Tensor
    end: Tensor
    """x and y in pixels (2, M)."""
    t: Tensor
    next_t: Tensor
    """The curve's parameter at start and end."""


class Boxes(NamedTuple):
    """The cells of all frames' shapes: the pixels of each one's bounding box, row by row, with one
    more column."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor
    offset: Tensor
    """Of the first cell (G x K)."""
    num_cells: int

    def cells(self, shape: Tensor, x: Tensor, y: Tensor) -> Tensor:
        row = y - self.top[shape]
        return self.offset[shape] + row * (self.width[shape] + 1) + x - self.left[shape]

    def locate(self, cells: Tensor) -> "Pixels":
        shape = torch.searchsorted(self.offset, cells, right=True) - 1
        place, stride = cells - self.offset[shape], self.width[shape] + 1
        row = place // stride
        return Pixels(shape, self.left[shape] + place - row * stride, self.top[shape] + row)


class Pixels(NamedTuple):
    """Of shapes, in the order of frames, shapes, rows and columns (N)."""

    shape: Tensor
    """Among all frames'."""
    x: Tensor
    y: Tensor


class Nearest(NamedTuple):
    pixels: Pixels
    """Those within reach of a shape's outline."""
    row: Tensor
    """Of the nearest cubic among all frames' (N)."""
    weights: Tensor
    """Of its control points; they give its nearest point (4, N)."""
    sign: Tensor
    """-1 inside of a fill, else 1."""
    inside: Pixels
    """Those deep inside of a fill."""


def find_nearest(cubics: Tensor, shapes: Shapes, size: int) -> Nearest:
    """Return for every pixel and every shape within reach of it the nearest point.

    Raises ValueError if the curves of all frames are too long for one call.

    Args:
        cubics: x and y of the control points in pixels (4, 2, F, S).
    """
    num_frames, num_cubics = cubics.shape[2:]
    num_shapes = len(shapes.half_width)
    patch = patch_side(shapes.half_width)[shapes.shape_of_cubic]
    # Three times the longest edge of its control polygon bounds a curve's speed.
    edges = cubics.diff(dim=0)
    speed = 3 * (edges[:, 0].square() + edges[:, 1].square()).sqrt().amax(dim=0)
    counts = (speed / MAX_PIECE).ceil().clamp(1, math.ceil(3 * MAX_SPAN * size / MAX_PIECE)).long()
    if (num_pieces := int(counts.sum())) > MAX_PIECES:
        raise ValueError(
            f"the lines of {num_frames} frames at {size} pixels are {num_pieces:,} pieces of "
            f"{MAX_PIECE:g} pixels, the limit is {MAX_PIECES:,}; draw fewer sketches or frames in "
            "one call, or smaller ones"
        )
    found = []
    for first, last in group((counts * patch.square()).sum(dim=1).tolist()):
        pieces = flatten(cubics[:, :, first:last], counts[first:last], shapes)
        near = search(pieces, shapes, size)
        found.append(
            near._replace(
                pixels=near.pixels._replace(shape=near.pixels.shape + first * num_shapes),
                row=near.row + first * num_cubics,
                inside=near.inside._replace(shape=near.inside.shape + first * num_shapes),
            )
        )
    pixels, row, weights, sign, inside = zip(*found, strict=True)
    return Nearest(
        Pixels(*map(torch.cat, zip(*pixels, strict=True))),
        torch.cat(row),
        torch.cat(weights, dim=1),
        torch.cat(sign),
        Pixels(*map(torch.cat, zip(*inside, strict=True))),
    )


def group(loads: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges of frames whose loads stay within the bound, or that are one frame."""
    first, total = 0, 0
    for frame, load in enumerate(loads):
        if total + load > MAX_CANDIDATES and frame > first:
            yield first, frame
            first, total = frame, 0
        total += load
    yield first, len(loads)


def bernstein(t: Tensor) -> tuple[Tensor, ...]:
    s = 1 - t
    return s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t


def flatten(cubics: Tensor, counts: Tensor, shapes: Shapes) -> Pieces:
    """Return each curve cut into as many pieces as `counts` (G, S) says."""
    num_cubics = counts.shape[1]
    counts = counts.flatten()
    num_points = counts + 1
    row = torch.arange(len(counts), device=counts.device).repeat_interleave(num_points)
    step = torch.arange(len(row), device=row.device) - (num_points.cumsum(0) - num_points)[row]
    t = step.to(cubics.dtype) / counts[row]
    # One operation at a time: fused ones may round by where in a tensor a number stands.
    points = torch.zeros(2, len(row), dtype=cubics.dtype, device=cubics.device)
    for weight, corner in zip(bernstein(t), cubics.flatten(2), strict=True):
        points += weight * corner[:, row]
    starts = (step < counts[row]).nonzero().squeeze(1)
    row = row[starts]
    shape = row // num_cubics * len(shapes.half_width) + shapes.shape_of_cubic[row % num_cubics]
    return Pieces(row, shape, points[:, starts], points[:, starts + 1], t[starts], t[starts + 1])


def patch_side(half_width: Tensor) -> Tensor:
    """Return how many centres of pixels can lie within reach of a piece along one axis."""
    return (MAX_PIECE + 2 * half_width + 1).floor().long() + 1


def search(pieces: Pieces, shapes: Shapes, size: int) -> Nearest:
    """Return the nearest points of some frames' pieces."""
    boxes = bound(pieces, shapes, size)
    nearest = nearest_pieces(pieces, shapes, boxes, size)
    cells = (nearest < len(pieces.row)).nonzero().squeeze(1)
    is_inside = torch.zeros_like(cells, dtype=torch.bool)
    inside = cells[:0]
    if bool(shapes.is_filled.any()):
        cells, is_inside, inside = split_fills(pieces, shapes, boxes, nearest)
    pixels, piece = boxes.locate(cells), nearest[cells]
    offset, along = lay(pieces, piece, pixels)
    s = project(offset, along)
    ends = zip(bernstein(pieces.t[piece]), bernstein(pieces.next_t[piece]), strict=True)
    weights = torch.stack([(1 - s) * first + s * last for first, last in ends])
    sign = torch.where(is_inside, -1.0, 1.0).to(s)
    return Nearest(pixels, pieces.row[piece], weights, sign, boxes.locate(inside))


def lay(pieces: Pieces, piece: Tensor, pixels: Pixels) -> tuple[Tensor, Tensor]:
    """Return vectors from the pieces' starts to the pixels' centres, and to the pieces' ends."""
    start = pieces.start[:, piece]
    return torch.stack([pixels.x, pixels.y]) + 0.5 - start, pieces.end[:, piece] - start


def project(offset: Tensor, along: Tensor) -> Tensor:
    """Return the share of the way along a piece where it is nearest."""
    square = along[0] * along[0] + along[1] * along[1]
    return ((offset[0] * along[0] + offset[1] * along[1]) / square.clamp(min=1e-30)).clamp(0, 1)


def bound(pieces: Pieces, shapes: Shapes, size: int) -> Boxes:
    """Return the boxes of the shapes, as far as they reach, within the square."""
    num_frames = int(pieces.row[-1]) // len(shapes.shape_of_cubic) + 1
    reach = (shapes.half_width + 0.5).repeat(num_frames)
    sides = []
    for start, end in zip(pieces.start, pieces.end, strict=True):
        low, high = torch.minimum(start, end), torch.maximum(start, end)
        low = torch.full_like(reach, math.inf).scatter_reduce_(0, pieces.shape, low, "amin")
        high = torch.full_like(reach, -math.inf).scatter_reduce_(0, pieces.shape, high, "amax")
        first = (low - reach).floor().clamp(0, size).long()
        last = (high + reach).floor().clamp(-1, size - 1).long()
        sides += [first, (last + 1 - first).clamp(min=0)]
    left, width, top, height = sides
    num_cells = (width + 1) * height * (width > 0)
    return Boxes(
        left,
        top,
        width,
        height * (width > 0),
        num_cells.cumsum(0) - num_cells,
        int(num_cells.sum()),
    )


def nearest_pieces(pieces: Pieces, shapes: Shapes, boxes: Boxes, size: int) -> Tensor:
    """Return for each cell the piece that is nearest; one past the last where none is in reach."""
    num_shapes, num_cubics = len(shapes.half_width), len(shapes.shape_of_cubic)
    reach = shapes.half_width[pieces.shape % num_shapes] + 0.5
    low = torch.minimum(pieces.start, pieces.end) - reach
    high = torch.maximum(pieces.start, pieces.end) + reach
    is_seen = ((high > 0) & (low < size)).all(dim=0) & shapes.is_outline[pieces.row % num_cubics]
    corner = (low - 0.5).ceil().long()
    sides = patch_side(shapes.half_width)[pieces.shape % num_shapes]
    best = torch.full([boxes.num_cells], math.inf, dtype=reach.dtype, device=reach.device)
    found = []
    for side in sides.unique().tolist():
        chosen = (is_seen & (sides == side)).nonzero().squeeze(1)
        for piece in chosen.split(max(1, CHUNK // side**2)):
            x, y = corner[:, piece, None] + torch.arange(side, device=piece.device)
            squares = square_distances(pieces, piece, x, y)
            is_near = squares < reach[piece, None, None] ** 2
            is_near &= ((y >= 0) & (y < size))[:, :, None] & ((x >= 0) & (x < size))[:, None]
            pair = is_near.flatten().nonzero().squeeze(1)
            squares = squares.flatten()[pair]
            shape = pieces.shape[piece, None]
            # The first column's cell in each row, and the column.
            row = boxes.cells(shape, boxes.left[shape], y)
            cells = row[:, :, None] + (x - boxes.left[shape])[:, None]
            cells = cells.flatten()[pair]
            best.scatter_reduce_(0, cells, squares, "amin")
            found.append((cells, squares, piece[pair // side**2]))
    nearest = torch.full([boxes.num_cells], len(reach), device=reach.device)
    for cells, squares, piece in found:
        is_best = squares == best[cells]
        nearest.scatter_reduce_(0, cells[is_best], piece[is_best], "amin")
    return nearest


def square_distances(pieces: Pieces, piece: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the squared distances of pieces (m) from pixels (m, w) and (m, h): (m, h, w)."""
    start, end = pieces.start[:, piece, None], pieces.end[:, piece, None]
    along_x, along_y = end - start
    to_x, to_y = x + 0.5 - start[0], y + 0.5 - start[1]
    square = (along_x * along_x + along_y * along_y).clamp(min=1e-30)
    s = (to_x * along_x / square)[:, None] + (to_y * along_y / square)[:, :, None]
    s = s.clamp_(0, 1)
    away_x = to_x[:, None] - s * along_x[:, None]
    away_y = to_y[:, :, None] - s * along_y[:, None]
    return away_x.square_().add_(away_y.square_())


def wind(pieces: Pieces, shapes: Shapes, boxes: Boxes) -> Tensor:
    """Return each cell's winding number; 0 for shapes without a fill."""
    filled = shapes.is_filled[pieces.shape % len(shapes.is_filled)].nonzero().squeeze(1)
    shape = pieces.shape[filled]
    (start_x, start_y), (end_x, end_y) = pieces.start[:, filled], pieces.end[:, filled]
    # The rows whose centres a piece crosses; the next piece begins where it ends.
    top, bottom = boxes.top[shape], boxes.top[shape] + boxes.height[shape]
    first = (torch.minimum(start_y, end_y) - 0.5).ceil().long().clamp(top, bottom)
    last = (torch.maximum(start_y, end_y) - 0.5).ceil().long().clamp(top, bottom)
    counts = last - first
    piece = torch.arange(len(filled), device=filled.device).repeat_interleave(counts)
    number = torch.arange(len(piece), device=piece.device) - (counts.cumsum(0) - counts)[piece]
    y = first[piece] + number
    slope = ((end_x - start_x) / (end_y - start_y))[piece]
    x = (start_x[piece] + (y + 0.5 - start_y[piece]) * slope - 0.5).ceil().long()
    shape = shape[piece]
    # What is crossed to the left of the box counts in its first column, to the right in its last,
    # which is no pixel; so a row's crossings, which add up to 0, stay in the row.
    x = x.clamp(boxes.left[shape], boxes.left[shape] + boxes.width[shape])
    turns = torch.where(end_y > start_y, 1, -1)[piece]
    cells = torch.zeros(boxes.num_cells, dtype=torch.int64, device=x.device)
    return cells.index_add_(0, boxes.cells(shape, x, y), turns).cumsum(0)


def split_fills(
    pieces: Pieces, shapes: Shapes, boxes: Boxes, nearest: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells near outlines, whether they are inside of a fill, and those deep inside."""
    winding = wind(pieces, shapes, boxes)
    wound = winding.nonzero().squeeze(1)
    is_even_odd = shapes.is_even_odd[boxes.locate(wound).shape % len(shapes.is_even_odd)]
    is_inside = torch.zeros_like(winding, dtype=torch.bool)
    is_inside[wound] = ~is_even_odd | (winding[wound] % 2 != 0)
    cells = (nearest < len(pieces.row)).nonzero().squeeze(1)
    pixels = boxes.locate(cells)
    offset, along = lay(pieces, nearest[cells], pixels)
    # Across the nearest piece there is one turn more, or one less. If that is inside too, the piece
    # is no edge of the fill.
    normal = (along[0] * offset[1] - along[1] * offset[0]).sign().long()
    across = winding[cells] + normal
    is_even_odd = shapes.is_even_odd[pixels.shape % len(shapes.is_even_odd)]
    is_deep = is_inside[cells] & (normal != 0) & ~is_even_odd & (across != 0)
    cells = cells[~is_deep]
    is_near_inside = is_inside[cells]
    is_inside[cells] = False
    return cells, is_near_inside, is_inside.nonzero().squeeze(1)

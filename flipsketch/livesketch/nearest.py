"""Which curve of each shape is nearest to a pixel, and where on it: a search without gradient.

Curves are cut into straight pieces of a few pixels, each of which looks at the pixels around it; a
minimum over the pieces of a shape, taken in the cells of its bounding box, finds the
nearest. The inside of fills is counted by winding numbers: along a row of pixels each crossing of
the outline adds or takes one.

G: frames, S: cubics, K: shapes, M: pieces, N: pixels near a shape.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

FLATNESS = 0.03
"""In pixels: how far a piece's chord may lie off its curve."""
MIN_LENGTH = 3.0
"""In pixels. Longer pieces are fewer, but look at more pixels that are not near; the best length
grows with the width of the line."""
MAX_PIECES = 1 << 23
"""In one call. 1,000 curves x 24 frames at 256 pixels are about 500,000."""
MAX_CANDIDATES = 1 << 21
"""Pairs of piece and pixel to keep together, which bounds memory."""
TINY = 1e-30
"""Squared pixels: a shorter piece is a point."""
CHUNK = 1 << 16
"""Pairs to look at together, which stay in the processor's cache."""


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

    def repeat(self, num_frames: int) -> "Shapes":
        """Return the table of as many frames, one after the other."""
        half_width, is_filled, is_even_odd, shape_of_cubic, is_outline = (
            table.repeat(num_frames) for table in self
        )
        frame = torch.arange(num_frames, device=shape_of_cubic.device)
        shift = frame.repeat_interleave(len(self.shape_of_cubic)) * len(self.half_width)
        return Shapes(half_width, is_filled, is_even_odd, shape_of_cubic + shift, is_outline)


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

    def cells(self, shape: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first cell of the row of each pixel, and the cells to go on from there."""
        row = y - self.top[shape]
        return self.offset[shape] + row * (self.width[shape] + 1), x - self.left[shape]

    def locate(self, cells: Tensor, shape: Tensor) -> "Pixels":
        place, stride = cells - take(self.offset, shape), take(self.width, shape) + 1
        row = quotient(place, stride)
        x = take(self.left, shape) + place - row * stride
        return Pixels(shape, x, take(self.top, shape) + row)

    def shape_at(self, cells: Tensor) -> Tensor:
        return torch.searchsorted(self.offset, cells, right=True) - 1


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
    reach = take(shapes.half_width, shapes.shape_of_cubic) + 0.5
    longest = (2 * reach).clamp(min=MIN_LENGTH)
    counts = count_pieces(cubics, longest).clamp(1, 4 * size).long()
    if (num_pieces := int(counts.sum())) > MAX_PIECES:
        raise ValueError(
            f"the lines of {num_frames} frames at {size} pixels are {num_pieces:,} straight pieces "
            f"long, the limit is {MAX_PIECES:,}; draw fewer sketches or frames in one call, or "
            "smaller ones"
        )
    found = []
    for first, last in group((counts * (longest + 2 * reach).square()).sum(dim=1).tolist()):
        tables = shapes.repeat(last - first)
        near = search(flatten(cubics[:, :, first:last], counts[first:last], tables), tables, size)
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


def take(table: Tensor, index: Tensor) -> Tensor:
    """Return entries along the last dimension; on a CPU much faster than `table[..., index]`."""
    return table.index_select(-1, index)


def quotient(number: Tensor, divisor: Tensor | int) -> Tensor:
    """Return `number // divisor`, by floating point, which divides several times as fast."""
    return ((number.double() + 0.5) / divisor).floor().long()


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


def group(loads: list[float]) -> Iterator[tuple[int, int]]:
    """Yield ranges of frames whose loads stay within the bound, or that are one frame."""
    first, total = 0, 0.0
    for frame, load in enumerate(loads):
        if total + load > MAX_CANDIDATES and frame > first:
            yield first, frame
            first, total = frame, 0.0
        total += load
    yield first, len(loads)


def bernstein(t: Tensor) -> tuple[Tensor, ...]:
    s = 1 - t
    return s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t


def flatten(cubics: Tensor, counts: Tensor, shapes: Shapes) -> Pieces:
    """Return each curve cut into as many pieces as `counts` (G, S) says."""
    counts = counts.flatten()
    num_points = counts + 1
    row = torch.arange(len(counts), device=counts.device).repeat_interleave(num_points)
    count = take(counts, row)
    step = torch.arange(len(row), device=row.device) - take(num_points.cumsum(0) - num_points, row)
    t = step.to(cubics.dtype) / count
    # One operation at a time: fused ones may round by where in a tensor a number stands.
    points = torch.zeros(2, len(row), dtype=cubics.dtype, device=cubics.device)
    for weight, corner in zip(bernstein(t), cubics.flatten(2), strict=True):
        points += weight * take(corner, row)
    starts = (step < count).nonzero().squeeze(1)
    row = take(row, starts)
    return Pieces(
        row,
        take(shapes.shape_of_cubic, row),
        take(points, starts),
        take(points, starts + 1),
        take(t, starts),
        take(t, starts + 1),
    )


def search(pieces: Pieces, shapes: Shapes, size: int) -> Nearest:
    """Return the nearest points of some frames' pieces."""
    boxes = bound(pieces, shapes, size)
    nearest = nearest_pieces(pieces, shapes, boxes, size)
    cells = (nearest < len(pieces.row)).nonzero().squeeze(1)
    is_inside = torch.zeros_like(cells, dtype=torch.bool)
    inside = cells[:0]
    if bool(shapes.is_filled.any()):
        cells, is_inside, inside = split_fills(pieces, shapes, boxes, nearest)
    piece = take(nearest, cells)
    pixels = boxes.locate(cells, take(pieces.shape, piece))
    offset, along = lay(pieces, piece, pixels)
    square = along[0] * along[0] + along[1] * along[1]
    s = (offset[0] * along[0] + offset[1] * along[1]) / square.clamp(min=TINY)
    s = s.clamp(0, 1)
    ends = zip(bernstein(take(pieces.t, piece)), bernstein(take(pieces.next_t, piece)), strict=True)
    weights = torch.stack([(1 - s) * first + s * last for first, last in ends])
    sign = torch.where(is_inside, -1.0, 1.0).to(s)
    inside_pixels = boxes.locate(inside, boxes.shape_at(inside))
    return Nearest(pixels, take(pieces.row, piece), weights, sign, inside_pixels)


def lay(pieces: Pieces, piece: Tensor, pixels: Pixels) -> tuple[Tensor, Tensor]:
    """Return vectors from the pieces' starts to the pixels' centres, and to the pieces' ends."""
    start = take(pieces.start, piece)
    return torch.stack([pixels.x, pixels.y]) + 0.5 - start, take(pieces.end, piece) - start


def bound(pieces: Pieces, shapes: Shapes, size: int) -> Boxes:
    """Return the boxes of the shapes, as far as they reach, within the square."""
    reach = shapes.half_width + 0.5
    sides = []
    for start, end in zip(pieces.start, pieces.end, strict=True):
        low, high = torch.minimum(start, end), torch.maximum(start, end)
        low = torch.full_like(reach, math.inf).scatter_reduce_(0, pieces.shape, low, "amin")
        high = torch.full_like(reach, -math.inf).scatter_reduce_(0, pieces.shape, high, "amax")
        first = (low - reach).floor().clamp(0, size).long()
        last = (high + reach).floor().clamp(-1, size - 1).long()
        sides += [first, (last + 1 - first).clamp(min=0)]
    left, width, top, height = sides
    height = height * (width > 0)
    counts = (width + 1) * height
    return Boxes(left, top, width, height, counts.cumsum(0) - counts, int(counts.sum()))


def nearest_pieces(pieces: Pieces, shapes: Shapes, boxes: Boxes, size: int) -> Tensor:
    """Return for each cell the piece that is nearest; one past the last where none is in reach."""
    reach = take(shapes.half_width, pieces.shape) + 0.5
    corner = (torch.minimum(pieces.start, pieces.end) - reach - 0.5).ceil().clamp(min=0)
    beyond = (torch.maximum(pieces.start, pieces.end) + reach - 0.5).floor().clamp(max=size - 1)
    # So many centres of pixels are within reach along the longer axis; none if it is not seen.
    sides = (beyond - corner + 1).long()
    is_seen = (sides > 0).all(dim=0) & take(shapes.is_outline, pieces.row)
    sides = torch.where(is_seen, sides.amax(dim=0), 0)
    corner = corner.long()
    best = torch.full([boxes.num_cells], math.inf, dtype=reach.dtype, device=reach.device)
    found = []
    for side in sides.unique().tolist():
        if not side:
            continue
        for piece in (sides == side).nonzero().squeeze(1).split(max(1, CHUNK // side**2)):
            x, y = take(corner, piece)[..., None] + torch.arange(side, device=piece.device)
            squares = square_distances(pieces, piece, x, y)
            # A pixel beyond the square is out of reach.
            limit = take(reach, piece)[:, None].square() * (y < size)
            is_near = (squares < limit[..., None]) & (x < size)[:, None]
            pair = is_near.flatten().nonzero().squeeze(1)
            row, column = boxes.cells(take(pieces.shape, piece)[:, None], x, y)
            cells = row[..., None] + column[:, None]
            squares, cells = take(squares.flatten(), pair), take(cells.flatten(), pair)
            best.scatter_reduce_(0, cells, squares, "amin")
            found.append((cells, squares, take(piece, quotient(pair, side**2))))
    nearest = torch.full([boxes.num_cells], len(reach), device=reach.device)
    for cells, squares, piece in found:
        is_best = (squares == take(best, cells)).nonzero().squeeze(1)
        nearest.scatter_reduce_(0, take(cells, is_best), take(piece, is_best), "amin")
    return nearest


def square_distances(pieces: Pieces, piece: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the squared distances of pieces (m) from pixels (m, w) and (m, h): (m, h, w)."""
    start, end = take(pieces.start, piece)[..., None], take(pieces.end, piece)[..., None]
    along_x, along_y = end - start
    to_x, to_y = x + 0.5 - start[0], y + 0.5 - start[1]
    square = (along_x * along_x + along_y * along_y).clamp(min=TINY)
    s = (to_x * along_x / square)[:, None] + (to_y * along_y / square)[:, :, None]
    s = s.clamp_(0, 1)
    away_x = to_x[:, None] - s * along_x[:, None]
    away_y = to_y[:, :, None] - s * along_y[:, None]
    return away_x.square_().add_(away_y.square_())


def wind(pieces: Pieces, shapes: Shapes, boxes: Boxes) -> Tensor:
    """Return each cell's winding number; 0 for shapes without a fill."""
    filled = take(shapes.is_filled, pieces.shape).nonzero().squeeze(1)
    shape = take(pieces.shape, filled)
    (start_x, start_y), (end_x, end_y) = take(pieces.start, filled), take(pieces.end, filled)
    # The rows whose centres a piece crosses; the next piece begins where it ends.
    top = take(boxes.top, shape)
    bottom = top + take(boxes.height, shape)
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
    row, column = boxes.cells(shape, x, y)
    cells = torch.zeros(boxes.num_cells, dtype=torch.int64, device=x.device)
    return cells.index_add_(0, row + column, turns).cumsum(0)


def split_fills(
    pieces: Pieces, shapes: Shapes, boxes: Boxes, nearest: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells near outlines, whether they are inside of a fill, and those deep inside."""
    winding = wind(pieces, shapes, boxes)
    wound = winding.nonzero().squeeze(1)
    is_even_odd = take(shapes.is_even_odd, boxes.shape_at(wound))
    is_inside = torch.zeros_like(winding, dtype=torch.bool)
    is_inside[wound] = ~is_even_odd | (winding[wound] % 2 != 0)
    cells = (nearest < len(pieces.row)).nonzero().squeeze(1)
    piece = take(nearest, cells)
    shape = take(pieces.shape, piece)
    offset, along = lay(pieces, piece, boxes.locate(cells, shape))
    # Across the nearest piece there is one turn more, or one less. If that is inside too, the piece
    # is no edge of the fill.
    normal = (along[0] * offset[1] - along[1] * offset[0]).sign().long()
    across = winding[cells] + normal
    is_even_odd = take(shapes.is_even_odd, shape)
    is_deep = is_inside[cells] & (normal != 0) & ~is_even_odd & (across != 0)
    cells = cells[~is_deep]
    is_near_inside = is_inside[cells]
    is_inside[cells] = False
    return cells, is_near_inside, is_inside.nonzero().squeeze(1)

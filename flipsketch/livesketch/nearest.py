"""Which curve of each shape is nearest to a pixel, and where on it: a search without gradient.

Each straight piece of a curve looks at the pixels around it; a minimum over the pieces of a shape,
taken in the cells of its bounding box, finds the nearest. The inside of fills is counted by winding
numbers: along a row of pixels each crossing of the outline adds or takes one.

G: frames, S: cubics, K: shapes, M: pieces, N: pixels near a shape.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from flipsketch.livesketch.flattening import (
    MAX_TRIM,
    MIN_LENGTH,
    MIN_TRIM,
    TINY,
    Pieces,
    Shapes,
    bernstein,
    count_pieces,
    flatten,
    take,
)

MAX_PIECES = 1 << 23
"""In one call. 1,000 curves x 24 frames at 256 pixels are about 700,000."""
MAX_PIXELS = 1 << 25
"""Near or inside of the shapes of all frames in one call: about 400 bytes each, with gradients."""
MAX_CANDIDATES = 1 << 21
"""Pairs of piece and pixel to keep together, which bounds memory."""
CHUNK = 1 << 16
"""Pairs to look at together on a CPU, whose cache they stay in."""


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


class Ends(NamedTuple):
    """Those of the pixels near a shape whose nearest point is the trimmed end of a path (E)."""

    place: Tensor
    cut: Tensor
    """Share of its piece that is cut off; negative at the path's start."""
    chord: Tensor
    """Weights of the control points (4, E), which give the vector of the piece."""


class Nearest(NamedTuple):
    pixels: Pixels
    """Those within reach of a shape's outline."""
    row: Tensor
    """Of the nearest cubic among all frames' (N)."""
    weights: Tensor
    """Of its control points; they give its nearest point (4, N)."""
    sign: Tensor
    """-1 inside of a fill, else 1."""
    ends: Ends
    inside: Pixels
    """Those deep inside of a fill."""


def find_nearest(cubics: Tensor, shapes: Shapes, size: int) -> Nearest:
    """Return for every pixel and every shape within reach of it the nearest point.

    Raises ValueError if all frames together are too much work for one call.

    Args:
        cubics: x and y of the control points in pixels (4, 2, F, S).
    """
    num_cubics, num_shapes = cubics.shape[3], len(shapes.half_width)
    reach = take(shapes.half_width, shapes.shape_of_cubic) + 0.5
    longest = (2 * reach).clamp(min=MIN_LENGTH)
    # So many pieces cross the square several times; longer curves lie mostly outside of it.
    counts = count_pieces(cubics, longest).clamp(1, 4 * size).long()
    check_work("straight pieces of lines", int(counts.sum()), MAX_PIECES)
    found, num_pixels, num_inside = [], 0, 0
    for first, last in group((counts * (longest + 2 * reach).square()).sum(dim=1).tolist()):
        tables = shapes.repeat(last - first)
        near = search(flatten(cubics[:, :, first:last], counts[first:last], tables), tables, size)
        found.append(
            near._replace(
                pixels=near.pixels._replace(shape=near.pixels.shape + first * num_shapes),
                row=near.row + first * num_cubics,
                ends=near.ends._replace(place=near.ends.place + num_pixels),
                inside=near.inside._replace(shape=near.inside.shape + first * num_shapes),
            )
        )
        num_pixels += len(near.row)
        num_inside += len(near.inside.x)
        check_work("pixels to draw", num_pixels + num_inside, MAX_PIXELS)
    return join(found)


def check_work(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise ValueError(
            f"the sketches' frames have {count:,} {what} in one call, the limit is {limit:,}; draw "
            "fewer sketches or frames in one call, or smaller ones"
        )


def quotient(number: Tensor, divisor: Tensor | int) -> Tensor:
    """Return `number // divisor`, by floating point, which divides several times as fast."""
    return ((number.double() + 0.5) / divisor).floor().long()


def join(parts: Sequence[Any]) -> Any:
    """Concatenate tensors, or tuples of them, along the last dimension."""
    if isinstance(parts[0], Tensor):
        return torch.cat(tuple(parts), dim=-1)
    return type(parts[0])(*(join(each) for each in zip(*parts, strict=True)))


def group(loads: list[float]) -> Iterator[tuple[int, int]]:
    """Yield ranges of frames whose loads stay within the bound, or that are one frame."""
    first, total = 0, 0.0
    for frame, load in enumerate(loads):
        if total + load > MAX_CANDIDATES and frame > first:
            yield first, frame
            first, total = frame, 0.0
        total += load
    yield first, len(loads)


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
    trim = take(pieces.trim, piece)
    ends = zip(bernstein(take(pieces.t, piece)), bernstein(take(pieces.next_t, piece)), strict=True)
    share = trim + s * (1 - trim - take(pieces.next_trim, piece))
    weights = torch.stack([(1 - share) * first + share * last for first, last in ends])
    sign = torch.where(is_inside, -1.0, 1.0).to(s)
    inside_pixels = boxes.locate(inside, boxes.shape_at(inside))
    row = take(pieces.row, piece)
    return Nearest(pixels, row, weights, sign, find_ends(pieces, piece, s), inside_pixels)


def find_ends(pieces: Pieces, piece: Tensor, s: Tensor) -> Ends:
    trim, next_trim = take(pieces.trim, piece), take(pieces.next_trim, piece)
    cut = torch.where(s == 1, next_trim, 0) - torch.where(s == 0, trim, 0)
    # What is left at the bounds grows with its piece.
    is_bounded = (cut.abs() == MAX_TRIM) | (cut.abs() == -MIN_TRIM)
    place = ((cut != 0) & ~is_bounded).nonzero().squeeze(1)
    piece = take(piece, place)
    first, last = (bernstein(take(t, piece)) for t in (pieces.t, pieces.next_t))
    return Ends(place, take(cut, place), torch.stack(last) - torch.stack(first))


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
    chunk = CHUNK if reach.device.type == "cpu" else MAX_CANDIDATES
    for side in sides[sides > 0].unique().tolist():
        for piece in (sides == side).nonzero().squeeze(1).split(max(1, chunk // side**2)):
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

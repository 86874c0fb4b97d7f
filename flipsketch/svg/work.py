"""How long cairo will take, estimated before it begins, since it has no time limit.

A shape costs its calls, its pieces after curves are flattened, the rows of pixels that its edges
run through, and, in one path, how often edges cross: cairo keeps them sorted from row to row. The
constants are microseconds of one core of 2023; benchmarks/svg_limits.py compares them with cairo.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from flipsketch.svg.render import Shape
from flipsketch.svg.scene import Box, Gradient, Item, Layer, Poured, all_items, drawn_box

CALL = 15.0
FILL_PIECE, STROKE_PIECE = 0.5, 2.0
ARCS = 3.0
"""Paths with arcs are drawn finer, as cairosvg does."""
EDGE_ROW = 0.05
# Where edges begin, end or cross in nearly every row, cairo goes through 15 parts of it.
MANY_EDGES, BUSY_EDGE_ROW = 1_500, 0.25
SEVERAL_LINES, CROWDED_EDGE_ROW = 20, 0.08
CROSSING = 0.012
DASH, BUTT_PIXEL, ROUND_PIXEL, FINEST_DASH = 0.1, 0.06, 0.18, 0.05
"""Of a dash: for each, for each pixel that its two ends are wide, and the least length in pixels:
finer ones cairo draws as a pale line."""
PIXEL, LINEAR_PIXEL, RADIAL_PIXEL, TILE_PIXEL, LAYER_PIXEL = 0.0006, 0.007, 0.013, 0.1, 0.007
BLENDED_PIXEL = 0.035
"""Of the slowest ways to blend, which cairo does in floating point."""
LAYER, STOP = 75.0, 0.5
CELL = 2
"""Width in pixels of the parts of a row within which all edges are taken to cross."""
MAX_EDGE_ROWS = 1_500_000
"""Of one path; to count the crossings of more would take 500 MB."""
# Below these limits cairo takes a second at most, whatever is drawn. Of 60 real sketches none has
# more than 540 segments, 205 lines in a row of pixels, or lines of 88 sides in all.
FEW_SEGMENTS = 15_000
FEW_LINES_IN_ROW = 4_000
"""Lines that cross one row of pixels."""
SHORT_LENGTH = 1_000
"""Length of all lines together, in sides of the canvas."""


class Lines(NamedTuple):
    """Straight lines and the sides of curves' control polygons, in pixels."""

    starts: np.ndarray
    ends: np.ndarray
    """x and y (2, N)."""
    owners: np.ndarray
    """Index of the shape of each, rising."""
    pens: np.ndarray
    """Of each shape the width of its stroke, 0 if it has none."""

    @property
    def lengths(self) -> np.ndarray:
        return np.hypot(*(self.ends - self.starts))

    def rows(self, size: int) -> np.ndarray:
        """Return the first and the last row of pixels of each (2, N): -1 above, `size` below."""
        rows = np.sort([self.starts[1], self.ends[1]], axis=0)
        return np.clip(np.floor(rows), -1, size).astype(int)


def find_lines(shapes: Sequence[Shape]) -> Lines:
    numbers: list[float] = []
    moves, num_lines, widths = [], [], []
    for shape in shapes:
        num_before = len(numbers)
        moves.append(num_before)
        start = shape.segments[0][1][:2]
        for segment in shape.segments:
            points = segment[1]
            if segment[0] == "M":
                start = points
                moves.append(len(numbers))
            numbers += points or start
        num_lines.append((len(numbers) - num_before) // 2)
        is_stroked = shape.paint["stroke"] != "none"
        widths.append(float(shape.paint["stroke-width"]) * is_stroked)
    ends = np.array(numbers).reshape(-1, 2)
    matrices = np.array([shape.matrix for shape in shapes]).reshape(-1, 6)
    owners = np.repeat(np.arange(len(shapes)), num_lines)
    a, b, c, d, e, f = matrices[owners].T
    with np.errstate(all="ignore"):
        ends = np.stack([a * ends[:, 0] + c * ends[:, 1] + e, b * ends[:, 0] + d * ends[:, 1] + f])
        pens = np.array(widths) * np.sqrt((matrices[:, :4] ** 2).sum(axis=1))
    starts = np.roll(ends, 1, axis=1)
    # The pen jumps to where a move ends.
    here = np.array(moves, int) // 2
    starts[:, here] = ends[:, here]
    return Lines(starts, ends, owners, pens)


def most_in_row(lines: Lines, size: int) -> int:
    """Return how many lines cross the fullest row of pixels."""
    first, last = np.clip(lines.rows(size), 0, size)
    entering, leaving = (np.bincount(rows, minlength=size + 2) for rows in (first, last + 1))
    return int(np.cumsum(entering - leaving).max(initial=0))


def paint_numbers(shapes: Sequence[Shape]) -> np.ndarray:
    """Return five numbers for each shape: whether it is stroked, whether it is filled, into how
    many more pieces than usual its curves are cut, the mean length of its dashes and gaps in pixels
    (0: it has none), and what a dash takes for each pixel that its pen is wide."""
    found = []
    for shape in shapes:
        paint = shape.paint
        scale = math.hypot(*shape.matrix[:4])
        dashes = [float(dash) for dash in str(paint.get("stroke-dasharray", "")).split()]
        found.append(
            (
                paint["stroke"] != "none",
                paint["fill"] != "none",
                ARCS if shape.has_arcs else 1.0,
                sum(dashes) / len(dashes) * scale if dashes else 0.0,
                ROUND_PIXEL if paint["stroke-linecap"] == "round" else BUTT_PIXEL,
            )
        )
    return np.array(found, float).reshape(-1, 5).T


def estimate_shapes(shapes: Sequence[Shape], lines: Lines, size: int) -> float:
    """Return the microseconds that shapes will take."""
    count, owners, lengths = len(shapes), lines.owners, lines.lengths
    strokes, fills, fineness, dashes, end_costs = paint_numbers(shapes)
    first, last = lines.rows(size)
    rows = np.clip(last, 0, size - 1) - np.clip(first, 0, size - 1) + 1.0
    rows[(last < 0) | (first >= size)] = 0.0
    num_rows = np.bincount(owners, rows, count)
    num_lines = np.bincount(owners, minlength=count)
    # As if all were curves.
    pieces = fineness * np.bincount(owners, 0.5 + np.sqrt(lengths) / 4, count)
    drawn = np.bincount(owners, np.minimum(lengths, 2.0 * size), count)
    row_cost = np.where(num_lines > SEVERAL_LINES, CROWDED_EDGE_ROW, EDGE_ROW)
    row_cost[pieces > MANY_EDGES] = BUSY_EDGE_ROW
    cost = fills * (CALL + FILL_PIECE * pieces + row_cost * num_rows)
    cost += fills * PIXEL * areas(lines, count, size)
    # Two edges a line, and as many rows again as the pen is wide, for a cap or a join.
    wide = np.minimum(lines.pens, 2 * size)
    edge_rows = 2 * (num_rows + wide * np.minimum(num_lines, num_rows))
    cost += strokes * (CALL + STROKE_PIECE * pieces + row_cost * edge_rows)
    cost += strokes * PIXEL * drawn * wide
    num_dashes = (dashes > 0) * drawn / np.maximum(dashes, FINEST_DASH)
    cost += strokes * num_dashes * (DASH + end_costs * wide)
    total = float(cost.sum())
    ends = np.cumsum(num_lines)
    for index in np.flatnonzero((fills > 0) & (num_lines > MANY_EDGES)).tolist():
        part = slice(ends[index] - num_lines[index], ends[index])
        path = Lines(lines.starts[:, part], lines.ends[:, part], owners[part], lines.pens)
        total += CROSSING * count_crossings(path, size)
    return total


def areas(lines: Lines, count: int, size: int) -> np.ndarray:
    """Return the pixels in the box around each shape, on the page."""
    sides = []
    for axis in range(2):
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        for places in (lines.starts[axis], lines.ends[axis]):
            np.minimum.at(low, lines.owners, places)
            np.maximum.at(high, lines.owners, places)
        sides.append(np.clip(high, 0, size) - np.clip(low, 0, size))
    return np.maximum(sides[0] * sides[1], 0.0)


def count_crossings(lines: Lines, size: int) -> float:
    """Return how often the lines of one path cross, at most: each pair once in each cell of a row
    that both run through."""
    first, last = np.clip(lines.rows(size), 0, size - 1)
    num_rows = last - first + 1
    total = int(num_rows.sum())
    if total > MAX_EDGE_ROWS:
        return math.inf
    each = np.repeat(np.arange(len(num_rows)), num_rows)
    rows = first[each] + np.arange(total) - np.repeat(np.cumsum(num_rows) - num_rows, num_rows)
    x0, x1 = lines.starts[0][each], lines.ends[0][each]
    y0, y1 = lines.starts[1][each], lines.ends[1][each]
    low, high = np.minimum(x0, x1), np.maximum(x0, x1)
    with np.errstate(all="ignore"):
        slopes = (x1 - x0) / (y1 - y0)
        sides = np.sort([x0 + slopes * (rows + step - y0) for step in (0, 1)], axis=0)
    # A level line lies in one row.
    left = np.where(y0 == y1, low, np.clip(sides[0], low, high))
    right = np.where(y0 == y1, high, np.clip(sides[1], low, high))
    # The first and the last cell are what lies left and right of the page, where nothing crosses.
    num_cells = size // CELL + 2
    left, right = (
        np.clip(np.floor(side / CELL) + 1, 0, num_cells - 1).astype(int) for side in (left, right)
    )
    width = num_cells + 1
    entering = np.bincount(rows * width + left, minlength=size * width)
    leaving = np.bincount(rows * width + right + 1, minlength=size * width)
    filled = np.cumsum((entering - leaving).reshape(size, width), axis=1)[:, 1 : num_cells - 1]
    return float((filled.astype(float) ** 2).sum() / 2)


def estimate_scene(items: Iterable[Item], size: int) -> float:
    """Return the microseconds that a scene takes beside what its shapes would on the page."""
    total = 0.0
    for item in all_items(items):
        if isinstance(item, Layer):
            masks = len(item.clips) + 4 * (item.mask is not None)
            is_sheet = masks > 0 or item.opacity < 1 or item.blending != ""
            area = page_area(drawn_box(item), size)
            total += LAYER + is_sheet * (1 + masks) * LAYER_PIXEL * area
            if item.blending not in ("", "normal"):
                total += BLENDED_PIXEL * area
        elif isinstance(item, Poured):
            area, source = page_area(drawn_box(item), size), item.source
            if isinstance(source, Gradient):
                total += area * (LINEAR_PIXEL if len(source.places) == 4 else RADIAL_PIXEL)
                total += STOP * len(source.stops)
            else:
                total += LAYER + LAYER_PIXEL * source.width * source.height + area * TILE_PIXEL
    return total


def page_area(box: Box | None, size: int) -> float:
    if box is None:
        return 0.0
    left, top, right, bottom = (min(max(side, 0.0), float(size)) for side in box)
    return (right - left) * (bottom - top)

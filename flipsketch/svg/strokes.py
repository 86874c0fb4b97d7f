"""What cairo's strokes lack: dashes along `pathLength`, square dots, speed where they are many."""

import math
from collections.abc import Sequence

import numpy as np

from flipsketch.svg.geometry import Matrix
from flipsketch.svg.path_data import Segment, begin_with_move
from flipsketch.svg.render import Paint, Shape
from flipsketch.svg.scene import Item, fade
from flipsketch.svg.work import FEW_LINES_IN_ROW, FEW_SEGMENTS, find_lines, most_in_row

PIECE, PIECE_LENGTH = 1_000, 20_000.0
"""Lines and curves, and pixels, of each part of a stroke that is cut. Where parts overlap, a pixel
that each covers by half turns out three quarters dark; so parts are as long as time allows."""
DOT = 1 / 64
"""In pixels: what cairo's coordinates, of 1/256 pixel, tell from nothing."""


def scale_dashes(paint: Paint, path_length: float, segments: list[Segment]) -> Paint:
    """Return a paint whose dashes are in the shape's units, not in those of its `pathLength`."""
    if "stroke-dasharray" not in paint or not path_length > 0:
        return paint
    scale = outline_length(segments) / path_length
    dashes = [scale * float(dash) for dash in str(paint["stroke-dasharray"]).split()]
    offset = scale * float(paint["stroke-dashoffset"])
    if not sum(dashes) > 0:
        return {name: value for name, value in paint.items() if name != "stroke-dasharray"}
    written = " ".join(map(repr, dashes))
    return {**paint, "stroke-dasharray": written, "stroke-dashoffset": offset}


def outline_length(segments: list[Segment]) -> float:
    """Return the length of an outline, curves as 32 lines each."""
    total, here, start = 0.0, 0j, 0j
    for kind, numbers, *_ in begin_with_move(segments):
        points = [complex(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        if kind == "Z":
            points = [start]
        elif kind == "M":
            here = start = points[-1]
        if kind not in "CA":
            total += abs(points[-1] - here)
        else:
            for first, second, end in zip(points[::3], points[1::3], points[2::3], strict=True):
                total += curve_length(here, first, second, end)
                here = end
        here = points[-1]
    return total


def curve_length(start: complex, first: complex, second: complex, end: complex) -> float:
    total, here = 0.0, start
    for step in range(1, 33):
        t = step / 32
        s = 1 - t
        there = s**3 * start + 3 * s * s * t * first + 3 * s * t * t * second + t**3 * end
        total += abs(there - here)
        here = there
    return total


def mend_dots(segments: list[Segment], paint: Paint, matrix: Matrix) -> list[Segment]:
    """Return an outline with a tiny line in place of each subpath without length, if its caps are
    square: SVG draws a square there, cairo nothing."""
    if paint["stroke"] == "none" or paint["stroke-linecap"] != "square":
        return segments
    a, b, _, _, _, _ = matrix
    step = DOT / (math.hypot(a, b) or 1.0)
    mended: list[Segment] = []
    for subpath in split_subpaths(segments):
        points = {tuple(segment[1][-2:]) for segment in subpath if segment[1]}
        # Curves that end where they begin may go far in between.
        is_point = len(subpath) > 1 and len(points) == 1
        is_point = is_point and all(segment[0] in "MLZ" for segment in subpath)
        if is_point:
            x, y = subpath[0][1]
            subpath = [("M", [x - step / 2, y]), ("L", [x + step / 2, y])]
        mended += subpath
    return mended


def split_subpaths(segments: list[Segment]) -> list[list[Segment]]:
    subpaths: list[list[Segment]] = []
    for segment in segments:
        if segment[0] == "M" or not subpaths:
            subpaths.append([])
        subpaths[-1].append(segment)
    return subpaths


def lighten(items: Sequence[Item], size: int) -> Sequence[Item]:
    """Return items whose longest strokes are cut into many short ones.

    Of one stroke cairo keeps all edges together, and the time for a row of pixels grows with their
    number's square. What is light enough stays as it is, to the pixel.
    """
    if sum(len(item.segments) for item in items if isinstance(item, Shape)) <= FEW_LINES_IN_ROW:
        return items
    lighter: list[Item] = []
    for item in items:
        if isinstance(item, Shape) and is_heavy_stroke(item, size):
            lighter += cut_stroke(item, size)
        else:
            lighter.append(item)
    return lighter


def is_heavy_stroke(shape: Shape, size: int) -> bool:
    num_segments = len(shape.segments) if shape.paint["stroke"] != "none" else 0
    if not FEW_LINES_IN_ROW < num_segments <= FEW_SEGMENTS:
        return num_segments > FEW_SEGMENTS
    return most_in_row(find_lines([shape]), size) > FEW_LINES_IN_ROW


def cut_stroke(shape: Shape, size: int) -> list[Item]:
    paint = {**shape.paint, "fill": "none", "stroke-opacity": 1.0}
    mean_length = float(np.minimum(find_lines([shape]).lengths, size).mean())
    num_together = max(1, round(min(PIECE, PIECE_LENGTH / (mean_length + 1))))
    pieces: list[Segment] = []
    strokes: list[Item] = []
    is_dashed = "stroke-dasharray" in paint
    for subpath in split_subpaths(shape.segments):
        # Dashes go on along a subpath, and begin anew with the next.
        for piece in [subpath] if is_dashed else cut_subpath(subpath, num_together):
            pieces += piece
            if len(pieces) >= num_together:
                strokes.append(shape._replace(segments=pieces, paint=paint))
                pieces = []
    if pieces:
        strokes.append(shape._replace(segments=pieces, paint=paint))
    whole = fade(strokes, float(shape.paint["stroke-opacity"]))
    if shape.paint["fill"] == "none":
        return whole
    return [shape._replace(paint={**shape.paint, "stroke": "none"}), *whole]


def cut_subpath(subpath: list[Segment], num_together: int) -> list[list[Segment]]:
    """Return pieces of a subpath; each begins with the last line of the one before, so that no
    corner loses its join."""
    if len(subpath) <= num_together or subpath[0][0] != "M":
        return [subpath]
    start, *rest = subpath
    if rest[-1][0] == "Z":
        rest[-1:] = [("L", start[1]), rest[0]]
    ends = [start[1], *(segment[1][-2:] for segment in rest)]
    return [
        [("M", ends[max(0, first - 1)]), *rest[max(0, first - 1) : first + num_together]]
        for first in range(0, len(rest), num_together)
    ]

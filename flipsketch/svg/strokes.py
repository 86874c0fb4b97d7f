"""What cairo's strokes lack: dashes that count along `pathLength`, square dots."""

import math

from flipsketch.svg.geometry import Matrix
from flipsketch.svg.path_data import Segment, begin_with_move
from flipsketch.svg.render import Paint

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

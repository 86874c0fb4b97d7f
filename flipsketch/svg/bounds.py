"""Bounding boxes of a normal tree, for units of `objectBoundingBox` and canvases to be fitted."""

import math
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.elements import SHAPES
from flipsketch.svg.geometry import IDENTITY, Matrix, compose, read_outline
from flipsketch.svg.path_data import Segment, begin_with_move, read_path, read_paths
from flipsketch.svg.scope import read_matrix
from flipsketch.svg.viewport import Box

MAX_POINTS = 1_000
"""Of an outline whose box is exact after a rotation; that of another is the rotated box's."""

SHORT = 2_000
"""Characters of path data."""
# Left, top, right and bottom.
Extent = tuple[float, float, float, float]


class Bounds:
    """Finds bounding boxes; what is known of an outline is kept."""

    def __init__(self) -> None:
        self.known: dict[tuple[str | None, ...], tuple[Outline, Extent] | None] = {}

    def of(self, elements: Iterable[Element], *, with_strokes: bool = False) -> Box | None:
        """Return the box around shapes and layers, in the space that they lie in.

        It is that of the outlines alone, as `objectBoundingBox` is meant.

        Args:
            with_strokes: take in the strokes' width, but not the tips of corners.
        """
        extents = self.extents(elements, IDENTITY, with_strokes)
        if not extents:
            return None
        left, top, right, bottom = zip(*extents, strict=True)
        low, high = (min(left), min(top)), (max(right), max(bottom))
        return Box(*low, high[0] - low[0], high[1] - low[1])

    def extents(
        self, elements: Iterable[Element], matrix: Matrix, with_strokes: bool
    ) -> list[Extent]:
        found = []
        for element in elements:
            inner = matrix
            if transform := element.get("transform"):
                inner = compose(matrix, read_matrix(transform))
            if element.tag == "g":
                found += self.extents(element, inner, with_strokes)
            elif (extent := self.outline(element, inner)) is not None:
                reach = 0.0
                if with_strokes and element.get("stroke", "none") != "none":
                    a, b, c, d, _, _ = inner
                    scale = max(math.hypot(a, b), math.hypot(c, d))
                    reach = float(element.get("stroke-width", 1)) / 2 * scale
                left, top, right, bottom = extent
                found.append((left - reach, top - reach, right + reach, bottom + reach))
        return found

    def outline(self, shape: Element, matrix: Matrix) -> Extent | None:
        """Return the box around a shape's outline after a matrix; None if it has no points."""
        key = (shape.tag, *(shape.get(name) for name in SHAPES[shape.tag]))
        if key not in self.known:
            outline = Outline.read(shape_segments(shape))
            self.known[key] = outline and (outline, outline.extent(IDENTITY))
        if (found := self.known[key]) is None:
            return None
        outline, (left, top, right, bottom) = found
        _, b, c, _, _, _ = matrix
        # The box of a curve that is turned is not that of its box.
        if (b or c) and len(outline.ends) <= MAX_POINTS:
            return outline.extent(matrix)
        corners = [(x, y) for x in (left, right) for y in (top, bottom)]
        return extent_of(move(np.array(corners), matrix))


class Outline(NamedTuple):
    ends: np.ndarray
    """Of moves, lines and curves (N, 2)."""
    curves: np.ndarray
    """Start, handles and end of each (M, 4, 2)."""

    @classmethod
    def read(cls, segments: list[Segment]) -> "Outline | None":
        ends: list[list[float]] = []
        curves: list[list[float]] = []
        before = ""
        for kind, points, *_ in segments:
            if kind == before == "M":
                # Nothing is drawn from there.
                ends.pop()
            before = kind
            if kind in "CA":
                for place in range(0, len(points), 6):
                    curves.append(ends[-1] + points[place : place + 6])
                    ends.append(points[place + 4 : place + 6])
            elif kind in "ML":
                ends.append(points[:2])
        if not ends:
            return None
        return cls(np.array(ends), np.array(curves).reshape(-1, 4, 2))

    # Numbers may overflow; limits are checked later.
    @np.errstate(all="ignore")
    def extent(self, matrix: Matrix) -> Extent:
        """Return the box around the outline after a matrix."""
        found = [move(self.ends, matrix)]
        if len(self.curves):
            curves = move(self.curves.reshape(-1, 2), matrix).reshape(-1, 4, 2)
            found += extremes(curves)
        return extent_of(np.concatenate(found))


def move(points: np.ndarray, matrix: Matrix) -> np.ndarray:
    a, b, c, d, e, f = matrix
    x, y = points.T
    return np.stack([a * x + c * y + e, b * x + d * y + f], axis=1)


def extent_of(points: np.ndarray) -> Extent:
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return left, top, right, bottom


def extremes(curves: np.ndarray) -> list[np.ndarray]:
    """Return points of cubic curves (N, 4, 2) where x or y is greatest or least."""
    p0, p1, p2, p3 = (curves[:, i] for i in range(4))
    # The derivative is a quadratic polynomial in t.
    a, b, c = p3 - 3 * p2 + 3 * p1 - p0, 2 * (p2 - 2 * p1 + p0), p1 - p0
    root = np.sqrt(b * b - 4 * a * c)
    times = [(-b + root) / (2 * a), (-b - root) / (2 * a), -c / b]
    found = []
    for axis in range(2):
        for time in times:
            t = np.clip(np.nan_to_num(time[:, axis : axis + 1]), 0, 1)
            s = 1 - t
            found.append(s**3 * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t**3 * p3)
    return found


def shape_segments(shape: Element) -> list[Segment]:
    try:
        if shape.tag == "path":
            data = shape.get("d", "")
            # The faster way for long data takes a while to begin.
            if len(data) < SHORT:
                return read_path(data, is_lenient=True)
            return read_paths([data], is_lenient=True)[0]
        outline = read_outline(shape.tag, shape.attrib, [0.0] * 4, is_lenient=True)
        return begin_with_move(outline)
    except ValueError:
        return []

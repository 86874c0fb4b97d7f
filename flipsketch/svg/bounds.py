"""Bounding boxes of a normal tree, for units of `objectBoundingBox` and canvases to be fitted."""

import math
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.geometry import IDENTITY, Matrix, compose, read_outline
from flipsketch.svg.path_data import Segment, read_path
from flipsketch.svg.scope import read_matrix
from flipsketch.svg.viewport import Box

HANDLE = 4 / 3 * (math.sqrt(2) - 1)
"""Of a curve along a quarter of the unit circle."""


def shape_segments(shape: Element) -> list[Segment]:
    try:
        if shape.tag == "path":
            return read_path(shape.get("d", ""), is_lenient=True)
        if shape.tag in ("circle", "ellipse"):
            return ellipse_segments(shape)
        return read_outline(shape.tag, dict(shape.items()), [0.0, 0.0, 1.0, 1.0])
    except ValueError:
        return []


def ellipse_segments(shape: Element) -> list[Segment]:
    """Return four curves that stay within 0.03% of a circle or an ellipse."""
    cx, cy = float(shape.get("cx", 0)), float(shape.get("cy", 0))
    radii = (shape.get("rx", shape.get("r", 0)), shape.get("ry", shape.get("r", 0)))
    rx, ry = map(float, radii)
    segments: list[Segment] = [("M", [cx + rx, cy])]
    for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        points = ((x - HANDLE * y, y + HANDLE * x), (-y + HANDLE * x, x + HANDLE * y), (-y, x))
        segments.append(("C", [side for u, v in points for side in (cx + u * rx, cy + v * ry)]))
    return [*segments, ("Z", [])]


def content_box(elements: Iterable[Element], stroke: str = "none") -> Box | None:
    """Return the box around shapes and groups of a normal tree, in the space that they lie in.

    Args:
        stroke: `none` for the box of outlines alone, as `objectBoundingBox` is meant; `width` for
            that of strokes too, without the tips of their corners; `reach` for one with them.
    """
    boxes = list(_boxes(elements, IDENTITY, stroke))
    if not boxes:
        return None
    low, high = np.array(boxes).min(axis=0)[:2], np.array(boxes).max(axis=0)[2:]
    return Box(*low.tolist(), *(high - low).tolist())


def _boxes(
    elements: Iterable[Element], matrix: Matrix, stroke: str
) -> Iterable[tuple[float, float, float, float]]:
    for element in elements:
        inner = matrix
        if transform := element.get("transform"):
            inner = compose(matrix, read_matrix(transform))
        if element.tag == "g":
            yield from _boxes(element, inner, stroke)
        elif (extent := outline_extent(shape_segments(element), inner)) is not None:
            reach = 0.0
            if stroke != "none" and element.get("stroke", "none") != "none":
                a, b, c, d, _, _ = inner
                scale = max(math.hypot(a, b), math.hypot(c, d))
                reach = float(element.get("stroke-width", 1)) / 2 * scale
                if stroke == "reach":
                    reach *= max(1.5, float(element.get("stroke-miterlimit", 4)))
            left, top, right, bottom = extent
            yield left - reach, top - reach, right + reach, bottom + reach


def outline_extent(
    segments: Sequence[Segment], matrix: Matrix
) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of an outline, exact for curves."""
    ends: list[list[float]] = []
    curves: list[list[float]] = []
    for kind, points, *_ in segments:
        if kind in "CA":
            for place in range(0, len(points), 6):
                curves.append(ends[-1] + points[place : place + 6])
                ends.append(points[place + 4 : place + 6])
        elif kind in "ML":
            ends.append(points[:2])
    if not ends:
        return None
    found = [_transform(np.array(ends), matrix)]
    if curves:
        found += _extremes(_transform(np.array(curves).reshape(-1, 2), matrix).reshape(-1, 4, 2))
    points_found = np.concatenate(found)
    if not np.isfinite(points_found).all():
        return None
    return (*points_found.min(axis=0).tolist(), *points_found.max(axis=0).tolist())


def _transform(points: np.ndarray, matrix: Matrix) -> np.ndarray:
    a, b, c, d, e, f = matrix
    x, y = points.T
    return np.stack([a * x + c * y + e, b * x + d * y + f], axis=1)


def _extremes(curves: np.ndarray) -> list[np.ndarray]:
    """Return points of cubic curves (N, 4, 2) where x or y is greatest or least."""
    p0, p1, p2, p3 = (curves[:, i] for i in range(4))
    # The derivative is a quadratic polynomial in t.
    a, b, c = p3 - 3 * p2 + 3 * p1 - p0, 2 * (p2 - 2 * p1 + p0), p1 - p0
    with np.errstate(all="ignore"):
        root = np.sqrt(b * b - 4 * a * c)
        times = [(-b + root) / (2 * a), (-b - root) / (2 * a), -c / b]
    found = []
    for axis in range(2):
        for time in times:
            t = np.nan_to_num(np.clip(time[:, axis : axis + 1], 0, 1))
            s = 1 - t
            found.append(s**3 * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t**3 * p3)
    return found


def as_rectangle(shape: Element) -> Box | None:
    """Return the upright rectangle that a shape is, without its paint; None if it is another."""
    points: list[float] = []
    for kind, place, *_ in shape_segments(shape):
        if kind in "CA" or (kind == "M" and points):
            return None
        points += place[:2]
    corners = _transform(np.array(points).reshape(-1, 2), read_matrix(shape.get("transform", "")))
    if len(corners) == 5 and np.allclose(corners[0], corners[4]):
        corners = corners[:4]
    if len(corners) != 4:
        return None
    low, high = corners.min(axis=0), corners.max(axis=0)
    # Each corner is at one end of each axis, and differs from the next in one of them.
    is_high = np.abs(corners - high) < np.abs(corners - low)
    snapped = np.where(is_high, high, low)
    steps = (is_high != np.roll(is_high, 1, axis=0)).sum(axis=1)
    if not (steps == 1).all() or np.abs(snapped - corners).max() > 1e-6 * (high - low).max():
        return None
    return Box(*low.tolist(), *(high - low).tolist())

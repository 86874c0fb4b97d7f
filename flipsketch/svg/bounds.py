"""Bounding boxes of a normal tree, for units of `objectBoundingBox` and canvases to be fitted."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.geometry import IDENTITY, Matrix, Segment, compose, read_outline, read_path
from flipsketch.svg.scope import read_matrix
from flipsketch.svg.viewport import Box


def shape_segments(shape: Element) -> list[Segment]:
    try:
        if shape.tag == "path":
            return read_path(shape.get("d", ""))
        return read_outline(shape.tag, dict(shape.items()), [0.0, 0.0, 1.0, 1.0])
    except ValueError:
        return []


def content_box(elements: Iterable[Element], *, with_strokes: bool = False) -> Box | None:
    """Return the box around shapes and groups of a normal tree, in the space that they lie in.

    It is that of the outlines, without their strokes, as `objectBoundingBox` is meant.
    """
    boxes = list(_boxes(elements, IDENTITY, with_strokes))
    if not boxes:
        return None
    low, high = np.array(boxes).min(axis=0)[:2], np.array(boxes).max(axis=0)[2:]
    return Box(*low.tolist(), *(high - low).tolist())


def _boxes(
    elements: Iterable[Element], matrix: Matrix, with_strokes: bool
) -> Iterable[tuple[float, float, float, float]]:
    for element in elements:
        inner = matrix
        if transform := element.get("transform"):
            inner = compose(matrix, read_matrix(transform))
        if element.tag == "g":
            yield from _boxes(element, inner, with_strokes)
        elif (extent := outline_extent(shape_segments(element), inner)) is not None:
            reach = 0.0
            if with_strokes and element.get("stroke", "none") != "none":
                a, b, c, d, _, _ = inner
                width = float(element.get("stroke-width", 1))
                reach = width / 2 * max(np.hypot(a, b), np.hypot(c, d))
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
            if kind == "A" and not ends:
                # An ellipse, whose first curve begins where its last one ends.
                ends.append(points[-2:])
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

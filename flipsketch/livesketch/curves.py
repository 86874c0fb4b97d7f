"""Smooth cubic curves through the pixels of a line, and corners where it turns sharply."""

import numpy as np
from scipy.interpolate import PPoly, splprep

# Distance of a curve from the pixels that it is fitted to, in pixels: root mean square, and the
# largest. Rounding to whole pixels alone makes 0.3.
RMS_ERROR, MAX_ERROR = 0.45, 2.5
# A line that turns by more is drawn as two that meet in a corner.
CORNER = np.radians(55)


def fit_cubics(points: np.ndarray, is_closed: bool, reach: float) -> np.ndarray:
    """Return cubics (S, 4, 2), each beginning where the one before ends.

    Args:
        points: of a line, in order (n, 2), in pixels.
        reach: corners are seen by the line's direction within so many pixels to either side.
    """
    corners = find_corners(points, is_closed, max(2, round(reach)))
    if is_closed:
        first = corners[0] if corners else 0
        points = np.concatenate([points[first:], points[: first + 1]])
        if not corners:
            return fit_spline(points, is_closed=len(points) > 8)
        corners = [corner - first for corner in corners[1:]]
    bounds = [0, *corners, len(points) - 1]
    pieces = zip(bounds[:-1], bounds[1:], strict=True)
    return np.concatenate([fit_spline(points[start : end + 1]) for start, end in pieces])


def find_corners(points: np.ndarray, is_closed: bool, reach: int) -> list[int]:
    """Return the positions at which a line turns sharply, in order."""
    if len(points) < 2 * reach + 2:
        return []
    places = np.arange(len(points)) if is_closed else np.arange(reach, len(points) - reach)
    line = points @ np.array([1, 1j])
    arriving = line[places] - line[places - reach]
    leaving = line[(places + reach) % len(line)] - line[places]
    turns = np.abs(np.angle(leaving * arriving.conj()))
    corners: list[int] = []
    # The sharpest of those near each other.
    for place in np.argsort(-turns, kind="stable"):
        if turns[place] < CORNER:
            break
        corner = int(places[place])
        gaps = [abs(corner - other) for other in corners]
        if is_closed:
            gaps = [min(gap, len(points) - gap) for gap in gaps]
        if min(gaps, default=reach) >= reach:
            corners.append(corner)
    return sorted(corners)


def fit_spline(points: np.ndarray, is_closed: bool = False) -> np.ndarray:
    """Return the cubics of a smoothing spline, which has the fewest knots for the error.

    Args:
        is_closed: the last point is the first, and the curve is as smooth there as elsewhere.
    """
    points = at_even_distances(points)
    if len(points) < 5:
        return straight(points[0], points[-1])[None]
    weights = np.ones(len(points))
    if not is_closed:
        # The ends stay where they are.
        weights[[0, -1]] = 100
    (knots, coefficients, degree), places = splprep(
        points.T, w=weights, s=len(points) * RMS_ERROR**2, per=is_closed
    )[:2]
    spline = [PPoly.from_spline((knots, each, degree)) for each in coefficients]
    away = np.hypot(*(np.stack([side(places) for side in spline], axis=1) - points).T)
    worst = int(away.argmax())
    if away[worst] <= MAX_ERROR or not 2 < worst < len(points) - 3:
        return to_cubics(spline)
    if is_closed:
        return fit_spline(np.concatenate([points[worst:], points[1 : worst + 1]]))
    return np.concatenate([fit_spline(points[: worst + 1]), fit_spline(points[worst:])])


def at_even_distances(points: np.ndarray) -> np.ndarray:
    """Return points along a line, about a pixel apart; gaps are filled with straight lines."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    places = np.linspace(0, along[-1], round(along[-1]) + 1)
    return np.stack([np.interp(places, along, side) for side in points.T], axis=1)


def straight(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return a line as a cubic (4, 2)."""
    return first + (last - first) * np.arange(4)[:, None] / 3


def to_cubics(spline: list[PPoly]) -> np.ndarray:
    """Return the pieces of a curve's x and y between 0 and 1 as cubic Beziers (S, 4, 2)."""
    ends = spline[0].x
    lengths = np.diff(ends)
    # Knots are repeated at the ends; those of a closed curve go on around it.
    is_piece = (lengths > 0) & (ends[:-1] > -1e-9) & (ends[1:] < 1 + 1e-9)
    powers = np.arange(3, -1, -1)[:, None]
    points = []
    for side in spline:
        cubed, squared, linear, start = side.c[:, is_piece] * lengths[is_piece] ** powers
        handle, other = start + linear / 3, start + (2 * linear + squared) / 3
        points.append(np.stack([start, handle, other, start + linear + squared + cubed], axis=1))
    return np.stack(points, axis=2)

"""What a photo shows besides a page in even light: a desk below it, a shadow with a hard edge, or
nothing but noise."""

import numpy as np
from PIL import Image

from flipsketch.media.surface import luma

MAP_SIDE = 192
MIN_SHEET = 0.2
"""Share of the picture."""
TRIM = 0.0125
"""Share of a sheet's side that is cut at each edge, which is blurred."""
MIN_STEP = 0.05
"""From a desk to the sheet on it, of levels from 0 to 1."""
SOLID = 0.2
"""Share of the page: what is filled in a drawing rarely takes as much."""
MIN_SHADE = 0.25
"""Of the light of the paper: a shadow lets more through than ink does."""


def is_noise(image: Image.Image) -> bool:
    """Tell whether levels vary from pixel to pixel, and no part of the page stands out."""
    levels = np.asarray(image.convert("L"), np.float32) / 255
    low, high = np.percentile(levels, (2, 98))
    third = (high - low) / 3
    # Hatching is about as even, but mostly light or dark.
    is_grey = ((levels > low + third) & (levels < high - third)).mean() > 0.25
    if levels.std() < 0.1 or not is_grey:
        return False
    cells = np.asarray(Image.fromarray(levels).resize((48, 48), Image.Resampling.BOX))
    error = np.abs(cells - np.median(cells))
    # Of 2304 means of noise none is 6 deviations from the others.
    return bool(error.max() < 6 * 1.48 * np.median(error) and cells.std() < 0.25 * levels.std())


def cut_sheet(image: Image.Image) -> Image.Image | None:
    """Return the sheet of paper that lies on darker ground, straightened; None if none is seen."""
    import cv2

    corners = find_sheet(luma(np.asarray(image).astype(np.float32) / 255))
    if corners is None:
        return None
    corners = corners.mean(axis=0) + (1 - 2 * TRIM) * (corners - corners.mean(axis=0))
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = int(max(sides[0], sides[2])), int(max(sides[1], sides[3]))
    page = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), page)
    sheet = cv2.warpPerspective(np.asarray(image), matrix, (width, height))
    return Image.fromarray(sheet)


def find_sheet(levels: np.ndarray) -> np.ndarray | None:
    """Return the corners (4, 2) of the one large light quadrilateral of a picture, clockwise from
    the upper left."""
    import cv2

    small = cv2.resize(levels, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
    desk, spread = fit_border(small)
    is_light = (small > desk + max(MIN_STEP, 4 * spread)).astype(np.uint8)
    contours = cv2.findContours(is_light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    if not contours:
        return None
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    quad = cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True)
    if len(quad) != 4 or cv2.contourArea(quad) < MIN_SHEET * small.size:
        return None
    inside = cv2.fillConvexPoly(np.zeros_like(is_light), quad, 1) > 0
    edge = np.ones_like(inside)
    edge[3:-3, 3:-3] = False
    # Light strokes do not fill it, and what reaches the picture's edges is the page itself.
    if (
        is_light[inside].mean() < 0.8
        or is_light[~inside].mean() > 0.05
        or inside[edge].mean() > 0.3
    ):
        return None
    points = quad[:, 0].astype(np.float32)
    points = points[np.argsort(np.arctan2(*(points - points.mean(axis=0)).T[::-1]))]
    points = np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)
    height, width = levels.shape
    return (points + 0.5) * np.array([width, height], np.float32) / MAP_SIDE


def fit_border(levels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the plane through what is usual along the edges of a picture, and the deviation from
    it."""
    y, x = np.mgrid[-1 : 1 : levels.shape[0] * 1j, -1 : 1 : levels.shape[1] * 1j]
    basis = np.stack([np.ones_like(x), x, y], axis=-1)
    edge = np.maximum(np.abs(x), np.abs(y)) > 0.97
    kept, found = np.ones(edge.sum(), bool), levels[edge]
    for _ in range(3):
        weights = np.linalg.lstsq(basis[edge][kept], found[kept], rcond=None)[0]
        error = np.abs(found - basis[edge] @ weights)
        spread = 1.48 * float(np.median(error))
        kept = error <= 3 * spread + 1e-3
    return (basis @ weights).astype(np.float32), spread


def find_solid(grey: np.ndarray, light: np.ndarray) -> np.ndarray | None:
    """Return where a page has its one large black area, None if it has none or that was as dark as
    ink before.

    Args:
        grey: uint8 (H, W), repaired.
        light: what the page reflects, of 1, which is white paper.
    """
    import cv2

    side = max(3, max(grey.shape) // 16)
    black = (grey < 128).astype(np.uint8)
    # Beyond the page is no ink, so a filled corner stays.
    area = cv2.morphologyEx(black, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    labels, counts = cv2.connectedComponentsWithStats(area)[1:3]
    if len(counts) < 2:
        return None
    solid = labels == 1 + int(counts[1:, cv2.CC_STAT_AREA].argmax())
    is_dark = np.median(light[solid]) < MIN_SHADE
    return None if solid.mean() < SOLID or is_dark else solid


def has_strokes(grey: np.ndarray, area: np.ndarray) -> bool:
    """Tell whether there are strokes in an area, its edge aside, and not all of it is ink."""
    import cv2

    side = max(3, max(grey.shape) // 32)
    inner = cv2.erode(area.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return bool(inner.any() and 0.002 < (grey[inner] < 128).mean() < 0.3)

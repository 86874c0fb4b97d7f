"""The surface of paper, whose colour and light change over a page, below the ink on it."""

from typing import NamedTuple

import numpy as np

MAP_SIDE = 96


class Paper(NamedTuple):
    """What is below the ink, of a picture whose levels go from 0 to 1."""

    surface: np.ndarray
    """float32 (MAP_SIDE, MAP_SIDE, 3)."""
    is_dark: bool
    """The picture was inverted, since its strokes are lighter than its paper."""

    @property
    def colour(self) -> tuple[int, ...]:
        levels = np.median(self.surface, axis=(0, 1)) * 255
        return tuple(round(float(255 - level if self.is_dark else level)) for level in levels)

    @property
    def shadow(self) -> float:
        """What its darkest parts lack of the light of its lightest."""
        low, high = np.percentile(luma(self.surface), (2, 98))
        return float(1 - low / max(high, 1 / 255))


def luma(pixels: np.ndarray) -> np.ndarray:
    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def find_paper(pixels: np.ndarray, *, is_flat: bool) -> Paper:
    """Return the paper of a picture whose levels go from 0 to 1.

    Args:
        is_flat: it has one colour, as a program's has, unless none is found often enough.
    """
    import cv2

    small = cv2.resize(pixels, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
    is_dark = has_light_ink(luma(small))
    if is_dark:
        small = 1 - small
    if is_flat and (colour := find_light_colour(1 - pixels if is_dark else pixels)) is not None:
        return Paper(np.full((MAP_SIDE, MAP_SIDE, 3), colour, np.float32), is_dark)
    # A stroke is narrower than this, what is filled is not.
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    closed = np.maximum(cv2.morphologyEx(small, cv2.MORPH_CLOSE, element), 1 / 255)
    fitted = fit_surface(closed)
    is_paper = (luma(closed) > 0.85 * luma(fitted)).astype(np.float32)[..., None]
    ratio = closed / fitted
    weight = cv2.GaussianBlur(is_paper, (0, 0), 3)[..., None] + 1e-3
    ratio = (cv2.GaussianBlur(is_paper * ratio, (0, 0), 3) + 1e-3) / weight
    return Paper(np.clip(fitted * ratio, 0, 1), is_dark)


def find_light_colour(pixels: np.ndarray) -> np.ndarray | None:
    """Return the colour that is found most among the lightest, None if none is found often."""
    bins = (pixels * 31 + 0.5).astype(np.int32) @ np.array([1024, 32, 1])
    counts = np.bincount(bins.ravel(), minlength=1 << 15)
    often = np.flatnonzero(counts >= 0.05 * bins.size)
    if not len(often):
        return None
    levels = luma(np.stack([often >> 10, often >> 5 & 31, often & 31], axis=-1) / 31)
    light = often[levels >= 0.8 * levels.max()]
    return np.median(pixels[bins == light[np.argmax(counts[light])]], axis=0)


def has_light_ink(levels: np.ndarray) -> bool:
    """Tell whether strokes are lighter than what is around them, on paper that is not light."""
    import cv2

    around = cv2.medianBlur((levels * 255).astype(np.uint8), 31).astype(np.float32) / 255
    lighter = np.clip(levels - around - 0.02, 0, None).sum()
    darker = np.clip(around - levels - 0.02, 0, None).sum()
    edge = np.concatenate([levels[:2].ravel(), levels[-2:].ravel(), levels[:, :2].ravel()])
    # A frame is no paper, and strokes take less than half of it.
    paper = max(np.median(edge), np.median(levels))
    return bool(lighter > 1.5 * darker and paper < 0.6)


def fit_surface(closed: np.ndarray) -> np.ndarray:
    """Return the cubic surfaces (MAP_SIDE, MAP_SIDE, 3) through the lighter cells, which are paper:
    fitted again and again without those that are darker."""
    y, x = np.mgrid[-1 : 1 : MAP_SIDE * 1j, -1 : 1 : MAP_SIDE * 1j]
    terms = [x**i * y**j for i in range(4) for j in range(4 - i)]
    basis = np.stack(terms, -1).reshape(-1, len(terms)).astype(np.float32)
    cells = closed.reshape(-1, 3)
    levels = luma(cells)
    kept = levels > 0.6 * np.percentile(levels, 95)
    for _ in range(6):
        weights = np.linalg.lstsq(basis[kept][::3], cells[kept][::3], rcond=None)[0]
        error = levels - luma(basis @ weights)
        spread = 0.015 + 1.5 * np.median(np.abs(error[kept]))
        kept = (error > -2.5 * spread) & (error < 4 * spread)
        if kept.sum() < 90:
            break
    low, high = cells.min(axis=0), cells.max(axis=0)
    return np.clip(basis @ weights, low, high).reshape(closed.shape).astype(np.float32)


def local_surface(pixels: np.ndarray) -> np.ndarray:
    """Return the paper (H, W, 3) with the edges of shadows on it: what closing leaves."""
    import cv2

    side = max(pixels.shape) * 15 // 96 | 1
    smooth = np.stack([cv2.medianBlur(channel, 5) for channel in np.moveaxis(pixels, -1, 0)], -1)
    return cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))

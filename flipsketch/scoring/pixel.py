"""Scores of a clip that need no model: its ink, its changes, and how close it is to its sketch."""

import cv2
import numpy as np

from flipsketch.scoring.ink import coloured, ink, ink_iou, motion
from flipsketch.scoring.scores import PixelScores

MAX_INK_SHARE = 0.5  # of a frame; a frame with more is not a line drawing


def score_pixels(frames: np.ndarray, sketch: np.ndarray) -> PixelScores:
    """Score frames uint8 (F, H, W, 3) of a sketch (H, W, 3)."""
    inks, drawn = ink(frames), ink(sketch)
    shares = inks.mean(axis=(1, 2))
    before, middle, after = inks[:-2], inks[1:-1], inks[2:]
    ious = [ink_iou(one, drawn) for one in inks]
    chamfers = [chamfer(one, drawn) for one in inks]
    known = [distance for distance in chamfers if distance is not None]
    return PixelScores(
        ink_mean=float(shares.mean()),
        ink_min=float(shares.min()),
        ink_max=float(shares.max()),
        ink_drift=float(shares[-1] - shares[0]),
        coloured=float(coloured(frames).mean()),
        motion=motion(frames),
        flicker=float(((middle != before) & (middle != after)).mean()) if len(middle) else 0.0,
        is_still=bool((frames == frames[0]).all()),
        is_blank=bool((shares == 0).any()),
        is_blackout=bool((shares > MAX_INK_SHARE).any()),
        first_iou=ious[0],
        mean_iou=float(np.mean(ious)),
        first_chamfer=chamfers[0],
        mean_chamfer=float(np.mean(known)) if known else None,
    )


def chamfer(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return the mean distance from a mask's ink to the other's nearest, and back, averaged.

    In shares of a side; None if either has no ink.
    """
    if not one.any() or not other.any():
        return None
    there, back = distance_to(other)[one].mean(), distance_to(one)[other].mean()
    return float((there + back) / 2 / len(one))


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Return each pixel's distance from the nearest ink (H, W), in pixels."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)

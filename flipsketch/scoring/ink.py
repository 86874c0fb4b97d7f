"""What scores of a clip are made of: ink, its overlap, and change."""

import numpy as np

INK_BELOW = 128
BLACK_BELOW, WHITE_ABOVE = 64, 192


def ink(frames: np.ndarray) -> np.ndarray:
    """Return where there is ink, bool (..., H, W), of frames uint8 (..., H, W, 3)."""
    return frames @ np.array([0.299, 0.587, 0.114]) < INK_BELOW


def coloured(frames: np.ndarray) -> np.ndarray:
    """Return where a pixel is grey or coloured, neither black nor white: bool (..., H, W)."""
    return (frames.max(axis=-1) >= BLACK_BELOW) & (frames.min(axis=-1) <= WHITE_ABOVE)


def ink_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union of two masks' ink; 1.0 if neither has any."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def motion(frames: np.ndarray) -> float:
    """Return the mean change of a pixel from frame to frame, in [0, 1]."""
    return float(np.abs(np.diff(frames.astype(np.float64), axis=0)).mean() / 255)

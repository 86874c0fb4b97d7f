"""A clip's points at another frame rate."""

import numpy as np


def resample_points(points: np.ndarray, num_frames: int) -> np.ndarray:
    """Return points of frames (F, P, 2) as more or fewer frames of the same motion, the first and
    the last of them the same.

    Through the frames goes a sum of cosines of time, which is what the lattice's motions are.
    """
    flat = points.reshape(len(points), -1)
    coefficients = np.linalg.solve(cosines(len(points), len(points)), flat)
    frames = cosines(num_frames, len(points)) @ coefficients
    frames = frames.reshape(num_frames, *points.shape[1:])
    # To the last bit.
    frames[0], frames[-1] = points[0], points[-1]
    return frames


def cosines(num_frames: int, num_frequencies: int) -> np.ndarray:
    """Return cosines of none to many half periods at evenly spaced times, (F, K)."""
    times = np.linspace(0, np.pi, num_frames)
    return np.cos(times[:, None] * np.arange(num_frequencies))

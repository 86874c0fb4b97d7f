"""Which strokes of a sketch belong together: a clip may move some and leave others in place, but a
head must not part from its body."""

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from flipsketch.livesketch.rasterizer import VectorBatch

# Strokes whose boxes are at most so far from each other belong together: a share of the sketch's
# larger side. Boxes, since an eye touches no other stroke of its head.
CONTACT = 0.04
# The ground, or a water line, is flat (height by width), lies low (a share of the sketch's height)
# and reaches as far as all that stands on it.
FLAT, LOW = 0.1, 0.25


def group_shapes(batch: VectorBatch) -> tuple[Tensor, Tensor]:
    """Return numbers of the groups of shapes, and which are grounds (K,): each of these is alone,
    and of the others those that touch, one by one, are together."""
    low, high = find_boxes(batch)
    sketch_of_shape = batch.sketch_of_shape.cpu().numpy()
    groups, num_groups = np.zeros(len(low), dtype=np.int64), 0
    are_grounds = np.zeros(len(low), dtype=bool)
    for sketch in range(len(batch.canvases)):
        rows = sketch_of_shape == sketch
        are_grounds[rows] = find_grounds(low[rows], high[rows])
        found = group_boxes(low[rows], high[rows], are_grounds[rows])
        groups[rows] = num_groups + found
        num_groups += found.max() + 1
    device = batch.points.device
    return torch.from_numpy(groups).to(device), torch.from_numpy(are_grounds).to(device)


def find_boxes(batch: VectorBatch) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (K, 2) of the boxes around the control points of shapes."""
    points = batch.points.cpu().numpy()[batch.cubics.cpu().numpy()]
    shape_of_cubic = batch.shape_of_cubic.cpu().numpy()
    low = np.full((len(batch.ink), 2), np.inf)
    high = -low
    np.minimum.at(low, shape_of_cubic, points.min(axis=1))
    np.maximum.at(high, shape_of_cubic, points.max(axis=1))
    return low, high


def group_boxes(low: np.ndarray, high: np.ndarray, are_alone: np.ndarray) -> np.ndarray:
    """Return numbers of the groups (K,) of a sketch's boxes."""
    margin = CONTACT * (high.max(axis=0) - low.min(axis=0)).max()
    touch = (low[:, None] <= high + margin).all(axis=-1)
    touch &= touch.T
    touch[are_alone] = touch[:, are_alone] = False
    return connected_components(touch, directed=False)[1]


def find_grounds(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which of a sketch's boxes are grounds (K,)."""
    widths, heights = (high - low).T
    top, bottom = low[:, 1].min(), high[:, 1].max()
    are_low = (heights <= FLAT * widths) & (low[:, 1] >= bottom - LOW * (bottom - top))
    if are_low.all() or not are_low.any():
        return np.zeros_like(are_low)
    reach = high[~are_low, 0].max() - low[~are_low, 0].min()
    return are_low & (widths >= reach)

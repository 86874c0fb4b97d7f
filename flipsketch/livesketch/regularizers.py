"""What a motion should be like whatever the model says."""

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from flipsketch.livesketch.flattening import bernstein, mix
from flipsketch.livesketch.grouping import group_shapes
from flipsketch.livesketch.rasterizer import VectorBatch

# Places along a cubic that are kept close to those of other strokes, and how close: a share of the
# larger side of a sketch.
PLACES = torch.tensor([0, 1 / 3, 2 / 3, 1], dtype=torch.float64)
CLOSE = 0.03
# How much gaps count beside the lengths of strokes.
GAPS = 0.3


class Edges:
    """The sides of the control polygons of a batch's strokes, and how long they are drawn; and the
    gaps between strokes that touch, or nearly do."""

    def __init__(self, batch: VectorBatch, still: Tensor) -> None:
        """Args: still: the points of the sketches (N, 2)."""
        drawn = batch.cubics[~batch.is_closing]
        self.ends = torch.cat([drawn[:, corner : corner + 2] for corner in range(3)])
        self.rows = batch.sketch_of_point[self.ends[:, 0]]
        self.num_rows = len(batch.canvases)
        self.lengths = self.measure(still[None])
        self.totals = self.sum_rows(self.lengths.square())
        self.gaps = Gaps(batch, still)

    def measure(self, points: Tensor) -> Tensor:
        """Return the lengths (F, E) at points (F, N, 2)."""
        return distances(points[:, self.ends])

    def sum_rows(self, values: Tensor) -> Tensor:
        """Return the sums (B,) of values (F, E) over frames and a row's edges."""
        return values.new_zeros(self.num_rows).index_add(0, self.rows, values.sum(dim=0))

    def stretch(self, points: Tensor) -> Tensor:
        """Return the mean relative change of the lengths of each row, squared (B,): 0.01 where all
        strokes are a tenth longer; and what is added for the gaps."""
        changes = self.sum_rows((self.measure(points) - self.lengths).square())
        return changes / (len(points) * self.totals) + GAPS * self.gaps.change(points)


class Gaps:
    """Places of different strokes of a figure that are close to each other in the sketch."""

    def __init__(self, batch: VectorBatch, still: Tensor) -> None:
        """Args: still: the points of the sketches (N, 2)."""
        self.num_rows = len(batch.canvases)
        self.cubics = batch.cubics
        self.weights = [weight.to(still)[:, None, None] for weight in bernstein(PLACES)]
        ends, units = find_gaps(batch)
        self.ends = ends.to(still.device)
        self.rows = batch.sketch_of_shape[batch.shape_of_cubic[self.ends[:, 0] % len(self.cubics)]]
        counts = torch.bincount(self.rows, minlength=self.num_rows).clamp(min=1)
        self.totals = counts * units.to(still).square()
        self.widths = self.measure(still[None])

    def measure(self, points: Tensor) -> Tensor:
        """Return the widths (F, G) at points (F, N, 2)."""
        places = mix(self.weights, points[:, None, self.cubics].unbind(dim=3))
        return distances(places.flatten(1, 2)[:, self.ends])

    def change(self, points: Tensor) -> Tensor:
        """Return the mean change of the widths of each row, squared (B,): 1 where all gaps are
        wider by what is close."""
        changes = (self.measure(points) - self.widths).square().sum(dim=0)
        changes = changes.new_zeros(self.num_rows).index_add(0, self.rows, changes)
        return changes / (len(points) * self.totals)


def distances(pairs: Tensor) -> Tensor:
    """Return the distances (...) of pairs (..., 2, 2)."""
    start, end = pairs.unbind(dim=-2)
    # The slope of a root is infinite at zero, and some handles lie on their points.
    return ((end - start).square().sum(dim=-1) + 1e-12).sqrt()


def find_gaps(batch: VectorBatch) -> tuple[Tensor, Tensor]:
    """Return between which places there are gaps (G, 2), all cubics' first places before their
    second ones, and what is close in each sketch (B,)."""
    corners = batch.points.cpu()[batch.cubics.cpu()].unbind(dim=1)
    weights = [weight[:, None, None] for weight in bernstein(PLACES)]
    places = mix(weights, corners).flatten(0, 1).nan_to_num().numpy()
    shapes = np.tile(batch.shape_of_cubic.cpu().numpy(), len(PLACES))
    sketches = batch.sketch_of_shape.cpu().numpy()[shapes]
    groups = group_shapes(batch)[0].cpu().numpy()[shapes]
    gaps, units = [], []
    for sketch in range(len(batch.canvases)):
        rows = np.flatnonzero(sketches == sketch)
        unit = CLOSE * max(np.ptp(places[rows], axis=0).max(), 1e-6)
        near = rows[cKDTree(places[rows]).query_pairs(unit, output_type="ndarray")]
        first, second = near.T
        gaps.append(near[(shapes[first] != shapes[second]) & (groups[first] == groups[second])])
        units.append(unit)
    return torch.from_numpy(np.concatenate(gaps)), torch.tensor(units)

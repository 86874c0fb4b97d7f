"""What a motion should be like whatever the model says."""

import torch
from torch import Tensor

from flipsketch.livesketch.rasterizer import VectorBatch


class Edges:
    """The sides of the control polygons of a batch's strokes, and how long they are drawn."""

    def __init__(self, batch: VectorBatch, still: Tensor) -> None:
        """Args: still: the points of the sketches (N, 2)."""
        drawn = batch.cubics[~batch.is_closing]
        self.ends = torch.cat([drawn[:, corner : corner + 2] for corner in range(3)])
        self.rows = batch.sketch_of_point[self.ends[:, 0]]
        self.num_rows = len(batch.canvases)
        self.lengths = self.measure(still[None])
        self.totals = self.sum_rows(self.lengths.square())

    def measure(self, points: Tensor) -> Tensor:
        """Return the lengths (F, E) at points (F, N, 2)."""
        start, end = points[:, self.ends].unbind(dim=2)
        # The slope of a root is infinite at zero, and some handles lie on their points.
        return ((end - start).square().sum(dim=-1) + 1e-12).sqrt()

    def sum_rows(self, values: Tensor) -> Tensor:
        """Return the sums (B,) of values (F, E) over frames and a row's edges."""
        return values.new_zeros(self.num_rows).index_add(0, self.rows, values.sum(dim=0))

    def stretch(self, points: Tensor) -> Tensor:
        """Return the mean relative change of the lengths of each row, squared (B,): 0.01 where all
        strokes are a tenth longer."""
        changes = self.sum_rows((self.measure(points) - self.lengths).square())
        return changes / (len(points) * self.totals)

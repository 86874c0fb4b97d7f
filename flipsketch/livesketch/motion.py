"""How the points of sketches move: from parameters to displacements.

The points of a batch's sketches lie behind each other, N in all, in units of the square's side.
Rows have parameters of their own, and one optimizer has them all: Adam looks at each number by
itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

# Cosines of time with 1/2, 1, 3/2 and 2 periods a clip.
NUM_FREQUENCIES = 4
# Nodes along each side of the lattice.
NODES = 5
# Shifts along x and y, an angle, logarithms of the scales along x and y, a shear.
NUM_AFFINE = 6
# What an update of Adam moves a node at most, in units of the square: half a pixel of 64.
NODE_RATE = 0.5 / 64
AFFINE_RATE = 0.005


@dataclass(frozen=True, eq=False)
class Objective:
    """A loss, and what minimizes it."""

    guidance_scale: float
    optimizer: Optimizer
    schedule: LRScheduler | None = None

    def step(self) -> None:
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()


def time_basis(times: Tensor) -> Tensor:
    """Return the lowest cosines of times (T,), from 0 to 1, less what they are at 0: (T, K).

    All are exactly 0 at time 0, so that whatever their coefficients the sketch stays as it is. A
    constant would drop out.
    """
    frequencies = torch.arange(1, NUM_FREQUENCIES + 1, dtype=times.dtype, device=times.device)
    return (torch.cos(math.pi * times[:, None] * frequencies) - 1) / frequencies


class Lattice(nn.Module):
    """A lattice of nodes over each sketch that move along low frequencies of time, and an affine
    map of the whole that changes as slowly.

    A point moves as the nodes around it do, so strokes bend together and stay whole, however many
    points they have.
    """

    def __init__(self, points: Sequence[Tensor], num_frames: int) -> None:
        """Args: points: those of each sketch (P, 2)."""
        super().__init__()
        self.num_frames = num_frames
        self.offsets, self.weights = [], []
        for row in points:
            low, high = row.amin(dim=0), row.amax(dim=0)
            offsets = row - (low + high) / 2
            self.offsets.append(offsets)
            self.weights.append(node_weights(offsets, (high - low).max() / 2))
        zeros = points[0].new_zeros
        self.nodes = nn.Parameter(zeros(len(points), NUM_FREQUENCIES, NODES**2, 2))
        self.affine = nn.Parameter(zeros(len(points), NUM_FREQUENCIES, NUM_AFFINE))
        self.follows = zeros(sum(map(len, points)), 1) + 1
        """0 for points that are held where the sketch has them."""

    def objectives(self, guidance_scale: float, pace: float = 1.0) -> list[Objective]:
        """Args: pace: factor on the rates."""
        groups = [
            {"params": [self.nodes], "lr": pace * NODE_RATE},
            {"params": [self.affine], "lr": pace * AFFINE_RATE},
        ]
        return [Objective(guidance_scale, torch.optim.Adam(groups, betas=(0.9, 0.9)))]

    def hold(self, are_held: Tensor) -> None:
        """Hold points (N,) where the sketch has them, and no others."""
        self.follows = (~are_held[:, None]).to(self.nodes)

    @torch.no_grad()
    def shift(self, shifts: Tensor) -> None:
        """Move sketches as wholes, as near as they can, by the shifts (B, F, 2) of their frames."""
        basis = time_basis(torch.linspace(0, 1, self.num_frames).to(self.nodes))
        self.affine[..., :2] = torch.linalg.pinv(basis) @ shifts

    def forward(self) -> Tensor:
        """Return displacements (F, N, 2) of the frames; those of frame 0 are exactly 0."""
        return self.at(torch.linspace(0, 1, self.num_frames, dtype=self.nodes.dtype))

    def at(self, times: Tensor) -> Tensor:
        """Return displacements (T, N, 2) at times (T,), 0 that of the sketch and 1 that of the last
        frame."""
        basis = time_basis(times).to(self.nodes.device)
        nodes = torch.einsum("tk,bknc->btnc", basis, self.nodes)
        maps = torch.einsum("tk,bka->bta", basis, self.affine)
        moved = torch.cat(
            [
                transform(offsets + weights @ row, affine) - offsets
                for offsets, weights, row, affine in zip(
                    self.offsets, self.weights, nodes, maps, strict=True
                )
            ],
            dim=1,
        )
        return moved * self.follows


def node_weights(offsets: Tensor, reach: Tensor) -> Tensor:
    """Return how much each node of a lattice moves each point (P, nodes); a point's weights add up
    to 1.

    Args:
        offsets: of the points from the lattice's centre (P, 2).
        reach: from the centre to its edges.
    """
    line = torch.linspace(-1, 1, NODES).to(offsets) * reach
    nodes = torch.cartesian_prod(line, line)
    # Of a sketch that is a dot all nodes are at one place.
    spacing = (2 * reach / (NODES - 1)).clamp(min=1e-6)
    distances = (offsets[:, None] - nodes).square().sum(dim=-1)
    return torch.softmax(-distances / (2 * spacing**2), dim=-1)


def transform(offsets: Tensor, affine: Tensor) -> Tensor:
    """Return offsets (T, P, 2) from a centre as affine maps (T, 6) move them; zeros are the
    identity, to the last bit."""
    shift, (angle, scale_x, scale_y, shear) = affine[:, None, :2], affine[:, 2:].unbind(dim=-1)
    cos, sin = angle.cos(), angle.sin()
    x_axis = torch.stack([cos, sin], dim=-1) * scale_x.exp()[:, None]
    y_axis = torch.stack([shear * cos - sin, shear * sin + cos], dim=-1) * scale_y.exp()[:, None]
    x, y = offsets[..., :1], offsets[..., 1:]
    return x * x_axis[:, None] + y * y_axis[:, None] + shift

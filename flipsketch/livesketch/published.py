"""The published motion network: every point of every frame a token, two heads over all of them.

Its input is the same in each step, so it is a reparametrization of the displacements, with a great
many parameters: 38 M for 116 points and 10 frames. Its learned embedding is left out, since nothing
ever read it.

Source: Gal et al. (2023), "Breathing Life Into Sketches Using Text-to-Video Priors", and its code.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from flipsketch.livesketch.motion import Objective

# Points are counted in pixels of the published canvas; weights and rates go with these.
CANVAS = 256
WIDTH = 128
DROPOUT = 0.1
ROTATION_WEIGHT, SHEAR_WEIGHT, SCALE_WEIGHT = 0.01, 0.1, 0.05
LOCAL_GUIDANCE, GLOBAL_GUIDANCE = 30.0, 40.0
LOCAL_RATE, GLOBAL_RATE = 5e-3, 1e-4
# Of the rates, at the first step, after the warm-up's and at the last.
FIRST_SHARE, WARMUP_STEPS, LAST_SHARE = 0.1, 100, 0.4


def layers(*widths: int) -> list[nn.Module]:
    """Return linear layers of some widths, each with its norm and activation."""
    return [
        layer
        for before, after in zip(widths[:-1], widths[1:], strict=True)
        for layer in (nn.Linear(before, after), nn.LayerNorm(after), nn.LeakyReLU())
    ]


def head(depth: int, num_outputs: int) -> nn.Sequential:
    return nn.Sequential(*layers(*[WIDTH] * (depth + 1)), nn.Linear(WIDTH, num_outputs))


class PublishedNetwork(nn.Module):
    """The motion of one sketch."""

    def __init__(self, num_points: int, num_frames: int, published_defects: bool = False) -> None:
        super().__init__()
        self.num_frames, self.published_defects = num_frames, published_defects
        num_tokens = num_frames * num_points
        self.project = nn.Sequential(*layers(2, WIDTH), nn.Linear(WIDTH, WIDTH))
        self.positions: Tensor
        self.register_buffer("positions", sinusoids(num_tokens).float(), persistent=False)
        self.local_head = nn.Sequential(*layers(num_tokens * WIDTH, WIDTH), head(2, num_tokens * 2))
        self.shared = nn.Sequential(*layers(num_tokens * WIDTH, WIDTH, WIDTH))
        self.translation_head = head(3, num_frames * 2)
        self.rotation_head = head(1, num_frames)
        self.shear_head = head(1, num_frames * 2)
        self.scale_head = head(1, num_frames * 2)

    @property
    def local_parameters(self) -> list[nn.Parameter]:
        return [*self.project.parameters(), *self.local_head.parameters()]

    @property
    def global_parameters(self) -> list[nn.Parameter]:
        heads = (self.shared, self.translation_head, self.rotation_head, self.shear_head)
        return [
            *self.project.parameters(),
            *(parameter for part in (*heads, self.scale_head) for parameter in part.parameters()),
        ]

    def forward(self, offsets: Tensor, generator: torch.Generator) -> Tensor:
        """Return displacements (F, P, 2) of points at offsets (P, 2) from their centre of mass.

        Args:
            generator: of the dropout, in training mode.
        """
        positions = self.positions
        if self.training:
            drawn = torch.rand(positions.shape, generator=generator)
            positions = positions * (drawn >= DROPOUT).to(positions) / (1 - DROPOUT)
        tokens = self.project(offsets.repeat(self.num_frames, 1)) + positions
        local = self.local_head(tokens.flatten()).view(self.num_frames, -1, 2)
        linear, translation = self.affine_maps(self.shared(tokens.flatten()))
        return offsets @ linear.mT + translation - offsets + local

    def affine_maps(self, shared: Tensor) -> tuple[Tensor, Tensor]:
        """Return matrices (F, 2, 2) and translations (F, 1, 2): scale, then shear, then rotate."""
        angle = self.rotation_head(shared) * ROTATION_WEIGHT
        shear = self.shear_head(shared).view(-1, 2) * SHEAR_WEIGHT
        scale_head = self.shear_head if self.published_defects else self.scale_head
        scale = 1 + scale_head(shared).view(-1, 2) * SCALE_WEIGHT
        cos, sin, one = angle.cos(), angle.sin(), torch.ones_like(angle)
        rotation = torch.stack([cos, -sin, sin, cos], dim=-1).view(-1, 2, 2)
        sheared = torch.stack([one, shear[:, 1], shear[:, 0], one], dim=-1).view(-1, 2, 2)
        translation = self.translation_head(shared).view(-1, 1, 2)
        return rotation @ sheared * scale[:, None], translation


def sinusoids(num_positions: int) -> Tensor:
    """Return the usual encoding of positions (num_positions, WIDTH), sines and cosines in turn."""
    rates = 10000.0 ** (-torch.arange(0, WIDTH, 2, dtype=torch.float64) / WIDTH)
    angles = torch.arange(num_positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class Mlp(nn.Module):
    """The published motion of each sketch of a batch, and how it is learned. Frame 0 moves too."""

    def __init__(
        self,
        points: Sequence[Tensor],
        num_frames: int,
        generators: Sequence[torch.Generator],
        published_defects: bool = False,
    ) -> None:
        """Args: points: those of each sketch (P, 2)."""
        super().__init__()
        self.generators, self.published_defects = generators, published_defects
        self.offsets = [(row - row.mean(dim=0)) * CANVAS for row in points]
        networks = []
        for row, generator in zip(points, generators, strict=True):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
                network = PublishedNetwork(len(row), num_frames, published_defects)
            networks.append(network.to(row))
        self.networks = nn.ModuleList(networks)
        self.optimizers: list[Optimizer] = []

    def objectives(self, num_steps: int) -> list[Objective]:
        """Return the losses of a step: one for the local path, one for the global one."""
        found = []
        for guidance, rate, name in (
            (LOCAL_GUIDANCE, LOCAL_RATE, "local_parameters"),
            (GLOBAL_GUIDANCE, GLOBAL_RATE, "global_parameters"),
        ):
            parameters = [weight for row in self.networks for weight in getattr(row, name)]
            optimizer = Adam(parameters, lr=rate, betas=(0.9, 0.9), eps=1e-6)
            schedule = LambdaLR(optimizer, lambda step: rate_share(step, num_steps))
            found.append(Objective(guidance, optimizer, schedule))
        self.optimizers = [objective.optimizer for objective in found]
        return found

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Begin a loss. The published code forgets what the global optimizer alone has, so that
        these gradients add up over both losses and all steps."""
        for optimizer in self.optimizers[: 1 if self.published_defects else 2]:
            optimizer.zero_grad(set_to_none)

    def forward(self) -> Tensor:
        """Return displacements (F, N, 2); while training, with dropout by each row's generator."""
        rows = zip(self.networks, self.offsets, self.generators, strict=True)
        return torch.cat([network(*row) for network, *row in rows], dim=1) / CANVAS


def rate_share(step: int, num_steps: int) -> float:
    """Return a learning rate as a share of its peak: a sine up, and an exponential down."""
    risen = math.sin(math.pi / 2 * min(step / WARMUP_STEPS, 1))
    return (FIRST_SHARE + (1 - FIRST_SHARE) * risen) * LAST_SHARE ** min(step / num_steps, 1)

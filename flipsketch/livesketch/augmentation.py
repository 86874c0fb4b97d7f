"""How clips are shown to the model in the published code: from other sides, and in parts."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

DISTORTION = 0.5
MIN_AREA = 0.4
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def augment(ink: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Return ink (B, F, H, W) in a random perspective, of which a random square is shown, the same
    for all frames of a row; outside there is paper."""
    grids = torch.stack([draw_grid(ink.shape[-1], generator) for generator in generators])
    return functional.grid_sample(ink, grids.to(ink), mode="bilinear", align_corners=False)


def draw_grid(size: int, generator: torch.Generator) -> Tensor:
    """Return where each pixel is taken from (size, size, 2), from -1 to 1."""
    shifts, crop = torch.rand(4, 2, generator=generator), torch.rand(3, generator=generator)
    # Each corner moves inwards, by a quarter of the side at most.
    inwards = np.sign(0.5 - CORNERS)
    moved = CORNERS + inwards * shifts.numpy() * DISTORTION / 2
    matrix = cv2.getPerspectiveTransform(moved.astype(np.float32), CORNERS)
    side = float((MIN_AREA + (1 - MIN_AREA) * crop[0]).sqrt())
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size * side
    left, top = ((1 - side) * crop[1:]).tolist()
    y, x = torch.meshgrid(top + centres, left + centres, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ torch.from_numpy(matrix).T
    return 2 * places[..., :2] / places[..., 2:] - 1

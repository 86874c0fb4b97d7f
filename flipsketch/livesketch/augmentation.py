"""How clips are shown to the model in the published code: from other sides, and in parts."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

DISTORTION = 0.5
MIN_AREA = 0.4
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def augment(ink: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Return ink (B, F, S, S) in a random perspective, of which a random square is shown, the same
    for all frames of a row; outside there is paper."""
    rows = zip(ink, generators, strict=True)
    return torch.stack([take(row, *draw_places(row.shape[-1], random)) for row, random in rows])


def draw_places(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the places that pixels (S, S) are taken from: x and y, in pixels."""
    shifts, crop = torch.rand(4, 2, generator=generator), torch.rand(3, generator=generator)
    # Each corner moves inwards, by a quarter of the side at most.
    moved = CORNERS + np.sign(0.5 - CORNERS) * shifts.numpy() * DISTORTION / 2
    # Late: the published settings alone need it.
    import cv2

    matrix = torch.from_numpy(cv2.getPerspectiveTransform(moved.astype(np.float32), CORNERS))
    side = float((MIN_AREA + (1 - MIN_AREA) * crop[0]).sqrt())
    left, top = ((1 - side) * crop[1:]).tolist()
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) / size * side
    y, x = torch.meshgrid(top + centres, left + centres, indexing="ij")
    x, y, depth = (torch.stack([x, y, torch.ones_like(x)], dim=-1) @ matrix.T).unbind(dim=-1)
    return x / depth * size, y / depth * size


def take(pictures: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return pictures (F, S, S) at places (S, S), bilinear between the centres of pixels.

    In place of `grid_sample`, whose gradient CUDA adds up in any order.
    """
    size = pictures.shape[-1]
    left, top = (x - 0.5).floor(), (y - 0.5).floor()
    taken = torch.zeros_like(pictures)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        share = (1 - (x - 0.5 - column).abs()) * (1 - (y - 0.5 - row).abs())
        is_inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        place = (row * size + column).where(is_inside, 0).long().flatten().to(pictures.device)
        found = pictures.flatten(1).index_select(1, place).view_as(pictures)
        taken = taken + share.where(is_inside, 0).to(pictures) * found
    return taken

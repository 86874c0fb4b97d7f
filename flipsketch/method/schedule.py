"""The timesteps that a clip is denoised along."""

from collections.abc import Iterator

import torch
from torch import Tensor


def on_host_and_device(timesteps: Tensor, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Return each timestep twice: for the scheduler, which compares it and looks it up in tables on
    the host, and for the UNet. With either in the other's place every step would wait for the GPU.
    """
    return zip(timesteps, timesteps.to(device), strict=True)

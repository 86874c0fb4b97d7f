"""The timesteps that a clip is denoised along."""

from collections.abc import Iterator

import torch
from diffusers import DDIMScheduler
from torch import Tensor


def ddim_schedule(scheduler: DDIMScheduler, num_inference_steps: int) -> DDIMScheduler:
    """Return a scheduler of its own for a model's noise schedule, its timesteps set."""
    scheduler = DDIMScheduler.from_config(scheduler.config)
    scheduler.set_timesteps(num_inference_steps)
    return scheduler


def on_host_and_device(timesteps: Tensor, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Return each timestep twice: for the scheduler, which compares it and looks it up in tables on
    the host, and for the UNet. With either in the other's place every step would wait for the GPU.
    """
    return zip(timesteps, timesteps.to(device), strict=True)

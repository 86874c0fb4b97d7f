"""DDIM inversion: the noise that the model would denoise into a given sketch."""

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from flipsketch.method.config import SolverName
from flipsketch.method.schedule import on_host_and_device
from flipsketch.method.solver import Solver
from flipsketch.models.blocks import VideoUNet
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import predict_noise


@torch.no_grad()
def invert(
    unet: VideoUNet,
    scheduler: DDIMScheduler,
    latents: Tensor,
    null_embeds: Tensor,
    num_inference_steps: int,
) -> Tensor:
    """Run the DDIM ODE backwards, from a still clip to its noise.

    Args:
        latents: the sketch's latents, repeated along frames (B, C, F, h, w).
        null_embeds: embeddings of the empty prompt (B, L, D).

    Returns:
        Reference latents at the first timestep (B, C, 1, h, w), averaged over frames.

    Source: Song et al. (2021), eq. 13; unguided, as FlipSketch runs it.
    """
    return invert_path(unet, scheduler, latents, null_embeds, num_inference_steps)[0]


@torch.no_grad()
def invert_path(
    unet: VideoUNet,
    scheduler: DDIMScheduler,
    latents: Tensor,
    null_embeds: Tensor,
    num_inference_steps: int,
    solver: SolverName = "ddim",
) -> list[Tensor]:
    """Return all that `invert` goes through: latents (B, C, 1, h, w) at each timestep of a sampler
    of as many steps, the noise first, and last the sketch's own."""
    path = [latents]
    inverse = Solver(scheduler, solver, num_inference_steps, inverse=True)
    with graphs_of(unet).batch(unet, "invert", latents.shape):
        for timestep, t in on_host_and_device(inverse.timesteps, latents.device):
            noise_pred = predict_noise(unet, latents, t, null_embeds)
            latents = inverse.step(noise_pred, timestep, latents)
            path.append(latents)
    return [step.mean(dim=2, keepdim=True) for step in reversed(path)]

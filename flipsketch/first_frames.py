"""Training samples whose first frame is what FlipSketch's sampler has there.

That is no frame with fresh noise, as a model is trained on: it lies on the path of its own DDIM
inversion, in whose noise the drawing can be seen. A model of full size follows it without having
been told to; a small one has to learn to.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from torch import Tensor

from flipsketch.dataset import random_state
from flipsketch.training import Batch

# Of an inversion: as many as the sampler has, and fewer, which cost less: after 5 of them latents
# correlate with those after 25 by 0.9, but are smaller.
NUM_INVERSION_STEPS = (5, 10, 25)


def draw_rows(positions: list[int], share: float, seed: int, purpose: int) -> Tensor:
    """Return the rows (R,) that are to be changed, each chosen by its position alone."""
    return torch.tensor(
        [
            row
            for row, position in enumerate(positions)
            if random_state(seed, purpose, position).random_sample() < share
        ],
        dtype=torch.long,
    )


@torch.no_grad()
def invert_first_frames(
    batch: Batch,
    rows: Tensor,
    denoiser: Callable[[Tensor, Tensor, Tensor], Tensor],
    scheduler: DDIMScheduler,
    null_prompts: Tensor,
    num_steps: int,
    steps_offset: int,
) -> Batch:
    """Return a batch in which the first frame of some rows is on the path of its inversion.

    Their timesteps are rounded down to those of the path. The target of a first frame is the noise
    (or velocity) that leads from where it is to the clean frame at once.

    Args:
        rows: (R,).
        denoiser: predicts from noisy latents, a timestep and prompts.
        null_prompts: the empty prompt, as the denoiser takes it (1, ...).
        num_steps: of the inversion.
        steps_offset: the path's first timestep, less than 1000 / num_steps.
    """
    inverse = DDIMInverseScheduler.from_config(
        scheduler.config, steps_offset=steps_offset, timestep_spacing="leading"
    )
    inverse.set_timesteps(num_steps, device=batch.latents.device)
    steps = torch.bucketize(batch.timesteps[rows], inverse.timesteps, right=True) - 1
    steps = steps.clamp(min=0)
    clean = batch.latents[rows, :, :1]
    path = clean.clone()
    for step, t in enumerate(inverse.timesteps):
        left = steps >= step
        if not left.any():
            break
        null = null_prompts.expand(int(left.sum()), *null_prompts.shape[1:])
        prediction = denoiser(path[left], t, null)
        path[left] = inverse.step(prediction, t, path[left]).prev_sample
    noise, timesteps = batch.noise.clone(), batch.timesteps.clone()
    timesteps[rows] = inverse.timesteps[steps]
    alphas = scheduler.alphas_cumprod.to(path)[timesteps[rows]].view(-1, 1, 1, 1, 1)
    noise[rows, :, :1] = (path - alphas.sqrt() * clean) / (1 - alphas).sqrt()
    return replace(batch, noise=noise, timesteps=timesteps)


def copy_first_frames(batch: Batch, rows: Tensor, null_prompts: Tensor) -> Batch:
    """Return a batch in which some rows are the sampler's reference stream: their first frame over
    and over, its noise too, without a prompt."""
    latents, noise, prompts = batch.latents.clone(), batch.noise.clone(), batch.prompts.clone()
    for values in (latents, noise):
        values[rows] = values[rows, :, :1].expand_as(values[rows])
    prompts[rows] = null_prompts
    return replace(batch, latents=latents, noise=noise, prompts=prompts)

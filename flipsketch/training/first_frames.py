"""Training samples whose first frame is what FlipSketch's sampler has there.

That is not a frame with fresh noise, as in usual training: it lies on the path of its own DDIM
inversion, in whose noise the drawing is visible. A full-size model follows it without training for
it; a small one has to be trained to.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from torch import Tensor

from flipsketch.rng import Stream, random_state
from flipsketch.training.objective import TrainingBatch

# Steps of an inversion: as many as in the sampler, and fewer to save time. Latents after 5 steps
# have a correlation of 0.9 with those after 25, but are smaller.
NUM_INVERSION_STEPS = (5, 10, 25)
# From this share of the schedule on, almost nothing is left of a clip.
FIRST_TIMESTEPS = 0.9
MAX_LEFT = 2.0
"""Largest signal leak of a sample, in units of the sampler's `sketch_in_noise`."""

Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Predicts from noisy latents, timesteps and prompts."""


def draw_rows(positions: list[int], share: float, seed: int, stream: Stream) -> Tensor:
    """Return which rows to change, bool (B,), each drawn by its position alone."""
    return torch.tensor(
        [random_state(seed, stream, position).random_sample() < share for position in positions]
    )


@torch.no_grad()
def invert_first_frames(
    batch: TrainingBatch,
    chosen: Tensor,
    denoiser: Denoise,
    scheduler: DDIMScheduler,
    inverse: DDIMInverseScheduler,
    null_prompts: Tensor,
) -> TrainingBatch:
    """Return a batch in which some rows have a first frame on the path of its DDIM inversion.

    Timesteps of these rows are rounded down to those of the path.

    Args:
        chosen: bool (B,).
        inverse: the inversion's scheduler, see `make_inverse`.
        null_prompts: the empty prompt, as the denoiser takes it (1, ...).
    """
    rows = chosen.nonzero()[:, 0].to(batch.latents.device)
    steps = torch.bucketize(batch.timesteps[rows], inverse.timesteps, right=True) - 1
    steps = steps.clamp(min=0)
    path, first = batch.latents[rows, :, :1], batch.latents[:, :, :1].clone()
    for step, t in enumerate(inverse.timesteps):
        left = steps >= step
        if not left.any():
            break
        path[left] = go_on_path(path[left], t, denoiser, inverse, null_prompts)
    first[rows] = path
    timesteps = batch.timesteps.clone()
    timesteps[rows] = inverse.timesteps[steps]
    return place_first_frames(batch, chosen, first, timesteps, scheduler)


def make_inverse(
    scheduler: DDIMScheduler, num_steps: int, steps_offset: int, device: torch.device
) -> DDIMInverseScheduler:
    """Return the scheduler of an inversion of `num_steps` steps, whose first timestep is
    `steps_offset`, less than 1000 / num_steps."""
    inverse = DDIMInverseScheduler.from_config(
        scheduler.config, steps_offset=steps_offset, timestep_spacing="leading"
    )
    inverse.set_timesteps(num_steps, device=device)
    return inverse


def go_on_path(
    path: Tensor,
    t: Tensor,
    denoiser: Denoise,
    inverse: DDIMInverseScheduler,
    null_prompts: Tensor,
) -> Tensor:
    """Return first frames (R, C, 1, h, w) one step further along their inversion, at t."""
    null = null_prompts.expand(len(path), *null_prompts.shape[1:])
    return inverse.step(denoiser(path, t, null), t, path).prev_sample


def place_first_frames(
    batch: TrainingBatch, chosen: Tensor, first: Tensor, timesteps: Tensor, scheduler: DDIMScheduler
) -> TrainingBatch:
    """Return a batch in which some rows have other timesteps and, at these, other first frames.

    Their noise is chosen so that the target leads from the new frame to the clean one in one step.

    Args:
        chosen: bool (B,).
        first: noisy (B, C, 1, h, w).
        timesteps: (B,).
    """
    chosen = chosen.to(first.device)
    timesteps = torch.where(chosen, timesteps, batch.timesteps)
    alphas = alphas_at(timesteps, scheduler, first)
    leading = (first - alphas.sqrt() * batch.latents[:, :, :1]) / (1 - alphas).sqrt()
    own = batch.noise[:, :, :1]
    noise = torch.cat([torch.where(as_rows(chosen, own), leading, own), batch.noise[:, :, 1:]], 2)
    return replace(batch, noise=noise, timesteps=timesteps)


def to_first_timesteps(
    batch: TrainingBatch, chosen: Tensor, scheduler: DDIMScheduler
) -> TrainingBatch:
    """Return a batch in which some rows, bool (B,), have timesteps at which the sampler begins."""
    first = first_timestep(scheduler)
    span = scheduler.config.num_train_timesteps - first
    timesteps = first + batch.timesteps * span // scheduler.config.num_train_timesteps
    timesteps = torch.where(chosen.to(timesteps.device), timesteps, batch.timesteps)
    return replace(batch, timesteps=timesteps)


def first_timestep(scheduler: DDIMScheduler) -> int:
    return int(FIRST_TIMESTEPS * scheduler.config.num_train_timesteps)


def leave_first_frames(
    batch: TrainingBatch, chosen: Tensor, shares: Tensor, scheduler: DDIMScheduler
) -> TrainingBatch:
    """Return a batch in which the later frames of some rows have the first frame in their noise, as
    `flipsketch.method.sampler.leave_sketch` has it.

    In usual training the noise of a frame still contains the frame itself, which tells where things
    have moved to (Everaert et al. (2024) call this the signal leak).

    Args:
        chosen: bool (B,); only rows at the first timesteps are changed.
        shares: amount of the first frame, relative to the usual signal leak (B,).
    """
    alphas = alphas_at(batch.timesteps, scheduler, batch.latents)
    left = as_rows(shares.to(batch.latents), batch.latents) * batch.latents[:, :, :1]
    noise = batch.noise + (alphas / (1 - alphas)).sqrt() * (left - batch.latents)
    chosen = chosen.to(noise.device) & (batch.timesteps >= first_timestep(scheduler))
    later = torch.where(as_rows(chosen, noise), noise, batch.noise)[:, :, 1:]
    return replace(batch, noise=torch.cat([batch.noise[:, :, :1], later], dim=2))


def copy_first_frames(batch: TrainingBatch, chosen: Tensor, null_prompts: Tensor) -> TrainingBatch:
    """Return a batch in which some rows repeat their first frame and its noise, without a prompt,
    as the sampler's reference stream does.

    Args:
        chosen: bool (B,).
    """
    chosen = chosen.to(batch.latents.device)
    latents, noise = (
        torch.where(as_rows(chosen, values), values[:, :, :1], values)
        for values in (batch.latents, batch.noise)
    )
    prompts = torch.where(as_rows(chosen, batch.prompts), null_prompts, batch.prompts)
    return replace(batch, latents=latents, noise=noise, prompts=prompts)


def alphas_at(timesteps: Tensor, scheduler: DDIMScheduler, like: Tensor) -> Tensor:
    """Return the signal's share of the variance, alpha-bar (B, 1, ...)."""
    return as_rows(scheduler.alphas_cumprod.to(like)[timesteps], like)


def as_rows(values: Tensor, like: Tensor) -> Tensor:
    """Return values (B,) as (B, 1, ...), with as many dimensions as another tensor."""
    return values.view(-1, *(1,) * (like.dim() - 1))

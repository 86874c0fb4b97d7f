"""Training samples whose first frame is what FlipSketch's sampler has there.

That is no frame with fresh noise, as a model is trained on: it lies on the trajectory of its own
DDIM inversion, in whose noise the drawing can be seen. A model of full size follows it untrained; a
small one has to learn it.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from torch import Tensor

from flipsketch.rng import Stream, random_state
from flipsketch.training.objective import TrainingBatch

# Of an inversion: as many as the sampler has, and fewer, which cost less: after 5 of them latents
# correlate with those after 25 by 0.9, but are smaller.
NUM_INVERSION_STEPS = (5, 10, 25)
# From here on almost nothing is left of a clip, and its layout is yet to be found.
FIRST_TIMESTEPS = 0.9
MAX_LEFT = 2.0
"""Largest signal leak of a sample, in units of the sampler's `sketch_in_noise`."""

Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Predicts from noisy latents, timesteps and prompts."""


def draw_rows(positions: list[int], share: float, seed: int, stream: Stream) -> Tensor:
    """Return which rows are to be changed, bool (B,), each chosen by its position alone."""
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
    """Return a batch in which the first frame of some rows is on the path of its inversion.

    Their timesteps are rounded down to those of the path.

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
    """Return a batch in which some rows have other timesteps and, as they are then, other first
    frames. The target of these is the noise (or velocity) that leads from where they are to the
    clean frame at once.

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
    """Return a batch in which the timesteps of some rows, bool (B,), are among those at which the
    sampler begins."""
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
    """Return a batch in which the later frames of some rows have in their noise what
    `flipsketch.method.sampler.leave_sketch` leaves there: of the first frame, and not, as models
    are trained with, of themselves, which tells where they have moved to.

    Args:
        chosen: bool (B,); of these, those that are at the first timesteps.
        shares: of what would be left of themselves (B,).
    """
    alphas = alphas_at(batch.timesteps, scheduler, batch.latents)
    left = as_rows(shares.to(batch.latents), batch.latents) * batch.latents[:, :, :1]
    noise = batch.noise + (alphas / (1 - alphas)).sqrt() * (left - batch.latents)
    chosen = chosen.to(noise.device) & (batch.timesteps >= first_timestep(scheduler))
    later = torch.where(as_rows(chosen, noise), noise, batch.noise)[:, :, 1:]
    return replace(batch, noise=torch.cat([batch.noise[:, :, :1], later], dim=2))


def copy_first_frames(batch: TrainingBatch, chosen: Tensor, null_prompts: Tensor) -> TrainingBatch:
    """Return a batch in which some rows are the sampler's reference stream: their first frame over
    and over, its noise too, without a prompt.

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
    """Return the share of the signal's variance (B, 1, ...)."""
    return as_rows(scheduler.alphas_cumprod.to(like)[timesteps], like)


def as_rows(values: Tensor, like: Tensor) -> Tensor:
    """Return values (B,) as (B, 1, ...), with as many dimensions as another tensor."""
    return values.view(-1, *(1,) * (like.dim() - 1))

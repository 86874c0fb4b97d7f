"""Clips from text alone: the model's own guided DDIM sampling, without a sketch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from flipsketch.method.config import SamplingConfig
from flipsketch.method.guidance import encode_guidance
from flipsketch.method.request import Conditioning, shared_settings
from flipsketch.method.sampler import draw_clip_noise, finish_frames
from flipsketch.method.schedule import on_host_and_device
from flipsketch.method.solver import Solver
from flipsketch.models.feature_cache import CachedUNet
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import VideoModel


@torch.no_grad()
def sample_pixels(
    model: VideoModel, noise: Tensor, conditionings: Sequence[Conditioning]
) -> Tensor:
    """Return pixels (B, 3, F, H, W) in [-1, 1] of B clips; one frame makes images.

    Args:
        noise: initial Gaussian latents (B, C, F, h, w).
        conditionings: one for each row.
    """
    config = shared_settings([conditioning.sampling for conditioning in conditionings])
    # What a clip of text alone has no use for.
    config = replace(config, align_steps=0, compose_steps=0)
    guidance = encode_guidance(model, conditionings)
    latents = noise.to(model.device, model.latents_dtype)
    solver = Solver(model.scheduler, config.solver, config.num_inference_steps)
    with graphs_of(model.unet).batch(model.unet, "text", latents.shape):
        cached = CachedUNet(model.unet, config.cache_interval)
        for i, (timestep, t) in enumerate(on_host_and_device(solver.timesteps, model.device)):
            cached.reuses = config.reuses_features(i)
            noise_pred = guidance.predict(cached, latents, t, is_on=i in config.guided_steps)
            latents = solver.step(noise_pred, timestep, latents)
    return model.decode(latents).clamp(-1, 1)


def latents_shape(model: VideoModel) -> torch.Size:
    """Return the shape of one frame's latents (1, C, 1, h, w)."""
    side, channels = model.unet.config.sample_size, model.unet.config.in_channels
    return torch.Size((1, channels, 1, side, side))


def sample_from_text(
    model: VideoModel,
    prompt: str,
    *,
    seed: int,
    num_frames: int,
    num_inference_steps: int = 25,
    guidance_scale: float = 4.0,
) -> np.ndarray:
    """Return frames uint8 (F, H, W, 3), not binarized.

    Raises:
        ValueError: they are not finite.
    """
    config = SamplingConfig(
        num_inference_steps=num_inference_steps, guidance_scale=guidance_scale, binarize=False
    )
    noise = draw_clip_noise(latents_shape(model), num_frames, seed, 0)[None]
    pixels = sample_pixels(model, noise, [Conditioning(prompt, config)])
    return finish_frames(pixels[0], config)

"""Clips from text alone: the model's own guided DDIM sampling, without a sketch."""

import numpy as np
import torch
from diffusers import DDIMScheduler

from flipsketch.model import VideoModel, predict_noise
from flipsketch.sampling import SamplingConfig, draw_noise, finish_frames


@torch.no_grad()
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
    embeds = model.encode_prompts([prompt, ""])
    side, channels = model.unet.config.sample_size, model.unet.config.in_channels
    shape = torch.Size((1, channels, 1, side, side))
    latents = draw_noise(shape, num_frames, seed, 0)[None].to(model.device, model.latents_dtype)
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(num_inference_steps, device=model.device)
    for t in scheduler.timesteps:
        text, null = predict_noise(model.unet, latents.expand(2, -1, -1, -1, -1), t, embeds)
        noise_pred = (null + guidance_scale * (text - null))[None]
        latents = scheduler.step(noise_pred, t, latents).prev_sample
    pixels = model.decode(latents).clamp(-1, 1)[0]
    return finish_frames(pixels, SamplingConfig(binarize=False))

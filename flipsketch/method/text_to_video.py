"""Clips from text alone: the model's own guided DDIM sampling, without a sketch."""

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from flipsketch.method.config import SamplingConfig
from flipsketch.method.sampler import draw_noise, finish_frames
from flipsketch.models.video_model import VideoModel, predict_noise


@torch.no_grad()
def sample_pixels(
    model: VideoModel,
    prompts: list[str],
    seeds: list[int],
    config: SamplingConfig,
    *,
    negative_prompts: list[str] | None = None,
    num_frames: int | None = None,
    segment: int = 0,
) -> Tensor:
    """Return pixels (B, 3, F, H, W) in [-1, 1] of B clips, from the noise that FlipSketch has.

    Args:
        num_frames: where it is not the config's; 1 makes images.
        segment: of a longer clip.
    """
    embeds = model.encode_prompts(prompts)
    negative_embeds = model.encode_prompts(
        negative_prompts or [config.negative_prompt] * len(prompts)
    )
    side, channels = model.unet.config.sample_size, model.unet.config.in_channels
    shape = torch.Size((1, channels, 1, side, side))
    frames = num_frames or config.num_frames
    noise = [draw_noise(shape, frames, seed, segment) for seed in seeds]
    latents = torch.stack(noise).to(model.device, model.latents_dtype)
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(config.num_inference_steps, device=model.device)
    for t in scheduler.timesteps:
        noise_pred = predict_noise(model.unet, latents, t, embeds)
        if config.guidance_scale != 1.0:
            noise_pred_uncond = predict_noise(model.unet, latents, t, negative_embeds)
            noise_pred = noise_pred_uncond + config.guidance_scale * (
                noise_pred - noise_pred_uncond
            )
        latents = scheduler.step(noise_pred, t, latents).prev_sample
    return model.decode(latents).clamp(-1, 1)


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
    pixels = sample_pixels(model, [prompt], [seed], config, num_frames=num_frames)
    return finish_frames(pixels[0], config)

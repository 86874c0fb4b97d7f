"""Classifier-free guidance: the noise predicted with the prompt, led away from the one without."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from flipsketch.method.request import Conditioning, shared_settings
from flipsketch.models.feature_cache import CachedUNet
from flipsketch.models.kernels import kernels_of
from flipsketch.models.video_model import VideoModel


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a batch of clips is led towards, what away from, and how far."""

    prompt_embeds: Tensor
    """(B, L, D)"""
    negative_embeds: Tensor
    """(B, L, D)"""
    scale: float
    joint: bool = False
    """Predict with both in one pass where nothing else tells them apart."""

    def predict(
        self,
        unet: CachedUNet,
        latents: Tensor,
        t: Tensor,
        composing: AbstractContextManager[None] | None = None,
        *,
        is_on: bool = True,
    ) -> Tensor:
        """Return the prediction for latents (B, C, F, h, w).

        Args:
            composing: in which the pass with the prompts takes place, and the other does not.
            is_on: this timestep is guided; else there is no other pass.
        """
        if self.joint and is_on and composing is None:
            embeds = torch.cat([self.prompt_embeds, self.negative_embeds])
            both = unet.predict("both", torch.cat([latents, latents]), t, embeds)
            noise_pred, noise_pred_uncond = both.chunk(2)
        else:
            with composing or nullcontext():
                noise_pred = unet.predict("clip", latents, t, self.prompt_embeds)
            if not is_on:
                return noise_pred
            noise_pred_uncond = unet.predict("unguided", latents, t, self.negative_embeds)
        return noise_pred_uncond + self.scale * (noise_pred - noise_pred_uncond)


@torch.no_grad()
def encode_guidance(model: VideoModel, conditionings: Sequence[Conditioning]) -> Guidance:
    """Return the guidance of a batch, a conditioning for each row."""
    samplings = [conditioning.sampling for conditioning in conditionings]
    return Guidance(
        model.encode_prompts([conditioning.prompt for conditioning in conditionings]),
        model.encode_prompts([sampling.negative_prompt for sampling in samplings]),
        shared_settings(samplings).guidance_scale,
        joint=kernels_of(model.unet).joint_guidance,
    )

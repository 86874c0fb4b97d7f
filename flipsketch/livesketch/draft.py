"""A draft of the motion: a clip of pixels, sampled by FlipSketch in a few steps.

Sampling knows which way a walk goes and when wings are up, but draws the strokes anew. Score
distillation keeps the strokes, but finds no way to large motions. So strokes are first fitted to a
draft (registration.py), and distilled from there.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.vector import VectorSketch, draw_vector
from flipsketch.media.sketch import darken_ink
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest, Conditioning
from flipsketch.method.sampler import animate_pixels
from flipsketch.models.video_model import VideoModel


@torch.no_grad()
def sample_draft(
    model: VideoModel,
    sketches: Sequence[VectorSketch],
    conditionings: Sequence[Conditioning],
    seeds: Sequence[int],
    config: LiveSketchConfig,
) -> Tensor:
    """Return ink (B, F, H, W), from 0 to 1, of clips of the model's size; what went wrong is NaN.

    Raises:
        ValueError: the rows' settings differ in what a batch shares.
    """
    requests = []
    for sketch, conditioning, seed in zip(sketches, conditionings, seeds, strict=True):
        sampling = draft_sampling(conditioning.sampling, config)
        pixels = draw_sketch(sketch, model.size, sampling)
        requests.append(ClipRequest(pixels, (conditioning.prompt,), seed, sampling))
    return (1 - animate_pixels(model, requests).mean(dim=1)) / 2


def draft_sampling(sampling: SamplingConfig, config: LiveSketchConfig) -> SamplingConfig:
    """Return a row's settings for its draft: fewer steps, taken further each, and no alignment."""
    num_steps = config.num_draft_steps
    num_composed = sampling.compose_steps
    if num_composed is not None:
        num_composed = round(num_composed / sampling.num_inference_steps * num_steps)
    return replace(
        sampling,
        num_inference_steps=num_steps,
        solver="dpmpp_2m",
        guidance_scale=config.draft_guidance,
        align_steps=0,
        compose_steps=num_composed,
    )


def draw_sketch(sketch: VectorSketch, size: int, sampling: SamplingConfig) -> np.ndarray:
    """Return the sketch as FlipSketch takes it, uint8 (size, size, 3)."""
    pixels = draw_vector(sketch, sketch.points, size)
    return darken_ink(pixels) if sampling.darken_sketch else pixels

"""The published schedule of UNet calls and ours, clip by clip, to be timed and counted."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet3DConditionModel
from torch import Tensor

from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import animate_pixels
from flipsketch.models.video_model import VideoModel

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
PROMPT = "a bird flaps its wings"
PUBLISHED_FRAMES = 10


def published_calls(align: bool) -> list[tuple[int, bool]]:
    """Return the frames of each UNet call of one clip, and whether gradients are taken, as recorded
    when the published code made tests/golden/."""
    files = ("inversion.npz", "aligned_lambda0.npz" if align else "lambda0.npz")
    calls = np.concatenate([np.load(GOLDEN / name)["unet_calls"] for name in files])
    return [(int(frames), bool(with_gradients)) for _, frames, with_gradients in calls]


class PublishedSchedule:
    """Calls as published: one clip at a time, with gradients of every weight in alignment. Their
    attention is the plain one, which makes them cheaper than they were."""

    def __init__(self, model: VideoModel) -> None:
        self.model, side = model, model.unet.config.sample_size
        channels = model.unet.config.in_channels
        self.embeds = model.encode_prompts([PROMPT])
        noise = torch.randn(1, channels, PUBLISHED_FRAMES, side, side, device=model.device)
        self.noise = noise.to(model.unet.dtype)
        self.t = torch.tensor(500, device=model.device)

    def run(self, align: bool) -> None:
        """Do all that one clip takes."""
        self.encode()
        with self.learning(align):
            for frames, with_gradients in published_calls(align):
                self.call(frames, with_gradients)
        self.decode()

    def encode(self) -> Tensor:
        pixels = torch.ones(1, 3, 1, self.model.size, self.model.size, device=self.model.device)
        return self.model.encode(pixels)

    def decode(self) -> Tensor:
        return self.model.decode(self.noise).cpu()

    @contextmanager
    def learning(self, enabled: bool) -> Iterator[None]:
        """Take gradients of the weights, where gradients are taken at all."""
        self.model.unet.requires_grad_(enabled)
        try:
            yield
        finally:
            self.model.unet.requires_grad_(False)

    def call(self, frames: int, with_gradients: bool) -> None:
        unet, sample = self.model.unet, self.noise[:, :, :frames]
        with torch.set_grad_enabled(with_gradients):
            if with_gradients:
                sample = sample.clone().requires_grad_()
            noise_pred = unet(sample, self.t, self.embeds).sample
            if with_gradients:
                noise_pred[:, :, 0].square().mean().backward()
                unet.zero_grad(set_to_none=True)


def animate(model: VideoModel, batch: int, config: SamplingConfig) -> Tensor:
    """Make clips by our schedule, from a sketch of one stroke; return their pixels."""
    sketch = np.full((model.size, model.size, 3), 255, np.uint8)
    sketch[model.size // 4 : model.size // 2, model.size // 3] = 0
    requests = [ClipRequest(sketch, (PROMPT,), seed, config) for seed in range(batch)]
    return animate_pixels(model, requests).cpu()


@contextmanager
def counting_frames(unet: UNet3DConditionModel) -> Iterator[Counter[bool]]:
    """Count UNet frames by whether gradients are on."""
    counts: Counter[bool] = Counter()

    def note(_, args):
        counts[torch.is_grad_enabled()] += args[0].shape[0] * args[0].shape[2]

    hook = unet.register_forward_pre_hook(note)
    try:
        yield counts
    finally:
        hook.remove()

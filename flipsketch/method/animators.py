"""What animates sketches: FlipSketch, and what it is compared with, a class each.

Each is a line in `methods.METHODS`, and all of them make the same corpora.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module

from flipsketch.media.config import SketchConfig
from flipsketch.media.sketch import read_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest, DrawnClip, RawClip, ReadSketch, count_segments
from flipsketch.method.sampler import animate_pixels, draw_batch_noise, finish_frames
from flipsketch.method.text_to_video import latents_shape, sample_pixels
from flipsketch.models.graphs import graphs_of
from flipsketch.models.loading import Loading
from flipsketch.models.registry import find_model, frame_size
from flipsketch.models.video_model import load_for_work


@dataclass(frozen=True, eq=False)
class PixelClip:
    """A clip of a method that makes pixels."""

    pixels: Tensor
    """(3, F, H, W) in [-1, 1]; what went wrong holds NaN."""

    def draw(self, sampling: SamplingConfig) -> DrawnClip:
        return DrawnClip(finish_frames(self.pixels, sampling))


class Animator(ABC):
    """A method with its model loaded."""

    size: int
    """Height and width of its clips."""
    device: torch.device
    unet: Module | None = None
    """Whose gradients may be checkpointed."""
    max_frames: int | None = None
    """Of a segment of a clip at the most."""

    def cuts_prompt(self, prompt: str) -> bool:
        """Tell whether a prompt has more tokens than are looked at."""
        return False

    def read(
        self, content: bytes, sketches: SketchConfig, sampling: SamplingConfig, own: Any
    ) -> ReadSketch:
        """Return what a request has of a sketch's file: its pixels, and a drawing, if the method
        needs one.

        Args:
            sketches: how its page is read.
            own: settings of the row that this method alone has.

        Raises:
            ValueError: the method cannot animate it.
        """
        pixels, notes = read_sketch(content, self.size, sketches, darken=sampling.darken_sketch)
        return ReadSketch(pixels, None, notes)

    @abstractmethod
    def animate(self, requests: list[ClipRequest]) -> Sequence[RawClip]:
        """Return a clip for each request, of as many frames as all of them ask for."""


class FlipSketch(Animator):
    """The paper's method (Bandyopadhyay and Song, CVPR 2025)."""

    def __init__(self, loading: Loading):
        """Raises ValueError: the model or the adapter cannot be loaded."""
        self.model = load_for_work(loading)
        self.size, self.device, self.unet = self.model.size, self.model.device, self.model.unet
        self.max_frames = self.model.max_frames

    def cuts_prompt(self, prompt: str) -> bool:
        return self.model.cuts_prompt(prompt)

    def animate(self, requests: list[ClipRequest]) -> Sequence[RawClip]:
        pixels = graphs_of(self.model.unet).run_freeing(lambda: self.sample(requests))
        return [PixelClip(clip) for clip in pixels.cpu()]

    def sample(self, requests: list[ClipRequest]) -> Tensor:
        """Return pixels (B, 3, F, size, size)."""
        return animate_pixels(self.model, requests)


class TextToVideo(FlipSketch):
    """What the model, with its adapter, makes of the prompts alone."""

    def sample(self, requests: list[ClipRequest]) -> Tensor:
        segments = []
        for segment in range(count_segments(requests)):
            # The noise that FlipSketch has.
            noise = draw_batch_noise(requests, latents_shape(self.model), segment)
            conditionings = [request.conditioning(segment) for request in requests]
            segments.append(sample_pixels(self.model, noise, conditionings))
        return torch.cat([segments[0], *(later[:, :, 1:] for later in segments[1:])], dim=2)


class Still(Animator):
    """The sketch, repeated: what consistency alone rewards most."""

    def __init__(self, loading: Loading):
        """Uses nothing of the model but the size of its frames."""
        self.size, self.device = frame_size(find_model(loading.model)), torch.device("cpu")

    def animate(self, requests: list[ClipRequest]) -> list[PixelClip]:
        pixels = torch.from_numpy(np.stack([request.sketch for request in requests]))
        pixels = pixels.permute(0, 3, 1, 2)[:, :, None] / 127.5 - 1
        return [PixelClip(clip) for clip in pixels.repeat(1, 1, requests[0].num_frames, 1, 1)]

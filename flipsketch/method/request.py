"""What is asked of a method, a request for each clip, its settings resolved when it is made; and
what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from flipsketch.method.config import SamplingConfig


@dataclass(frozen=True)
class Conditioning:
    """What one row of a batch is denoised with, beside its sketch."""

    prompt: str
    sampling: SamplingConfig


@dataclass(frozen=True, eq=False)
class ClipRequest:
    """One clip to make."""

    sketch: np.ndarray
    """uint8 (H, W, 3), of the model's size; darkened already, if it is to be."""
    prompts: tuple[str, ...]
    """One for each segment; a segment begins with the last frame of the one before."""
    seed: int
    sampling: SamplingConfig
    drawing: Any = None
    """The sketch once more, as a method that moves strokes rather than pixels has read it."""

    @property
    def num_frames(self) -> int:
        """Frames of the clip."""
        return count_frames(len(self.prompts), self.sampling.num_frames)

    def conditioning(self, segment: int) -> Conditioning:
        return Conditioning(self.prompts[segment], self.sampling)


class ReadSketch(NamedTuple):
    """What a method has read of a sketch's file."""

    pixels: np.ndarray
    """`sketch` of a request."""
    drawing: Any
    """`drawing` of a request."""
    notes: tuple[str, ...]
    """What was repaired or left out, as `SketchReading` has it."""


@dataclass(frozen=True, eq=False)
class DrawnClip:
    """A clip as it is written."""

    frames: np.ndarray
    """uint8 (F, H, W, 3)."""
    svg: bytes | None = None
    """The frames as one SVG that plays, of a method that moves strokes."""


class RawClip(Protocol):
    """What a method makes of a request, on the host: it is drawn beside the next batch."""

    def draw(self, sampling: SamplingConfig) -> DrawnClip:
        """Raises ValueError: the clip went wrong."""


def count_frames(num_segments: int, num_frames: int) -> int:
    """Return the frames of a clip: segments share the frame at which they meet."""
    return num_segments * (num_frames - 1) + 1


def batch_settings(sampling: SamplingConfig) -> SamplingConfig:
    """Return what rows of one batch must have in common: all settings but those of a row."""
    return replace(
        sampling,
        align_steps=sampling.num_align_steps,
        compose_steps=sampling.num_compose_steps,
        reference_scale=0.0,
        negative_prompt="",
        sketch_in_noise=0.0,
    )


def shared_settings(samplings: Sequence[SamplingConfig]) -> SamplingConfig:
    """Return the settings that all rows of a batch have.

    Raises:
        ValueError: they differ in more than reference_scale, negative_prompt and sketch_in_noise.
    """
    shared = {batch_settings(sampling) for sampling in samplings}
    if len(shared) != 1:
        raise ValueError(
            f"a batch needs rows that share their settings, got {len(shared)} kinds; only "
            f"reference_scale, negative_prompt and sketch_in_noise may differ from row to row"
        )
    return shared.pop()


def count_segments(requests: Sequence[ClipRequest]) -> int:
    """Return the number of segments that all clips of a batch have.

    Raises:
        ValueError: they differ.
    """
    counts = {len(request.prompts) for request in requests}
    if len(counts) != 1:
        raise ValueError(f"a batch needs clips of as many segments, got {sorted(counts)}")
    return counts.pop()

"""The methods that corpora are made by: FlipSketch, Live-Sketch, and what is compared with them.

A method is a line here and a class elsewhere, which is imported when the method is used.
"""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flipsketch.method.config import SamplingConfig
from flipsketch.models.registry import PARTS, frame_size

if TYPE_CHECKING:
    from flipsketch.method.animators import Animator

# Settings of the sampler that say: none of this is done.
NOTHING = SamplingConfig(
    guidance_scale=1.0, reference_scale=0.0, align_steps=0, compose_steps=0, binarize=False
)
# Of frames that are drawn from strokes, at the least: what drawings are usually shown at.
STROKES_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class Method:
    animator: str
    """Its class, as "package.module:Class": the module may be of a room above this one."""
    parts: tuple[str, ...] = PARTS
    """Folders of the model that it needs."""
    takes_lora: bool = False
    denoises: bool = False
    """It steps along the model's own noise schedule by DDIM, within the `limits` of the model."""
    shares_passes: bool = False
    """All clips of a batch go through the UNet together, so that larger ones are faster."""
    frames_are_wide: bool = False
    """The model draws at 16:9, and clips are the square in the middle."""
    moves_strokes: bool = False
    """It moves the strokes of a vector drawing: its clips are SVGs as well, drawn at any size, and
    it has settings of its own (`livesketch.config`)."""
    settings: tuple[str, ...] = tuple(field.name for field in fields(SamplingConfig))
    """Settings of the sampler that a clip depends on."""

    def frame_size(self, folder: Path, output_size: int | None = None) -> int:
        """Return height and width of a clip's frames, from the model's configuration alone.

        Args:
            output_size: what is asked for, of a method that moves strokes.
        """
        size = frame_size(folder)
        if self.moves_strokes:
            return output_size or max(size, STROKES_SIZE)
        return size * 3 // 4 if self.frames_are_wide else size

    def settle(self, sampling: SamplingConfig) -> SamplingConfig:
        """Return settings of the sampler that say what is done: those that the method has no use
        for are off."""
        if len(self.settings) == len(fields(SamplingConfig)):
            return sampling
        return replace(NOTHING, **{name: getattr(sampling, name) for name in self.settings})

    def list_unused(self, sampling: SamplingConfig, usual: SamplingConfig) -> list[str]:
        """Return the settings of the sampler, other than usual, that the method has no use for."""
        settled = self.settle(sampling)
        return [
            name
            for name, value in asdict(sampling).items()
            if value not in (getattr(settled, name), getattr(usual, name))
        ]

    @property
    def takes_video_model(self) -> bool:
        """Its model is of one of `families`, so that it may need a motion adapter."""
        return self.parts == PARTS

    @property
    def animator_class(self) -> Callable[..., "Animator"]:
        """What loads a model and animates with it; importing it takes seconds."""
        module, _, name = self.animator.partition(":")
        return getattr(importlib.import_module(module), name)


METHODS = {
    "flipsketch": Method(
        animator="flipsketch.method.animators:FlipSketch",
        takes_lora=True,
        denoises=True,
        shares_passes=True,
    ),
    "livesketch": Method(
        animator="flipsketch.livesketch.animator:LiveSketch",
        takes_lora=True,
        denoises=True,
        moves_strokes=True,
        settings=(
            *("num_frames", "num_inference_steps", "negative_prompt", "sketch_range"),
            # Of the draft that FlipSketch samples for it; others come from settings of its own.
            *("guidance_start", "guidance_stop", "reference_scale", "cache_interval"),
            *("compose_steps", "compose_spatial", "compose_temporal"),
            "compose_motion_attn2",
            *("hold_sketch", "sketch_in_noise", "darken_sketch"),
        ),
    ),
    "t2v": Method(
        animator="flipsketch.method.animators:TextToVideo",
        takes_lora=True,
        denoises=True,
        shares_passes=True,
    ),
    "still": Method(animator="flipsketch.method.animators:Still"),
    "svd": Method(
        animator="flipsketch.method.animators:StableVideo",
        parts=("unet", "vae", "image_encoder", "feature_extractor", "scheduler"),
        frames_are_wide=True,
    ),
}

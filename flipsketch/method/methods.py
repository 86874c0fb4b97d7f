"""The methods that corpora are made by: FlipSketch, Live-Sketch, and what is compared with them.

A method is a line here and a class elsewhere, which is imported when the method is used.
"""

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import CPU_BATCH_SIZE
from flipsketch.models.registry import (
    PARTS,
    find_lora,
    fingerprint_folder,
    frame_size,
    read_index,
)
from flipsketch.models.video_lora import find_video_lora, fingerprint_video_lora
from flipsketch.models.video_pipelines import VideoPipeline, parse_index, read_video_pipeline

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
    """Folders of the model that it needs; none where its model_index.json says it."""
    takes_lora: bool = False
    denoises: bool = False
    """It steps along the model's own noise schedule by DDIM, within the `limits` of the model."""
    inverts: bool = False
    """It begins with the inversion of the sketch."""
    shares_passes: bool = False
    """All clips of a batch go through the UNet together, so that larger ones are faster."""
    batch_size: int = CPU_BATCH_SIZE
    """Rows animated together where memory does not decide it."""
    makes_videos: bool = False
    """Its models make videos of pictures, whose frames are clips once they are cropped and thinned
    out; it has settings of its own (`video_config`)."""
    pipeline: str | None = None
    """The class in diffusers that such models are of, where it is one alone."""
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
        if self.makes_videos:
            pipeline = self.read_pipeline(folder)
            return min(pipeline.height, pipeline.width)
        size = frame_size(folder)
        return output_size or max(size, STROKES_SIZE) if self.moves_strokes else size

    def list_parts(self, place: str | Path) -> tuple[str, ...]:
        """Return the folders of a model that it needs; of a model on the Hub that may be asked."""
        if not self.makes_videos:
            return self.parts
        pipeline = self.check_pipeline(place, parse_index(str(place), read_index(place)))
        return self.parts or tuple(sorted(pipeline.parts))

    def read_pipeline(self, folder: Path) -> VideoPipeline:
        """Return the pipeline of an image-to-video model."""
        return self.check_pipeline(folder, read_video_pipeline(folder))

    def check_pipeline(self, place: str | Path, pipeline: VideoPipeline) -> VideoPipeline:
        """Raise ValueError for a pipeline of another kind than this method's."""
        if self.pipeline not in (None, pipeline.name):
            raise ValueError(
                f"{place!s:.200}: is of a {pipeline.name}, but this method takes models of "
                f"{self.pipeline} alone; give --method i2v"
            )
        return pipeline

    def find_lora(self, place: str) -> Path:
        """Return the local folder of an adapter of its models.

        Raises:
            ValueError: there is none, or it is a damaged one.
            OSError: it cannot be fetched.
        """
        return find_video_lora(place)[0].parent if self.makes_videos else find_lora(place)

    def fingerprint_lora(self, place: str) -> str:
        if self.makes_videos:
            return fingerprint_video_lora(place)
        return fingerprint_folder(find_lora(place))

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
        inverts=True,
        shares_passes=True,
    ),
    "livesketch": Method(
        animator="flipsketch.livesketch.animator:LiveSketch",
        takes_lora=True,
        denoises=True,
        inverts=True,
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
    "i2v": Method(
        animator="flipsketch.method.image_to_video:ImageToVideo",
        parts=(),
        takes_lora=True,
        batch_size=1,
        makes_videos=True,
        settings=(
            *("num_frames", "num_inference_steps", "guidance_scale", "negative_prompt"),
            *("darken_sketch", "binarize", "ink_threshold"),
        ),
    ),
    # A name for i2v with one kind of model; its plans have always had every setting of the sampler.
    "svd": Method(
        animator="flipsketch.method.image_to_video:ImageToVideo",
        parts=("unet", "vae", "image_encoder", "feature_extractor", "scheduler"),
        batch_size=1,
        makes_videos=True,
        pipeline="StableVideoDiffusionPipeline",
    ),
}

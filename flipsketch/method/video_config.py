"""How an image-to-video model is called: the settings of the method i2v."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.models.video_pipelines import MAX_SIDE, MAX_VIDEO_FRAMES, VideoPipeline

LIMITS = {
    "video_height": (16, MAX_SIDE),
    "video_width": (16, MAX_SIDE),
    "video_frames": (2, MAX_VIDEO_FRAMES),
    "video_fps": (1, 240),
    "motion_bucket": (0, 1023),
}


@dataclass(frozen=True, kw_only=True)
class VideoConfig:
    video_height: int | None = None
    """Height in pixels of the videos that an image-to-video model makes, in which the sketch is
    padded with white and from which the clip is cropped; by default the model's own. Lower it and
    the width for a smaller card, or raise them for a model that was trained on larger videos."""
    video_width: int | None = None
    """Width in pixels of the videos that an image-to-video model makes; by default the model's
    own."""
    video_frames: int | None = None
    """Number of frames that an image-to-video model makes, from which those of a clip are taken at
    equal distances; by default the model's own. Lower it for less motion and a shorter time."""
    video_fps: int | None = None
    """Frames per second that an image-to-video model is told, if it can be; by default its
    pipeline's own."""
    motion_bucket: int | None = None
    """Amount of motion that Stable Video Diffusion is told; by default 127."""
    vae_tiling: bool = False
    """Decode the frames of an image-to-video model in overlapping tiles, which saves memory; clips
    differ a little at their seams, so a resumed run must do the same."""

    def __post_init__(self) -> None:
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} must lie between {least} and {most:,}, got {value}")

    def check_method(self, method: str) -> None:
        """Raise ValueError for settings of videos with a method that makes none."""
        said, usual = asdict(self), asdict(VideoConfig())
        flags = [f"--{name}".replace("_", "-") for name in said if said[name] != usual[name]]
        if flags and not METHODS[method].makes_videos:
            raise ValueError(
                f"the method {method} has no use for {', '.join(flags)}; add --method i2v, or "
                f"leave it out"
            )

    @property
    def size(self) -> int | None:
        """Height and width of clips; None where it is the model's own."""
        if self.video_height is None or self.video_width is None:
            return None
        return min(self.video_height, self.video_width)

    def settle(
        self, pipeline: VideoPipeline, known: Mapping[str, Any] | None = None
    ) -> "VideoConfig":
        """Return the settings with the size and the number of frames that a model is asked for.

        Args:
            known: settings of the plan of a run that is resumed.

        Raises:
            ValueError: the model cannot make such videos.
        """
        native = {
            "video_height": pipeline.height,
            "video_width": pipeline.width,
            "video_frames": pipeline.num_frames,
        }
        chosen = {
            field.name: value
            for field in fields(self)
            if getattr(self, field.name) is None
            and (value := {**native, **(known or {})}.get(field.name)) is not None
        }
        settled = replace(self, **chosen)
        assert settled.video_height and settled.video_width and settled.video_frames
        if (settled.video_height, settled.video_width) != (pipeline.height, pipeline.width):
            pipeline.check_size(settled.video_height, settled.video_width)
        if settled.video_frames != pipeline.num_frames:
            pipeline.check_frames(settled.video_frames)
        for name, takes in (
            ("video_fps", pipeline.fps_name is not None),
            ("motion_bucket", pipeline.takes_motion_bucket),
        ):
            if getattr(self, name) is not None and not takes:
                flag = f"--{name}".replace("_", "-")
                raise ValueError(f"{pipeline.name} has no use for {flag}; leave it out")
        return settled


def settle_guidance(sampling: SamplingConfig, pipeline: VideoPipeline) -> SamplingConfig:
    """Return settings with the pipeline's own weight of guidance, where the usual one of FlipSketch
    is all that they say: it is much too large for most of these models.

    Raises:
        ValueError: another weight is asked for, and the call takes none.
    """
    if sampling.guidance_scale in (SamplingConfig.guidance_scale, pipeline.guidance_scale):
        return replace(sampling, guidance_scale=pipeline.guidance_scale)
    if pipeline.guidance_name is None:
        raise ValueError(
            f"{pipeline.name} takes its guidance from a part of its model, not from "
            f"--guidance-scale; leave it out"
        )
    return sampling

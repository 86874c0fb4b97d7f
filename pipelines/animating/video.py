"""What an image-to-video model is asked for in a run, and its adapter."""

import logging
from dataclasses import replace
from pathlib import Path

from flipsketch.corpus.plan import Plan
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.video_config import settle_guidance
from pipelines.animating.config import AnimateConfig

log = logging.getLogger(__name__)


def settle_video(config: AnimateConfig, folder: Path | None, before: Plan | None) -> AnimateConfig:
    """Return the job with what its model is asked for: what the job says, else what a run that is
    resumed had, else what is the model's own. Other methods have none of it.

    Args:
        folder: the model's, None where it is not here.

    Raises:
        ValueError: the model cannot make such videos.
    """
    method = METHODS[config.method]
    known = before.settings if before else {}
    # A run from before there were such settings goes on without.
    if not method.makes_videos or (before is not None and "pipeline" not in known):
        return config
    sampling = config.sampling
    if sampling.guidance_scale == SamplingConfig.guidance_scale and before is not None:
        sampling = replace(sampling, guidance_scale=known["guidance_scale"])
    if folder is None:
        return replace(config, sampling=sampling)
    pipeline = method.read_pipeline(folder)
    video = config.video.settle(pipeline, known)
    sampling = settle_guidance(sampling, pipeline)
    log.info(
        "%s makes %d frames of %d x %d pixels with guidance %g; clips are the square in the middle",
        *(pipeline.name, video.video_frames, video.video_width, video.video_height),
        sampling.guidance_scale,
    )
    if video.video_frames and sampling.num_frames > video.video_frames:
        log.warning(
            "clips of %d frames repeat some of the %d that the model makes; lower --num-frames, or "
            "raise --video-frames",
            *(sampling.num_frames, video.video_frames),
        )
    return replace(config, video=video, sampling=sampling)


def check_video_loads(config: AnimateConfig, folder: Path) -> None:
    """Raise ValueError unless the model can be loaded as it is asked for; no weights are read."""
    from flipsketch.models.video_inspection import has_tiles, inspect_video_model

    pipeline = METHODS[config.method].read_pipeline(folder)
    if config.adapter is not None and not pipeline.takes_lora:
        raise ValueError(f"{pipeline.name} has no loader for adapters; leave out --lora")
    inspect_video_model(folder, pipeline)
    if config.video.vae_tiling and not has_tiles(folder, pipeline):
        raise ValueError(
            f"{folder / 'vae'}: a {pipeline.parts['vae'][1]} cannot decode in tiles; leave out "
            f"--vae-tiling"
        )

"""A row's own settings, and whether a clip by them is one that can be made and read."""

from dataclasses import replace
from typing import Any

from flipsketch.corpus.row import Row
from flipsketch.media.clip import check_pixels
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import count_frames


def row_sampling(row: Row, config: SamplingConfig) -> SamplingConfig:
    """Return the settings of one row: the job's, but for what the row says itself."""
    changes: dict[str, Any] = {
        name: value
        for name in ("num_frames", "reference_scale", "sketch_in_noise", "negative_prompt")
        if (value := getattr(row, name)) is not None
    }
    if row.align is False:
        changes["align_steps"] = 0
    elif row.align and config.align_steps == 0:
        changes["align_steps"] = None
    return replace(config, **changes)


def find_error(row: Row, config: SamplingConfig, size: int) -> str | None:
    """Return why no clip can be made of a row, whatever its sketch is, if that is so.

    Args:
        config: the job's settings.
        size: height and width of the model's frames.
    """
    if row.error is not None:
        return row.error
    num_frames = row.num_frames or config.num_frames
    try:
        check_pixels(count_frames(len(row.prompts), num_frames), size)
    except ValueError as error:
        many = f"{len(row.prompts)} prompts of " if len(row.prompts) > 1 else ""
        return f"{error} ({many}{num_frames} frames): give fewer num_frames or fewer prompts"
    return None

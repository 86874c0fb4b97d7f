"""Add an adapter to the weights of a model."""

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    model: str
    """Model folder in diffusers' layout, or the name of a model: doodle, which is part of this
    project, or one on the Hugging Face Hub."""
    lora: str | None = None
    """Adapter folder or name. Default: doodle-lora with the model doodle; other models need one,
    or a motion adapter."""
    motion_adapter: str | None = None
    """Motion adapter, by folder or name, of a model of pictures: the model that is written has its
    modules."""
    output: str
    """Model folder to write."""


def merge(config: MergeConfig) -> int:
    """Write the model with the adapter added to its weights; return the exit code.

    Raises:
        OSError, ValueError: the model or the adapter cannot be loaded, or the output exists.
    """
    from flipsketch.models.video_model import merge_into_folder

    merge_into_folder(config.model, config.lora, config.output, config.motion_adapter)
    log.info("merged -> %s", config.output)
    return 0

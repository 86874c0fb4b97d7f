"""Import the published FlipSketch adapter in peft's format."""

import logging
from dataclasses import dataclass
from pathlib import Path

from flipsketch.storage.location import is_uri

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    unet: str
    """Published file of the UNet's matrices (*.pt)."""
    model: str
    """Model that the adapter was trained on: a folder in diffusers' layout, or a name on the
    Hugging Face Hub."""
    output: str
    """Adapter folder to write."""
    text_encoder: str | None = None
    """Published file of the text encoder's matrices, if there is one."""


def import_lora(config: ImportConfig) -> int:
    """Write an adapter folder from the published files and return the exit code.

    Raises:
        OSError, ValueError: a file is not in the published format or does not fit the model.
    """
    for path in (config.unet, config.text_encoder):
        if path is not None and not Path(path).is_file():
            if is_uri(path):
                raise ValueError(f"{path}: is read from a local disk alone; copy the file to one")
            raise ValueError(f"{path}: expected a file of the published adapter, found none")

    from flipsketch.models.published_lora import import_published_lora

    import_published_lora(config.model, config.unet, config.output, config.text_encoder)
    log.info("imported -> %s", config.output)
    return 0

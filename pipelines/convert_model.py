"""Convert a model's pickled weights to safetensors."""

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    model: str
    """What to convert: a model folder in diffusers' layout whose weights are pickled (*.bin, *.pt,
    *.pth, *.ckpt), one part of such a folder, or a single file, such as AnimateDiff's
    mm_sd_v15_v2.ckpt, which becomes the folder of a motion adapter; or a place of these on the
    Hugging Face Hub (owner/name/sub/folder@revision)."""
    output: str
    """Folder to write."""
    model_license: str | None = None
    """License of the model, for its card, where neither the card in its folder nor that of its
    repository states one."""


def convert(config: ConvertConfig) -> int:
    """Write the model with all its weights as safetensors and return the exit code.

    Raises:
        OSError, ValueError: there is nothing to convert, a file is damaged or holds other things
            than weights, or the output exists.
    """
    from flipsketch.models.convert import convert_model

    convert_model(config.model, config.output, config.model_license)
    log.info("converted -> %s", config.output)
    return 0

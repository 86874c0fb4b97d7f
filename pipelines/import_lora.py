"""Import an adapter that others have published, in peft's format."""

import logging
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    model: str
    """Model that the adapter was trained on: a folder in diffusers' layout, or a place on the
    Hugging Face Hub."""
    output: str
    """Adapter folder to write."""
    unet: str | None = None
    """File or folder with the UNet's matrices: FlipSketch's published *_unet.pt, or any that --lora
    takes, of which only this part is read. A file or a folder on the Hub is given as
    owner/name/sub/folder/file@revision."""
    text_encoder: str | None = None
    """The same of the text encoder's matrices: the published *_text_encoder.pt."""
    lora: str | None = None
    """File or folder whose names tell which matrices are for which network: a folder of peft's,
    pytorch_lora_weights.safetensors of diffusers, a file of kohya's scripts, a motion LoRA of
    AnimateDiff, or a folder with the two published files."""
    motion_adapter: str | None = None
    """Motion adapter that is used with a Stable Diffusion model, for adapters of its motion
    modules: a folder, or a place on the Hub."""
    license: str | None = None
    """License of the adapter, for its card, where neither the card beside its files nor that of
    their repository states one."""

    def __post_init__(self) -> None:
        if not (self.unet or self.text_encoder or self.lora):
            raise ValueError("give an adapter's files: --unet and --text-encoder, or --lora")
        if self.lora and (self.unet or self.text_encoder):
            raise ValueError(
                "--lora reads all parts of an adapter; give it, or --unet and --text-encoder"
            )


def import_lora(config: ImportConfig) -> int:
    """Write an adapter folder from an adapter's files and return the exit code.

    Raises:
        OSError, ValueError: a file is missing, damaged or of another kind, or does not fit the
            model.
    """
    from flipsketch.models import lora_import

    given = {"": config.lora, "unet": config.unet, "text_encoder": config.text_encoder}
    lora_import.import_lora(
        config.model,
        {part: place for part, place in given.items() if place},
        config.output,
        motion_adapter=config.motion_adapter,
        license=config.license,
    )
    log.info("imported -> %s", config.output)
    return 0

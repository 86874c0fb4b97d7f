"""Draw doodles: animations with prompts, a manifest of sketches, or a picture of all subjects."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from flipsketch.doodles.overview import write_sheet
from flipsketch.doodles.writer import DrawingConfig, write_doodles, write_manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DoodlesConfig:
    output: str | None = None
    """Folder of the animations; complete ones that exist are kept."""
    drawing: DrawingConfig = field(default_factory=DrawingConfig)
    workers: int = 1
    """Number of processes that draw."""
    manifest: str | None = None
    """Parquet manifest to write: the first frame of each animation as a sketch, with its prompt."""
    contact_sheet: str | None = None
    """PNG file to write: a few frames of each subject and motion, with prompts."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.output is None and self.manifest is None and self.contact_sheet is None:
            raise ValueError(
                "nothing to do: give --output, a folder, --manifest, a Parquet file, or "
                "--contact-sheet, a PNG"
            )
        if self.manifest is not None and not self.manifest.endswith(".parquet"):
            raise ValueError(f"--manifest must end in .parquet, got {self.manifest}")
        if self.contact_sheet is not None and not self.contact_sheet.endswith(".png"):
            raise ValueError(f"--contact-sheet must end in .png, got {self.contact_sheet}")


def make_doodles(config: DoodlesConfig) -> int:
    """Write what the config asks for and return the exit code.

    Raises:
        ValueError, OSError: the folder holds other animations, or cannot be written.
    """
    drawing = config.drawing
    if config.output is not None:
        started = time.monotonic()
        num_new = write_doodles(Path(config.output), drawing, config.workers)
        log.info(
            "wrote %d animations in %.0f s, %d existed -> %s",
            num_new,
            time.monotonic() - started,
            drawing.num_animations - num_new,
            config.output,
        )
    if config.manifest is not None:
        write_manifest(Path(config.manifest), drawing)
        log.info("wrote %d sketches and prompts -> %s", drawing.num_animations, config.manifest)
    if config.contact_sheet is not None:
        num_motions = write_sheet(Path(config.contact_sheet), drawing.seed, drawing.look)
        log.info("showed %d motions -> %s", num_motions, config.contact_sheet)
    return 0

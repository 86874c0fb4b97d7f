"""The methods that a corpus can be made by: FlipSketch, and what it is compared with.

A method is a line here and a class in `animators`, which is imported when the method is used.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flipsketch.models.registry import PARTS, frame_size

if TYPE_CHECKING:
    from flipsketch.method.animators import Animator


@dataclass(frozen=True, kw_only=True)
class Method:
    animator: str
    """Name of its class in `animators`."""
    parts: tuple[str, ...] = PARTS
    """Folders of the model that it needs."""
    takes_lora: bool = False
    shares_passes: bool = False
    """All clips of a batch go through the UNet together, so that larger ones are faster."""
    frames_are_wide: bool = False
    """The model draws at 16:9, and clips are the square in the middle."""

    def frame_size(self, folder: Path) -> int:
        """Return height and width of a clip's frames, from the model's configuration alone."""
        size = frame_size(folder)
        return size * 3 // 4 if self.frames_are_wide else size

    @property
    def animator_class(self) -> type["Animator"]:
        """What loads a model and animates with it; importing it takes seconds."""
        return getattr(importlib.import_module("flipsketch.method.animators"), self.animator)


METHODS = {
    "flipsketch": Method(animator="FlipSketch", takes_lora=True, shares_passes=True),
    "t2v": Method(animator="TextToVideo", takes_lora=True, shares_passes=True),
    "still": Method(animator="Still"),
    "svd": Method(
        animator="StableVideo",
        parts=("unet", "vae", "image_encoder", "feature_extractor", "scheduler"),
        frames_are_wide=True,
    ),
}

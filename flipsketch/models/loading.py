"""What a worker loads of a model, and how: told by the driver, without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from flipsketch.models.kernels import Kernels


@dataclass(frozen=True, kw_only=True)
class Loading:
    model: str | Path
    """A folder, a name that comes with this project, or a place on the Hub."""
    lora: str | None = None
    """The same of an adapter; "none" for no adapter, None for the model's default."""
    motion_adapter: str | None = None
    """The same of a motion adapter, which makes a video model of one that draws images."""
    device: str = "cpu"
    dtype: str = "float32"
    """Of the networks: a name of `video_model.DTYPES`."""
    kernels: "Kernels | None" = None
    """By default those that suit the device."""
    offload: bool = False
    """Keep the parts of the model that are not in use in the host's memory."""
    vae_slicing: bool = False
    """Decode frame by frame."""

    @property
    def torch_dtype(self) -> "torch.dtype":
        # Here, since a driver that only plans needs no torch.
        from flipsketch.models.video_model import DTYPES

        return DTYPES[self.dtype]

"""Between a clip's frames and what a VAE takes and gives."""

import numpy as np
import torch
from torch import Tensor


def to_pixels(frames: np.ndarray) -> Tensor:
    """Return frames uint8 (F, H, W, 3) as pixels (1, 3, F, H, W) in [-1, 1]."""
    return (torch.tensor(frames).float() / 127.5 - 1).permute(3, 0, 1, 2)[None]

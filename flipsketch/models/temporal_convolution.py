"""The UNet's temporal convolutions, `(3, 1, 1)` over frames, as 2-d convolutions.

Convolution over (frames, pixels) with a kernel of (3, 1) is the same sum, and libraries have fast
kernels for two dimensions. In a channels-last layout a batch of images is that tensor already.
"""

import torch.nn.functional as F
from diffusers.models.resnet import TemporalConvLayer
from torch import Tensor, nn


class TemporalConvolution2d(TemporalConvLayer):
    """A `TemporalConvLayer` that keeps its pixels in one dimension."""

    def forward(self, hidden_states: Tensor, num_frames: int = 1) -> Tensor:
        size = hidden_states.shape[-2:]
        clips = hidden_states.unflatten(0, (-1, num_frames)).transpose(1, 2).flatten(3)
        changed = clips
        for sequence in (self.conv1, self.conv2, self.conv3, self.conv4):
            *others, convolution = sequence
            for module in others:
                changed = module(changed)
            changed = convolve_frames(convolution, changed)
        return (clips + changed).transpose(1, 2).flatten(0, 1).unflatten(-1, size)


def convolve_frames(convolution: nn.Module, clips: Tensor) -> Tensor:
    """Return a `(3, 1, 1)` convolution of clips (B, C, F, H * W)."""
    if type(convolution) is not nn.Conv3d:
        # An adapter's layer has more than one convolution in it.
        return convolution(clips[..., None]).squeeze(-1)
    return F.conv2d(clips, convolution.weight.squeeze(-1), convolution.bias, padding=(1, 0))

"""Feature caching: a UNet pass that takes its deep features from an earlier timestep.

From one timestep to the next the outermost blocks change most, and the rest little: all between the
first down block and the last up block may be left out, and what the last up block gets from there
be that of an earlier pass.

Source: Ma et al. (2024), "DeepCache: Accelerating Diffusion Models for Free", with the outermost
skip connection as branch.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.graphs import Buffers, graphs_of
from flipsketch.models.video_model import predict_noise


class CachedUNet:
    """A UNet that predicts several streams of latents, the deep features of each kept apart.

    Made where its passes are recorded, if they are: within `Graphs.batch`.
    """

    def __init__(self, unet: VideoUNet, interval: int = 1) -> None:
        """Raises ValueError: the UNet has no depth.

        Args:
            interval: timesteps for each whole pass; with 1 nothing is kept.
        """
        self.unet = unet
        self.keeps = interval > 1
        self.reuses = False
        """Whether passes take the deep features of their stream's last whole pass."""
        if self.keeps:
            self.graphs = graphs_of(unet)
            self.buffers = self.graphs.buffers or Buffers()
            self.num_frames: dict[str, int] = {}
            self.between = KeptFeatures()
            self.shallow = leave_out_depth(unet, self.between)

    def predict(self, stream: str, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
        """Return the prediction for a stream's latents (B, C, F, h, w), which may have fewer frames
        than in the pass before."""
        if not self.keeps:
            return predict_noise(self.unet, latents, t, embeds)
        if self.reuses:
            return self.predict_shallow(stream, latents, t, embeds)
        return self.predict_whole(stream, latents, t, embeds)

    def predict_whole(self, stream: str, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
        """Return the UNet's own prediction, and keep the deep features on the way."""

        def keep(block: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            self.buffers.put(f"features of {stream}", kwargs["hidden_states"])

        self.num_frames[stream] = latents.shape[2]
        hook = self.unet.up_blocks[-1].register_forward_pre_hook(keep, with_kwargs=True)
        try:
            with self.graphs.within("keep", stream):
                return predict_noise(self.unet, latents, t, embeds)
        finally:
            hook.remove()

    def predict_shallow(self, stream: str, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
        """Return the prediction of the outermost blocks, on the features that were kept."""
        rows, _, num_frames, height, width = latents.shape
        num_kept = self.num_frames[stream]
        shape = (rows * num_kept, self.unet.config.block_out_channels[1], height, width)
        features = self.buffers.get(f"features of {stream}", torch.Size(shape))
        features = features.unflatten(0, (rows, num_kept))[:, :num_frames]
        with self.graphs.within("reuse", stream, num_kept), self.between.holding(features):
            return predict_noise(self.shallow, latents, t, embeds)


class KeptFeatures(nn.Module):
    """Stands in for a UNet's blocks between its outermost ones, and has an up block's interface."""

    def __init__(self) -> None:
        super().__init__()
        # The UNet hands it as many skip connections: the one from the first down block's end.
        self.resnets = [None]
        self.features: Tensor | None = None

    @contextmanager
    def holding(self, features: Tensor) -> Iterator[None]:
        """In here it returns deep features (B, F, C, h, w)."""
        self.features = features
        try:
            yield
        finally:
            self.features = None

    def forward(self, hidden_states: Tensor, **unused: Any) -> Tensor:
        assert self.features is not None, "a shallow pass needs the features of a whole one"
        return self.features.flatten(0, 1)


def leave_out_depth(unet: VideoUNet, between: KeptFeatures) -> VideoUNet:
    """Return a UNet of another's outermost blocks alone, which shares its weights, its attention
    processors and its hooks.

    Raises:
        ValueError: the UNet has no depth.
    """
    if len(unet.up_blocks) < 2:
        raise ValueError("cache_interval needs a UNet of at least 2 blocks, got 1; leave it at 1")
    shallow = copy.copy(unet)
    shallow._modules = dict(unet._modules)
    shallow.down_blocks = unet.down_blocks[:1]
    shallow.mid_block = None
    shallow.up_blocks = nn.ModuleList([between, unet.up_blocks[-1]])
    return shallow

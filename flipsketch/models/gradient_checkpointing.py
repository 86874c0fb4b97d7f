"""Gradient checkpointing of either family's UNet, one of which has none of its own: less memory, a
third more time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from diffusers.models.resnet import ResnetBlock2D, TemporalConvLayer
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch.utils.checkpoint import checkpoint

from flipsketch.models.blocks import VideoUNet

CHECKPOINTED = (
    *(ResnetBlock2D, TemporalConvLayer),
    *(Transformer2DModel, TransformerTemporalModel, AnimateDiffTransformer3D),
)


@contextmanager
def checkpoint_gradients(unet: VideoUNet, enabled: bool = True) -> Iterator[None]:
    """Keep only the inputs of each UNet block for the backward pass and compute the rest again.

    Results are the same to the last bit. Passes without gradients are not touched.
    """
    blocks = [module for module in unet.modules() if isinstance(module, CHECKPOINTED)]
    if enabled:
        for block in blocks:
            # Dropout alone draws random numbers, whose state cannot be read while a CUDA graph is
            # captured.
            block.forward = partial(
                checkpoint,
                block.forward,
                use_reentrant=False,
                preserve_rng_state=block.training,
            )
    try:
        yield
    finally:
        for block in blocks if enabled else []:
            del block.forward  # uncovers the class's own

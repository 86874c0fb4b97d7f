"""The UNet's blocks with as few copies of their tokens as their layout allows.

They compute what diffusers' classes with the same weights do. In a channels-last layout, images
(N, C, H, W) are tokens (N, H * W, C) already, and those of one clip are (F, H * W, C).
"""

from typing import Any, TypeAlias

import torch
from diffusers import UNet3DConditionModel, UNetMotionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from diffusers.models.unets.unet_3d_blocks import (
    CrossAttnDownBlock3D,
    CrossAttnUpBlock3D,
    UNetMidBlock3DCrossAttn,
)
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn

VideoUNet: TypeAlias = UNet3DConditionModel | UNetMotionModel


def transform(block: BasicTransformerBlock, tokens: Tensor, text: Tensor | None = None) -> Tensor:
    """Return tokens (N, S, D) after a block's self-attention, second attention and feed-forward.

    Calls processors directly: `Attention.forward` inspects their signature in every call, which
    takes longer than a small kernel.

    Args:
        text: what the second attention looks at, of every sequence or of every few (B, L, D).
    """
    attn1, attn2 = block.attn1, block.attn2
    tokens = attn1.processor(attn1, place(block, block.norm1(tokens))) + tokens
    asking = place(block, block.norm2(tokens))
    if text is not None:
        asking = asking.reshape(len(text), -1, asking.shape[-1])
    tokens = attn2.processor(attn2, asking, text).view_as(tokens) + tokens
    return block.ff(block.norm3(tokens)) + tokens


def place(block: BasicTransformerBlock, tokens: Tensor) -> Tensor:
    """Add their frames' positions to tokens (F, N, D), if the block has any."""
    if block.pos_embed is None:
        return tokens
    return tokens + block.pos_embed.pe[0, : len(tokens), None]


def transform_clips(transformer: Any, hidden_states: Tensor, num_frames: int) -> Tensor:
    """Return images (B * F, C, H, W) after a transformer over frames.

    Its tokens are (F, N, D), where N counts the clips' pixels.
    """
    clips = hidden_states.unflatten(0, (-1, num_frames))  # (B, F, C, H, W)
    tokens = transformer.norm(clips.transpose(1, 2)).permute(2, 0, 3, 4, 1)
    pixels = tokens.shape[1:4]
    tokens = transformer.proj_in(tokens.flatten(1, 3))
    for block in transformer.transformer_blocks:
        tokens = transform(block, tokens)
    tokens = transformer.proj_out(tokens).unflatten(1, pixels)
    # In the layout of the first term, whose rows and frames are one dimension in memory.
    return (clips + tokens.permute(1, 0, 4, 2, 3)).flatten(0, 1)


class FramesFirstTransformer(TransformerTemporalModel):
    def forward(
        self, hidden_states: Tensor, *args: Any, num_frames: int = 1, **kwargs: Any
    ) -> tuple[Tensor]:
        return (transform_clips(self, hidden_states, num_frames),)


class FramesFirstMotion(AnimateDiffTransformer3D):
    def forward(
        self,
        hidden_states: Tensor,
        # Some blocks of diffusers' give these by their places.
        encoder_hidden_states: None = None,
        timestep: None = None,
        class_labels: None = None,
        num_frames: int = 1,
        cross_attention_kwargs: None = None,
    ) -> Tensor:
        return transform_clips(self, hidden_states, num_frames)


class SpatialTransformer(Transformer2DModel):
    """A `Transformer2DModel` that takes a text for each row or for each of its frames."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Tensor]:
        size = hidden_states.shape[2:]
        images = self.norm(hidden_states)
        # Those of Stable Diffusion 1.5 are convolutions.
        linear = self.use_linear_projection
        tokens = self.proj_in(to_tokens(images)) if linear else to_tokens(self.proj_in(images))
        for block in self.transformer_blocks:
            tokens = transform(block, tokens, encoder_hidden_states)
        if linear:
            return (hidden_states + to_images(self.proj_out(tokens), size),)
        return (hidden_states + self.proj_out(to_images(tokens, size)),)


def to_tokens(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) as tokens (N, H * W, C)."""
    return images.permute(0, 2, 3, 1).flatten(1, 2)


def to_images(tokens: Tensor, size: torch.Size) -> Tensor:
    """Undo `to_tokens`."""
    return tokens.unflatten(1, size).permute(0, 3, 1, 2)


class ResidualBlock(ResnetBlock2D):
    """A `ResnetBlock2D` that divides by its scale only where that is not 1."""

    def forward(self, input_tensor: Tensor, temb: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.output_scale_factor != 1:
            return super().forward(input_tensor, temb, *args, **kwargs)
        hidden_states = self.conv1(self.nonlinearity(self.norm1(input_tensor)))
        time_emb = self.time_emb_proj(self.nonlinearity(temb))
        hidden_states = self.norm2(hidden_states + time_emb[:, :, None, None])
        hidden_states = self.conv2(self.dropout(self.nonlinearity(hidden_states)))
        if self.conv_shortcut is not None:
            input_tensor = self.conv_shortcut(input_tensor)
        return input_tensor + hidden_states


class TextOnce(nn.Module):
    """Of a block with transformers: has them project a row's text once, and not for each of the
    frames that the UNet repeats it for."""

    def forward(
        self, *args: Any, encoder_hidden_states: Tensor, num_frames: int = 1, **kwargs: Any
    ) -> Any:
        text = encoder_hidden_states[::num_frames].contiguous()
        return super().forward(*args, encoder_hidden_states=text, num_frames=num_frames, **kwargs)


class DownBlock(TextOnce, CrossAttnDownBlock3D):
    pass


class MidBlock(TextOnce, UNetMidBlock3DCrossAttn):
    pass


class UpBlock(TextOnce, CrossAttnUpBlock3D):
    pass


OWN_CLASSES = {
    ResnetBlock2D: ResidualBlock,
    TransformerTemporalModel: FramesFirstTransformer,
    AnimateDiffTransformer3D: FramesFirstMotion,
    Transformer2DModel: SpatialTransformer,
    CrossAttnDownBlock3D: DownBlock,
    UNetMidBlock3DCrossAttn: MidBlock,
    CrossAttnUpBlock3D: UpBlock,
}
"""What stands in for diffusers' classes, with the same weights under the same names."""

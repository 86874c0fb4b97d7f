"""The UNet's transformers with as few copies of their tokens as their layout allows.

Both compute what diffusers' classes of the same weights do. In a channels-last layout, images
(N, C, H, W) are tokens (N, H * W, C) already, and those of one clip are (F, H * W, C).
"""

from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from diffusers.models.unets.unet_3d_blocks import (
    CrossAttnDownBlock3D,
    CrossAttnUpBlock3D,
    UNetMidBlock3DCrossAttn,
)
from torch import Tensor


def transform(block: BasicTransformerBlock, tokens: Tensor, text: Tensor | None = None) -> Tensor:
    """Return tokens (N, S, D) after a block's self-attention, second attention and feed-forward.

    Calls processors directly: `Attention.forward` inspects their signature in every call, which
    takes longer than a small kernel.

    Args:
        text: what the second attention looks at, of every sequence or of every few (B, L, D).
    """
    attn1, attn2 = block.attn1, block.attn2
    tokens = attn1.processor(attn1, block.norm1(tokens)) + tokens
    asking = block.norm2(tokens)
    if text is not None:
        asking = asking.reshape(len(text), -1, asking.shape[-1])
    tokens = attn2.processor(attn2, asking, text).view_as(tokens) + tokens
    return block.ff(block.norm3(tokens)) + tokens


class FramesFirstTransformer(TransformerTemporalModel):
    """A `TransformerTemporalModel` whose tokens are (F, N, D), where N counts the clips' pixels."""

    def forward(
        self, hidden_states: Tensor, *args: Any, num_frames: int = 1, **kwargs: Any
    ) -> tuple[Tensor]:
        clips = hidden_states.unflatten(0, (-1, num_frames))  # (B, F, C, H, W)
        tokens = self.norm(clips.transpose(1, 2)).permute(2, 0, 3, 4, 1)
        pixels = tokens.shape[1:4]
        tokens = self.proj_in(tokens.flatten(1, 3))
        for block in self.transformer_blocks:
            tokens = transform(block, tokens)
        tokens = self.proj_out(tokens).unflatten(1, pixels)
        # In the layout of the first term, whose rows and frames are one dimension in memory.
        return ((clips + tokens.permute(1, 0, 4, 2, 3)).flatten(0, 1),)


class SpatialTransformer(Transformer2DModel):
    """A `Transformer2DModel` that projects a text once for all frames of a clip."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        *args: Any,
        cross_attention_kwargs: dict[str, Any],
        **kwargs: Any,
    ) -> tuple[Tensor]:
        # The UNet repeats a row's text for each of its frames.
        text = encoder_hidden_states[:: cross_attention_kwargs["num_frames"]]
        tokens = self.norm(hidden_states).permute(0, 2, 3, 1)
        size = tokens.shape[1:3]
        tokens = self.proj_in(tokens.flatten(1, 2))
        for block in self.transformer_blocks:
            tokens = transform(block, tokens, text)
        tokens = self.proj_out(tokens).unflatten(1, size)
        return (hidden_states + tokens.permute(0, 3, 1, 2),)


class FrameCount:
    """Of a block with transformers: tells the spatial ones the number of frames, as diffusers tells
    the temporal ones."""

    def forward(self, *args: Any, num_frames: int = 1, **kwargs: Any) -> Any:
        kwargs["cross_attention_kwargs"] = {"num_frames": num_frames}
        return super().forward(*args, num_frames=num_frames, **kwargs)  # type: ignore[misc]


class DownBlock(FrameCount, CrossAttnDownBlock3D):
    pass


class MidBlock(FrameCount, UNetMidBlock3DCrossAttn):
    pass


class UpBlock(FrameCount, CrossAttnUpBlock3D):
    pass


OWN_CLASSES = {
    TransformerTemporalModel: FramesFirstTransformer,
    Transformer2DModel: SpatialTransformer,
    CrossAttnDownBlock3D: DownBlock,
    UNetMidBlock3DCrossAttn: MidBlock,
    CrossAttnUpBlock3D: UpBlock,
}
"""What stands in for diffusers' classes, with the same weights under the same names."""

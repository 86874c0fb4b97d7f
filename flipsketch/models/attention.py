"""Attention of the UNet as few kernels: projections in one product, scores of few tokens as plain
products, and no limit on how many sequences a call may have.

An attention's sequences are independent, so a call on many is the same as several on parts of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

# CUDA's limit on the second and third dimension of a grid; fused attention puts sequences there,
# and fails beyond it.
MAX_SEQUENCES = 65_535


@dataclass(frozen=True, kw_only=True)
class OwnAttention:
    """What diffusers calls an attention processor.

    It may be asked for its steps one by one, by attention that composes between them.
    """

    products: bool
    """Scores as a matrix of their own: few tokens leave most of a fused kernel's tile empty."""
    frames_first: bool = False
    """Tokens come as (S, N, D), sequences side by side, as `FramesFirstTransformer` keeps them:
    heads and sequences then are one dimension of a batched product, without a copy."""
    float_scores: bool = True
    """Scores of half-precision tokens in float32, not rounded to three digits, and scaled as they
    are summed; else as composition always had them."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        assert attention_mask is None, "no caller of these UNets masks anything"
        query, key, value = self.project(attn, hidden_states, encoder_hidden_states)
        return self.merge(attn, self.attend(query, key, value, attn.scale))

    def project(
        self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return query, key and value (N, heads, S, D)."""
        if encoder_hidden_states is None:
            query, key, value = project((attn.to_q, attn.to_k, attn.to_v), hidden_states)
        else:
            query = attn.to_q(hidden_states)
            key, value = project((attn.to_k, attn.to_v), encoder_hidden_states)
        order = (1, 2, 0, 3) if self.frames_first else (0, 2, 1, 3)
        query, key, value = (
            tensor.unflatten(-1, (attn.heads, -1)).permute(order) for tensor in (query, key, value)
        )
        return query, key, value

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Return what each query sees (N, heads, S, D)."""
        if self.products:
            return self.weigh(self.score(query, key, scale), value)
        return attend_fused(query, key, value, scale)

    def score(self, query: Tensor, key: Tensor, scale: float) -> Tensor:
        """Return scaled scores (N, heads, S, S)."""
        if not self.float_scores:
            return batched_product(query, key.transpose(-1, -2)) * scale
        if query.dtype in (torch.bfloat16, torch.float16):
            query, key = query.float(), key.float()
        return batched_product(query, key.transpose(-1, -2), scale=scale)

    def weigh(self, scores: Tensor, value: Tensor) -> Tensor:
        """Return the values' mean by the scores' softmax (N, heads, S, D)."""
        return batched_product(scores.softmax(dim=-1).to(value.dtype), value)

    def merge(self, attn: Attention, hidden_states: Tensor) -> Tensor:
        """Join the heads of (N, heads, S, D) again and return tokens as they came."""
        order = (2, 0, 1, 3) if self.frames_first else (0, 2, 1, 3)
        hidden_states = attn.to_out[0](hidden_states.permute(order).flatten(2))
        return attn.to_out[1](hidden_states)


def batched_product(
    a: Tensor, b: Tensor, *, scale: float = 1.0, limit: int = MAX_SEQUENCES
) -> Tensor:
    """Return `a @ b * scale` of tensors (N, heads, ., .), at most `limit` matrices a call."""

    def multiply(a: Tensor, b: Tensor) -> Tensor:
        # With beta 0 the first tensor is not looked at; alpha takes no kernel of its own.
        return torch.baddbmm(a.new_empty(1, 1, 1), a, b, beta=0, alpha=scale)

    product = in_parts(multiply, a.flatten(0, 1), b.flatten(0, 1), limit=limit)
    return product.unflatten(0, a.shape[:2])


def attend_fused(
    query: Tensor, key: Tensor, value: Tensor, scale: float, limit: int = MAX_SEQUENCES
) -> Tensor:
    """Return fused attention of (N, heads, S, D), at most `limit` of its N * heads a call."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, scale=scale)

    # Kernels differ in whether heads count.
    return in_parts(attend, query, key, value, limit=max(1, limit // query.shape[1]))


def in_parts(compute: Callable[..., Tensor], *tensors: Tensor, limit: int) -> Tensor:
    """Return `compute(*tensors)`, at most `limit` of their first dimension a call."""
    if len(tensors[0]) <= limit:
        return compute(*tensors)
    parts = zip(*(tensor.split(limit) for tensor in tensors), strict=True)
    return torch.cat([compute(*part) for part in parts])


def project(layers: tuple[nn.Module, ...], hidden_states: Tensor) -> tuple[Tensor, ...]:
    """Return what each linear layer makes of the same tokens, as one product where their weights
    lie side by side (`join_weights`)."""
    joined = joined_weights(layers)
    if joined is None:
        return tuple(layer(hidden_states) for layer in layers)
    tokens = hidden_states.flatten(0, -2)
    # Each output comes contiguous, which the slices of one wide product would not.
    projected = torch.matmul(tokens, joined.transpose(-1, -2))
    return projected.unflatten(1, hidden_states.shape[:-1]).unbind(0)


def joined_weights(layers: tuple[Any, ...]) -> Tensor | None:
    """Return the weights of linear layers as one tensor (layers, out, in), if they are that in
    memory and nothing needs them apart: an adapter's layers, gradients of a weight."""
    first = layers[0]
    if any(type(layer) is not nn.Linear or layer.bias is not None for layer in layers):
        return None
    weight = first.weight
    size = weight.numel()
    for place, layer in enumerate(layers):
        other = layer.weight
        if (
            other.requires_grad
            or other.shape != weight.shape
            or other.untyped_storage().data_ptr() != weight.untyped_storage().data_ptr()
            or other.storage_offset() != weight.storage_offset() + place * size
        ):
            return None
    return weight.detach().as_strided((len(layers), *weight.shape), (size, *weight.stride()))


def join_weights(attn: Attention) -> None:
    """Have the weights that are multiplied with the same tokens lie side by side, in place."""
    layers: tuple[Any, ...] = (attn.to_q, attn.to_k, attn.to_v)
    if attn.is_cross_attention:
        layers = layers[1:]
    shapes = {layer.weight.shape for layer in layers if type(layer) is nn.Linear}
    if len(shapes) == 1 and all(type(layer) is nn.Linear for layer in layers):
        stacked = torch.stack([layer.weight.detach() for layer in layers])
        for layer, weight in zip(layers, stacked, strict=True):
            layer.weight.data = weight


def part_weights(attn: Attention) -> None:
    """Undo `join_weights`."""
    for layer in (attn.to_q, attn.to_k, attn.to_v):
        weight = layer.weight
        if type(layer) is nn.Linear and weight.untyped_storage().nbytes() > weight.nbytes:
            weight.data = weight.detach().clone()

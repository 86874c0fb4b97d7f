"""Dual attention composition: the moving frames look at the sketch through its own stream.

While the reference stream is denoised, every self-attention (`attn1`) records what the clip borrows
in the same step: spatial layers lend the queries of the stream's frames, temporal layers the key of
its first frame, on which later frames hold the harder the larger `reference_scale` is (FlipSketch,
section 4.3). The published PyTorch 2 code indexes (B, heads, L, S) as (B, L, S) and composes
nothing that the paper describes; the PyTorch 1 code, followed here, is right.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from flipsketch.media.clip import MAX_FRAMES
from flipsketch.method.config import SamplingConfig
from flipsketch.models.attention import OwnAttention
from flipsketch.models.blocks import VideoUNet
from flipsketch.models.families import family_of_unet
from flipsketch.models.graphs import Buffers, Graphs, graphs_of

# The published constant; it does not follow num_frames.
FRAMES_TO_FULL_SCALE = 50


class AttentionComposer:
    """What the composed layers of one UNet share: the rows' scales, the current mode, and what the
    clip borrows."""

    def __init__(self, reference_scales: Tensor, graphs: Graphs) -> None:
        self.graphs = graphs
        # Where graphs of earlier batches read and write.
        self.buffers = graphs.buffers or Buffers()
        frame = torch.arange(MAX_FRAMES, device=reference_scales.device)
        gains = 1 + reference_scales[:, None] * frame / FRAMES_TO_FULL_SCALE
        # What frame j's score on the sketch is multiplied by, of each row (B, MAX_FRAMES).
        self.gains = self.buffers.put("gains", gains)
        self.mode: Literal["plain", "record", "compose"] = "plain"
        self.num_recorded = 0

    def recording(self, num_frames: int) -> AbstractContextManager[None]:
        """UNet passes in here are the reference stream's, of some frames: layers note what the clip
        will borrow."""
        self.num_recorded = num_frames
        return self.within("record")

    @contextmanager
    def composing(self) -> Iterator[None]:
        """UNet passes in here are the clip's: layers borrow what the last recording noted."""
        assert self.num_recorded, "composing() needs a recording() of the same step"
        with self.within("compose"):
            yield
        self.num_recorded = 0

    @contextmanager
    def within(self, mode: Literal["record", "compose"]) -> Iterator[None]:
        self.mode = mode
        try:
            with self.graphs.within(mode, self.num_recorded):
                yield
        finally:
            self.mode = "plain"


class ComposedAttnProcessor:
    """One self-attention of the UNet while `compose_attention` is on.

    A spatial layer folds rows x frames into its batch N and attends over pixels, a temporal one
    folds rows x pixels and attends over frames.
    """

    def __init__(
        self, composer: AttentionComposer, name: str, plain: Any, *, temporal: bool
    ) -> None:
        self.composer, self.name, self.temporal = composer, name, temporal
        self.plain = plain
        # Under diffusers' own processors this is what a composed layer has always computed.
        own = isinstance(plain, OwnAttention)
        self.attention = plain if own else OwnAttention(products=False, float_scores=False)

    def __call__(self, attn: Attention, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.composer.mode == "plain":
            return self.plain(attn, hidden_states, *args, **kwargs)
        query, key, value = self.attention.project(attn, hidden_states)
        lent = key[:, :, :1] if self.temporal else query
        if self.composer.mode == "record":
            self.composer.buffers.put(self.name, lent)
            hidden_states = self.attention.attend(query, key, value, attn.scale)
        else:
            gains, shape = self.composer.gains, lent.shape
            if not self.temporal:
                shape = torch.Size((len(gains) * self.composer.num_recorded, *shape[1:]))
            recorded = self.composer.buffers.get(self.name, shape)
            attend = attend_to_reference_key if self.temporal else attend_with_reference_queries
            hidden_states = attend(self.attention, (query, key, value), recorded, gains, attn.scale)
        return self.attention.merge(attn, hidden_states)


def attend_with_reference_queries(
    attention: OwnAttention,
    tokens: tuple[Tensor, Tensor, Tensor],
    recorded: Tensor,
    gains: Tensor,
    scale: float,
) -> Tensor:
    """Spatial: the clip's first frames ask with the queries of the stream's frames."""
    query, key, value = tokens
    reference_query = recorded.unflatten(0, (len(gains), -1))
    query = query.unflatten(0, (len(gains), -1))
    query = torch.cat([reference_query, query[:, reference_query.shape[1] :]], dim=1)
    return attention.attend(query.flatten(0, 1), key, value, scale)


def attend_to_reference_key(
    attention: OwnAttention,
    tokens: tuple[Tensor, Tensor, Tensor],
    recorded: Tensor,
    gains: Tensor,
    scale: float,
) -> Tensor:
    """Temporal: frame j scores the stream's first key, times `1 + reference_scale * j / 50`."""
    query, key, value = tokens
    key = torch.cat([recorded, key[:, :, 1:]], dim=2)
    # Where scores are half precision, which gains are not, the product is not either.
    scores = attention.score(query, key, scale).to(gains.dtype)
    rows = scores.unflatten(0, (len(gains), -1))  # (B, pixels, heads, F, F)
    rows[..., 0] *= gains[:, None, None, : query.shape[2]]
    return attention.weigh(scores, value)


def composed_kinds(config: SamplingConfig) -> dict[str, bool]:
    """Return the kinds of layers that `compose_attention` is to compose."""
    return {
        "spatial": config.compose_spatial,
        "temporal": config.compose_temporal,
        "temporal_attn2": config.compose_motion_attn2,
    }


@contextmanager
def compose_attention(
    unet: VideoUNet,
    reference_scales: Tensor,
    *,
    spatial: bool = True,
    temporal: bool = True,
    temporal_attn2: bool = False,
) -> Iterator[AttentionComposer]:
    """Make the UNet's self-attentions able to record and compose; restore them on the way out.

    Args:
        reference_scales: the paper's lambda of each row (B,), on the UNet's device.
        temporal_attn2: the second self-attention of temporal layers.
    """
    chosen = {"spatial": spatial, "temporal": temporal, "temporal_attn2": temporal_attn2}
    family = family_of_unet(unet)
    composer = AttentionComposer(reference_scales, graphs_of(unet))
    before = unet.attn_processors
    composed = dict(before)
    for name, plain in before.items():
        if chosen.get(family.layer_kind(name)):
            temporal_layer = family.is_temporal(name)
            composed[name] = ComposedAttnProcessor(composer, name, plain, temporal=temporal_layer)
    unet.set_attn_processor(composed)
    try:
        yield composer
    finally:
        # set_attn_processor empties the dict that it is given.
        unet.set_attn_processor(dict(before))

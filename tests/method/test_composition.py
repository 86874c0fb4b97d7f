from types import SimpleNamespace

import pytest
import torch
from diffusers import UNetMotionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

from flipsketch.method.composition import (
    AttentionComposer,
    attend_to_reference_key,
    compose_attention,
)
from flipsketch.models.attention import OwnAttention
from flipsketch.models.graphs import Graphs
from flipsketch.models.kernels import FAST, PLAIN, use_kernels
from flipsketch.models.video_model import predict_noise

T = torch.tensor(500)


def test_composing_leaves_the_unet_as_it_was(tiny_model):
    before = tiny_model.unet.attn_processors
    with pytest.raises(RuntimeError), compose_attention(tiny_model.unet, torch.zeros(1)):
        raise RuntimeError("mid-sampling")
    assert tiny_model.unet.attn_processors == before


def test_every_self_attention_is_composed_and_no_other(tiny_model):
    before = tiny_model.unet.attn_processors
    with compose_attention(tiny_model.unet, torch.zeros(1), spatial=False):
        temporal = {n for n, p in tiny_model.unet.attn_processors.items() if p is not before[n]}
    with compose_attention(tiny_model.unet, torch.zeros(1), temporal=False):
        spatial = {n for n, p in tiny_model.unet.attn_processors.items() if p is not before[n]}
    assert temporal | spatial == {name for name in before if ".attn1." in name}
    assert all("temp_attentions" in name or "transformer_in" in name for name in temporal)
    assert all(".attentions." in name for name in spatial)
    assert temporal and spatial


@torch.no_grad()
def test_outside_its_modes_and_while_recording_the_unet_predicts_as_ever(tiny_model64):
    unet = tiny_model64.unet
    latents = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64)
    embeds = tiny_model64.encode_prompts(["a cat", "a dog"])
    plain = predict_noise(unet, latents, torch.tensor(500), embeds)
    with compose_attention(unet, torch.ones(2, dtype=torch.float64)) as attention:
        assert torch.equal(predict_noise(unet, latents, torch.tensor(500), embeds), plain)
        with attention.recording(3):
            recorded = predict_noise(unet, latents, torch.tensor(500), embeds)
    torch.testing.assert_close(recorded, plain, rtol=0, atol=1e-12)


@torch.no_grad()
def test_composing_with_the_clip_itself_at_scale_0_changes_nothing(tiny_model64):
    unet = tiny_model64.unet
    latents = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64)
    embeds = tiny_model64.encode_prompts(["a cat", "a dog"])
    t = torch.tensor(500)
    plain = predict_noise(unet, latents, t, embeds)
    with compose_attention(unet, torch.zeros(2, dtype=torch.float64)) as attention:
        with attention.recording(3):
            predict_noise(unet, latents, t, embeds)
        with attention.composing():
            composed = predict_noise(unet, latents, t, embeds)
    torch.testing.assert_close(composed, plain, rtol=0, atol=1e-12)


def test_the_score_on_frame_0_grows_with_the_frame_and_the_rows_own_scale():
    """Against the formula, written out in loops."""
    torch.manual_seed(0)
    rows, pixels, heads, frames, width = 2, 3, 2, 4, 5
    query, key, value = torch.randn(3, rows * pixels, heads, frames, width, dtype=torch.float64)
    recorded = torch.randn(rows * pixels, heads, 1, width, dtype=torch.float64)
    scales = torch.tensor([0.0, 30.0], dtype=torch.float64)
    attention = OwnAttention(products=True)
    gains = AttentionComposer(scales, Graphs()).gains
    composed = attend_to_reference_key(attention, (query, key, value), recorded, gains, 0.7)
    for n in range(rows * pixels):
        for head in range(heads):
            for j in range(frames):
                scores = 0.7 * key[n, head] @ query[n, head, j]
                scores[0] = 0.7 * recorded[n, head, 0] @ query[n, head, j]
                scores[0] *= 1 + scales[n // pixels] * j / 50
                expected = scores.softmax(0) @ value[n, head]
                torch.testing.assert_close(composed[n, head, j], expected)


@pytest.fixture(scope="module")
def motion_unet() -> UNetMotionModel:
    """Of uneven shapes: motion modules in blocks without other attention, none in the middle, some
    of two blocks, heads of each level's own."""
    torch.manual_seed(0)
    unet = UNetMotionModel(
        sample_size=4,
        block_out_channels=(16, 32, 40),
        down_block_types=("DownBlockMotion", "CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion", "UpBlockMotion"),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=12,
        num_attention_heads=(1, 2, 5),
        motion_num_attention_heads=(4, 8, 2),
        temporal_transformer_layers_per_block=(1, 2, 1),
        use_motion_mid_block=False,
    )
    return unet.double().eval().requires_grad_(False)


class WrittenOut:
    """Attention of two rows, a sequence and a head at a time."""

    def __init__(self, kind: str, state: SimpleNamespace) -> None:
        self.kind, self.state = kind, state

    def __call__(self, attn, tokens, encoder_hidden_states=None, attention_mask=None):
        text = tokens if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            layer(given).unflatten(-1, (attn.heads, -1)).clone()
            for layer, given in ((attn.to_q, tokens), (attn.to_k, text), (attn.to_v, text))
        )
        state, per_row = self.state, len(tokens) // 2
        if state.mode == "record":
            self.lent = query if self.kind == "spatial" else key[:, 0]
        for n in range(len(tokens) if state.mode == "compose" else 0):
            row, frame = divmod(n, per_row)
            if self.kind == "spatial" and frame < state.num_recorded:
                query[n] = self.lent[row * state.num_recorded + frame]
            if self.kind == "temporal":
                key[n, 0] = self.lent[n]
        seen = torch.empty_like(query)
        for n in range(len(tokens)):
            for head in range(attn.heads):
                scores = query[n, :, head] @ key[n, :, head].T * attn.scale
                if state.mode == "compose" and self.kind == "temporal":
                    for j in range(len(scores)):
                        scores[j, 0] *= 1 + state.scales[n // per_row] * j / 50
                seen[n, :, head] = scores.softmax(-1) @ value[n, :, head]
        return attn.to_out[0](seen.flatten(2))


def write_out(unet: UNetMotionModel, state: SimpleNamespace, *, attn2: bool) -> None:
    """Give each attention of a UNet its processor, by the modules that it is in."""
    use_kernels(unet, None, PLAIN)
    over_frames = {
        id(attention)
        for motion in unet.modules()
        if isinstance(motion, AnimateDiffTransformer3D)
        for attention in motion.modules()
    }
    for name, module in unet.named_modules():
        if isinstance(module, Attention):
            second = name.endswith("attn2")
            if id(module) in over_frames:
                kind = "temporal" if attn2 or not second else "plain"
            else:
                kind = "plain" if second else "spatial"
            module.set_processor(WrittenOut(kind, state))


@torch.no_grad()
def predict_written_out(unet, stream, clip, embeds, *, attn2: bool):
    state = SimpleNamespace(mode="record", num_recorded=stream.shape[2], scales=(0.5, 30.0))
    write_out(unet, state, attn2=attn2)
    unet(stream, T, embeds.repeat_interleave(stream.shape[2], dim=0))
    state.mode = "compose"
    return unet(clip, T, embeds.repeat_interleave(clip.shape[2], dim=0)).sample


@torch.no_grad()
@pytest.mark.parametrize("attn2", [False, True])
def test_attention_of_motion_modules_composes_as_written_out(motion_unet, attn2):
    torch.manual_seed(1)
    stream, clip = torch.randn(2, 4, 3, 4, 4).double(), torch.randn(2, 4, 4, 4, 4).double()
    embeds = torch.randn(2, 5, 12).double()
    scales = torch.tensor([0.5, 30.0], dtype=torch.float64)
    wanted = predict_written_out(motion_unet, stream, clip, embeds, attn2=attn2)
    for kernels in (PLAIN, FAST):
        use_kernels(motion_unet, None, kernels)
        with compose_attention(motion_unet, scales, temporal_attn2=attn2) as attention:
            with attention.recording(3):
                predict_noise(motion_unet, stream, T, embeds)
            with attention.composing():
                composed = predict_noise(motion_unet, clip, T, embeds)
        torch.testing.assert_close(composed, wanted, rtol=0, atol=1e-10)

import pytest
import torch

from flipsketch.method.composition import (
    AttentionComposer,
    attend_to_reference_key,
    compose_attention,
)
from flipsketch.models.attention import OwnAttention
from flipsketch.models.graphs import Graphs
from flipsketch.models.video_model import predict_noise


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

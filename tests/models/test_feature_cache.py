from dataclasses import replace

import pytest
import torch
from diffusers import UNet3DConditionModel

from flipsketch.method.sampler import animate_pixels
from flipsketch.models.feature_cache import CachedUNet
from flipsketch.models.video_model import load_model, predict_noise
from tests.helpers.requests import draw_sketches, request_clip


def draw_latents(rows: int = 2, frames: int = 4):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, 4, frames, 8, 8, generator=generator, dtype=torch.float64)


@torch.no_grad()
def test_features_of_the_same_latents_give_the_plain_pass(any_folder):
    model = load_model(any_folder, dtype=torch.float64)
    unet, latents, t = model.unet, draw_latents(), torch.tensor(500)
    embeds = model.encode_prompts(["a cat", "a dog"])
    plain = predict_noise(unet, latents, t, embeds)
    cached = CachedUNet(unet, interval=2)
    assert torch.equal(cached.predict("clip", latents, t, embeds), plain)
    cached.reuses = True
    again = cached.predict("clip", latents, t, embeds)
    torch.testing.assert_close(again, plain, rtol=0, atol=1e-10)
    # Of another timestep the features are others.
    later = predict_noise(unet, latents, t - 40, embeds)
    assert not torch.allclose(cached.predict("clip", latents, t - 40, embeds), later, atol=1e-6)
    assert torch.equal(predict_noise(unet, latents, t, embeds), plain)


@torch.no_grad()
def test_a_stream_that_loses_frames_keeps_each_row_to_itself(tiny_model64):
    latents, t = draw_latents(), torch.tensor(500)
    embeds = tiny_model64.encode_prompts(["a cat", "a dog"])

    def lose_frames(rows: slice):
        cached = CachedUNet(tiny_model64.unet, interval=2)
        cached.predict("clip", latents[rows], t, embeds[rows])
        cached.reuses = True
        return cached.predict("clip", latents[rows, :, :3], t - 40, embeds[rows])

    together, alone = lose_frames(slice(2)), [lose_frames(slice(row, row + 1)) for row in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", ["ddim", "dpmpp_2m"])
def test_a_batch_of_clips_equals_its_clips_one_by_one(tiny_model64, solver):
    changes = {"num_inference_steps": 4, "align_steps": 1, "align_updates": 1, "cache_interval": 2}
    requests = [
        request_clip(sketch, seed=number, solver=solver, **changes)
        for number, sketch in enumerate(draw_sketches(2))
    ]
    together = animate_pixels(tiny_model64, requests)
    for row, request in enumerate(requests):
        assert (together[row] - animate_pixels(tiny_model64, [request])[0]).abs().max() < 1e-10
        whole = replace(request, sampling=replace(request.sampling, cache_interval=1))
        assert (together[row] - animate_pixels(tiny_model64, [whole])[0]).abs().max() > 1e-4


def test_a_unet_without_depth_is_refused():
    unet = UNet3DConditionModel(
        block_out_channels=(8,),
        down_block_types=("DownBlock3D",),
        up_block_types=("UpBlock3D",),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=8,
    )
    with pytest.raises(ValueError, match="cache_interval needs a UNet of at least 2 blocks"):
        CachedUNet(unet, interval=2)

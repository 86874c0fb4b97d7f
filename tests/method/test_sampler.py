"""Claims on the whole method; its agreement with the published code is in test_golden.py."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from safetensors.torch import save_file

from flipsketch.media.clip import Clip
from flipsketch.method.config import SamplingConfig
from flipsketch.method.inversion import invert_path
from flipsketch.method.request import Conditioning
from flipsketch.method.sampler import (
    animate,
    animate_pixels,
    draw_clip_noise,
    finish_frames,
    leave_sketch,
    sample_latents,
)
from flipsketch.models.lora import load_lora
from flipsketch.models.video_model import load_model, predict_noise
from tests.helpers.requests import SHORT, draw_sketches, request_clip


@pytest.mark.parametrize(("align_steps", "compose_steps"), [(0, 0), (1, 2), (0, 3)])
def test_a_held_first_frame_is_the_sketch(tiny_model, align_steps, compose_steps):
    config = replace(SHORT, align_steps=align_steps, compose_steps=compose_steps)
    draw = torch.Generator().manual_seed(0)
    sketch = torch.randn(1, 4, 1, 8, 8, generator=draw)
    noise = draw_clip_noise(sketch.shape, 4, 1, 0)[None]
    null_embeds = tiny_model.encode_prompts([""])
    path = invert_path(tiny_model.unet, tiny_model.scheduler, sketch, null_embeds, 3)
    held, free = (
        sample_latents(tiny_model, path, noise, [Conditioning("a cat", sampling)])
        for sampling in (replace(config, hold_sketch=True), config)
    )
    assert torch.equal(held[:, :, :1], sketch)
    assert not torch.allclose(free[:, :, :1], sketch, atol=1e-2)
    # The others see it there on the way.
    assert not torch.allclose(free[:, :, 1:], held[:, :, 1:], atol=1e-4)


def test_the_sketch_is_held_where_the_settings_say_so(tiny_model):
    [sketch] = draw_sketches(1)
    clean = torch.from_numpy(sketch).permute(2, 0, 1)[None, :, None] / 127.5 - 1
    expected = tiny_model.decode(tiny_model.encode(clean)).clamp(-1, 1)
    held = animate_pixels(tiny_model, [request_clip(sketch, hold_sketch=True)])
    torch.testing.assert_close(held[:, :, :1], expected, rtol=1e-4, atol=1e-4)


def test_the_noise_holds_as_much_of_the_sketch_as_when_a_model_is_trained(tiny_model):
    scheduler = DDIMScheduler.from_config(tiny_model.scheduler.config)
    scheduler.set_timesteps(5)  # begins at the timestep 4 * 200 + 1
    sketch = torch.randn(3, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = torch.zeros(3, 4, 4, 8, 8)
    left = leave_sketch(noise, sketch, scheduler, torch.tensor([0.0, 1.0, 2.0]))
    trained = scheduler.add_noise(sketch, 0 * sketch, torch.tensor([801] * 3)).expand_as(noise)
    for row, share in enumerate([0.0, 1.0, 2.0]):
        torch.testing.assert_close(left[row], share * trained[row])


def test_the_sketch_is_left_in_the_noise_where_the_settings_say_so(tiny_model):
    [sketch] = draw_sketches(1)
    without, filled = request_clip(sketch), request_clip(sketch, sketch_in_noise=1.0)
    own = animate_pixels(tiny_model, [without, filled])
    none, both = (animate_pixels(tiny_model, [request] * 2) for request in (without, filled))
    assert torch.equal(own[0], none[0]) and torch.equal(own[1], both[1])
    assert not torch.allclose(none[:, :, 1:], both[:, :, 1:], atol=1e-3)


@pytest.mark.parametrize("align_steps", [0, 1])
def test_a_batch_of_4_equals_4_batches_of_1(tiny_model64, align_steps):
    negatives = ["", "blurry", "", "dog"]
    requests = [
        request_clip(
            sketch,
            f"cat number {number}",
            seed=number,
            num_inference_steps=2,
            align_steps=align_steps,
            reference_scale=number / 2,
            negative_prompt=negatives[number],
        )
        for number, sketch in enumerate(draw_sketches(4))
    ]
    together = animate_pixels(tiny_model64, requests)
    for row, request in enumerate(requests):
        alone = animate_pixels(tiny_model64, [request])
        assert (together[row] - alone[0]).abs().max() < 1e-10


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"prompt": "a dog"},
        {"reference_scale": 5.0},
        {"negative_prompt": "ink"},
        {"sketch_in_noise": 1.0},
    ],
)
def test_rows_of_a_batch_are_their_own(tiny_model, changes):
    [sketch] = draw_sketches(1)
    plain, changed = (request_clip(sketch, align_steps=0, **settings) for settings in ({}, changes))
    one, other = animate_pixels(tiny_model, [plain, changed])
    swapped = animate_pixels(tiny_model, [changed, plain])
    torch.testing.assert_close(swapped, torch.stack([other, one]), rtol=0, atol=1e-4)
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("changes", [{"num_frames": 5}, {"align_steps": 0}, {"binarize": False}])
def test_rows_that_cannot_share_a_batch_are_refused(tiny_model, changes):
    [sketch] = draw_sketches(1)
    with pytest.raises(ValueError, match="a batch needs rows that share their settings"):
        animate_pixels(tiny_model, [request_clip(sketch), request_clip(sketch, **changes)])


def test_clips_of_different_numbers_of_segments_are_refused(tiny_model):
    request = request_clip(draw_sketches(1)[0])
    longer = replace(request, prompts=("a cat", "it jumps"))
    with pytest.raises(ValueError, match="clips of as many segments, got .1, 2."):
        animate_pixels(tiny_model, [request, longer])


def test_holding_the_sketch_needs_the_whole_path(tiny_model):
    conditioning = Conditioning("a cat", replace(SHORT, hold_sketch=True))
    with pytest.raises(ValueError, match="3 steps and the sketch., got 1 latents"):
        sample_latents(
            tiny_model, [torch.zeros(1, 4, 1, 8, 8)], torch.zeros(1, 4, 4, 8, 8), [conditioning]
        )


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, {"spatial", "temporal"}),
        ({"compose_spatial": False}, {"temporal"}),
        ({"compose_temporal": False}, {"spatial"}),
        # Where the published code takes temporal layers for spatial ones and fails.
        ({"num_frames": 16}, {"spatial", "temporal"}),
    ],
)
def test_the_first_steps_compose_in_the_layers_that_are_switched_on(tiny_model, changes, kinds):
    seen = []

    def note(unet, args):
        composed = [layer for layer in unet.attn_processors.values() if hasattr(layer, "composer")]
        if composed and composed[0].composer.mode == "compose":
            seen.append({"temporal" if layer.temporal else "spatial" for layer in composed})

    hook = tiny_model.unet.register_forward_pre_hook(note)
    request = request_clip(draw_sketches(1)[0], align_steps=0, **changes)
    pixels = animate_pixels(tiny_model, [request])
    hook.remove()
    assert pixels.shape == (1, 3, request.num_frames, 16, 16)
    assert seen == [kinds] * 2 and request.sampling.num_compose_steps == 2


@torch.no_grad()
def test_guidance_goes_as_far_beyond_the_prompt_as_its_scale_says(tiny_model64):
    """Nothing but the scale differs, so one step is linear in it."""
    noise = draw_clip_noise(torch.Size((1, 4, 1, 8, 8)), 4, 1, 0)[None].double()

    def sample(guidance_scale):
        changes = {"num_inference_steps": 1, "align_steps": 0, "compose_steps": 0}
        sampling = replace(SHORT, guidance_scale=guidance_scale, **changes)
        return sample_latents(
            tiny_model64, [noise[:, :, :1]], noise, [Conditioning("a cat", sampling)]
        )

    once = sample(2.0) - sample(1.0)
    assert once.abs().max() > 1e-3
    torch.testing.assert_close(sample(4.0) - sample(1.0), 3 * once)


def test_a_negative_prompt_takes_the_empty_prompts_place(tiny_model64):
    request = partial(
        request_clip, draw_sketches(1)[0], num_inference_steps=2, align_steps=0, compose_steps=0
    )
    unguided, usual, same = (
        animate_pixels(tiny_model64, [clip])
        for clip in (request(guidance_scale=1.0), request(), request(negative_prompt="a cat"))
    )
    # Away from the prompt as far as towards it.
    torch.testing.assert_close(same, unguided)
    assert (usual - unguided).abs().max() > 1e-3


@pytest.mark.parametrize(("sketch_range", "lowest"), [("signed", -1), ("unit", 0)])
def test_the_sketch_is_encoded_in_the_range_that_the_settings_say(tiny_model, sketch_range, lowest):
    seen = []
    hook = tiny_model.vae.encoder.register_forward_pre_hook(
        lambda encoder, args: seen.append(args[0].aminmax())
    )
    brief = {"num_inference_steps": 1, "align_steps": 0}
    animate_pixels(
        tiny_model, [request_clip(draw_sketches(1)[0], sketch_range=sketch_range, **brief)]
    )
    hook.remove()
    assert [(low.item(), high.item()) for low, high in seen] == [(lowest, 1)]


def test_the_same_call_twice_is_the_same_clip(tiny_model):
    rows = (draw_sketches(2), ["a cat", "a dog"], [1, 2])
    first, second = (animate(tiny_model, *rows, SHORT) for _ in range(2))
    assert [clip.prompt for clip in first] == ["a cat", "a dog"]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)


def test_segments_go_on_from_the_last_frame(tiny_model):
    request = request_clip(draw_sketches(1)[0], num_inference_steps=2, align_steps=0)
    first = animate_pixels(tiny_model, [request])
    chained = animate_pixels(
        tiny_model, [replace(request, prompts=("a cat", "it jumps", "it sits"))]
    )
    assert chained.shape[2] == 3 * (4 - 1) + 1
    assert torch.equal(chained[:, :, :4], first)


def test_each_segment_and_seed_draws_noise_of_its_own():
    shape = torch.Size((1, 4, 1, 8, 8))
    drawn = [draw_clip_noise(shape, 4, seed, segment) for seed in (1, 2) for segment in (0, 1)]
    correlations = torch.corrcoef(torch.stack([noise.flatten() for noise in drawn]))
    # 1,024 numbers: a correlation by chance has a standard deviation of 1/32.
    assert (correlations - torch.eye(4)).abs().max() < 0.15
    assert torch.equal(draw_clip_noise(shape, 4, 2, 1), drawn[3])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_networks_keep_full_precision_latents(tiny_folder, dtype):
    half = load_model(tiny_folder, dtype=dtype)
    assert half.unet.dtype == dtype
    pixels = animate_pixels(half, [request_clip(draw_sketches(1)[0])])
    assert pixels.dtype == torch.float32
    assert torch.isfinite(pixels).all()


def test_not_a_number_is_refused(tiny_model):
    [sketch] = draw_sketches(1)
    # So much that the networks overflow.
    overflowing = request_clip(sketch, sketch_in_noise=1e38)
    pixels = animate_pixels(tiny_model, [request_clip(sketch), overflowing])
    assert finish_frames(pixels[0], SHORT).shape == (4, 16, 16, 3)
    with pytest.raises(ValueError, match="not finite"):
        finish_frames(pixels[1], SHORT)


def test_finished_frames_are_black_on_white_unless_greys_are_kept(tiny_model):
    rows = (draw_sketches(1), ["a cat"], [1])
    (binary,) = animate(tiny_model, *rows, SHORT)
    (grey,) = animate(tiny_model, *rows, replace(SHORT, binarize=False))
    assert isinstance(binary, Clip)
    assert set(np.unique(binary.frames)) <= {0, 255}
    assert len(np.unique(grey.frames)) > 2


def test_sampling_through_an_injected_adapter(tiny_model, tiny_folder, tmp_path):
    config = LoraConfig(r=2, target_modules=["to_q", "to_k"], init_lora_weights=False)
    torch.manual_seed(0)
    trained = inject_adapter_in_model(config, load_model(tiny_folder).unet)
    config.save_pretrained(tmp_path / "unet")
    save_file(get_peft_model_state_dict(trained), tmp_path / "unet" / "adapter_model.safetensors")

    request = request_clip(draw_sketches(1)[0])
    plain = animate_pixels(tiny_model, [request])
    injected = load_model(tiny_folder)
    load_lora(injected.unet, injected.text_encoder, tmp_path)
    assert (animate_pixels(injected, [request]) - plain).abs().max() > 1e-2
    assert all(parameter.grad is None for parameter in injected.unet.parameters())
    # What is loaded has it in its weights.
    adapted = load_model(tiny_folder, lora=tmp_path)
    assert len(list(adapted.unet.parameters())) == len(list(tiny_model.unet.parameters()))
    call = torch.randn(1, 4, 3, 8, 8), torch.tensor(500), adapted.encode_prompts(["a cat"])
    torch.testing.assert_close(
        predict_noise(adapted.unet, *call), predict_noise(injected.unet, *call), rtol=0, atol=1e-5
    )
    assert not torch.allclose(
        predict_noise(adapted.unet, *call), predict_noise(tiny_model.unet, *call), atol=1e-4
    )
    with pytest.raises(ValueError, match="not an adapter folder"):
        load_lora(tiny_model.unet, tiny_model.text_encoder, tmp_path / "unet")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_frames", 1),
        ("num_frames", 100_000),
        ("num_inference_steps", 0),
        ("num_inference_steps", 1000),
        ("negative_prompt", "\udcff"),
        ("align_steps", 26),
        ("compose_steps", -1),
        ("guidance_scale", float("nan")),
    ],
)
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        SamplingConfig(**{field: value})

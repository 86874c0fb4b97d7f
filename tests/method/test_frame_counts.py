"""How many frames a clip takes through the UNet, and what a dry run counts."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from flipsketch.method import costs
from flipsketch.method.config import INVERSION_FRAMES, SamplingConfig
from flipsketch.method.inversion import invert
from flipsketch.method.request import Conditioning
from flipsketch.method.sampler import (
    animate_pixels,
    draw_clip_noise,
    sample_latents,
)
from flipsketch.models.kernels import PLAIN, use_kernels
from tests.helpers.requests import SHORT, draw_sketches, request_clip


@contextmanager
def counting_unet(unet):
    """Note (rows, frames, gradients on, outermost blocks alone) of each UNet call, from outside."""
    calls = []

    def note(module, args, kwargs):
        rows, frames = args[0].shape[0], args[0].shape[2]
        calls.append((rows, frames, torch.is_grad_enabled(), module is not unet))

    hook = unet.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


def count_frames(calls, *, with_gradients=False) -> int:
    return sum(rows * frames for rows, frames, grad, _ in calls if grad == with_gradients)


@pytest.mark.slow
def test_without_alignment_a_clip_takes_561_and_125_frame_evaluations(tiny_model):
    config = SamplingConfig(align_steps=0)
    latents = torch.randn(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with counting_unet(tiny_model.unet) as inversion_calls:
        reference_latents = invert(
            tiny_model.unet,
            tiny_model.scheduler,
            latents.repeat(1, 1, INVERSION_FRAMES, 1, 1),
            tiny_model.encode_prompts([""]),
            config.num_inference_steps,
        )
    noise = draw_clip_noise(latents.shape, 10, 1, 0)[None]
    with counting_unet(tiny_model.unet) as sampling_calls:
        sample_latents(tiny_model, [reference_latents], noise, [Conditioning("a cat runs", config)])
    assert count_frames(inversion_calls) == 125
    assert count_frames(sampling_calls) == 561
    assert count_frames(sampling_calls, with_gradients=True) == 0


def test_a_clip_of_default_length_takes_the_published_numbers_of_frame_evaluations():
    without = SamplingConfig(align_steps=0)
    assert costs.count_frames(without) == (125 + 561, 0)
    assert costs.count_frames(SamplingConfig()) == (125 + 561 + 9, 900)


@pytest.mark.slow
def test_alignment_adds_900_frame_passes_and_9_targets(tiny_model):
    # The tenth target is the reference pass itself, whose stream is then one frame long.
    reference_latents = torch.zeros(1, 4, 1, 8, 8)
    noise = draw_clip_noise(reference_latents.shape, 10, 1, 0)[None]
    with counting_unet(tiny_model.unet) as calls:
        conditioning = Conditioning("a cat", SamplingConfig())
        sample_latents(tiny_model, [reference_latents], noise, [conditioning])
    assert count_frames(calls, with_gradients=True) == 900
    assert count_frames(calls) == 561 + 9


@pytest.mark.parametrize(
    ("changes", "frames"),
    [
        ({"guidance_scale": 1.0}, 5 * 4 + (4 + 3 + 2 + 1)),
        ({"compose_steps": 0}, 5 * 8),
        ({"compose_spatial": False, "compose_temporal": False}, 5 * 8),
        # Alignment alone: a target of one frame in each of 2 steps, which also steps the stream.
        ({"compose_steps": 0, "align_steps": 2}, 5 * 8 + 2),
    ],
)
def test_no_pass_is_made_that_nothing_needs(tiny_model, changes, frames):
    config = replace(SHORT, num_inference_steps=5, **{"align_steps": 0, **changes})
    reference_latents = torch.zeros(1, 4, 1, 8, 8)
    noise = draw_clip_noise(reference_latents.shape, 4, 1, 0)[None]
    with counting_unet(tiny_model.unet) as calls:
        sample_latents(tiny_model, [reference_latents], noise, [Conditioning("a cat", config)])
    assert count_frames(calls) == frames


def test_both_prompts_in_one_pass_are_fewer_passes_on_as_many_frames(tiny_model64):
    config = replace(SHORT, num_inference_steps=4, align_steps=1, compose_steps=2)
    reference_latents = torch.zeros(1, 4, 1, 8, 8, dtype=torch.float64)
    noise = draw_clip_noise(reference_latents.shape, 4, 1, 0)[None].double()
    rows = [Conditioning("a cat", config)]
    with counting_unet(tiny_model64.unet) as calls:
        latents = sample_latents(tiny_model64, [reference_latents], noise, rows)
    use_kernels(tiny_model64.unet, tiny_model64.vae, replace(PLAIN, joint_guidance=True))
    with counting_unet(tiny_model64.unet) as joint_calls:
        joint_latents = sample_latents(tiny_model64, [reference_latents], noise, rows)
    assert count_frames(joint_calls) == count_frames(calls) == 8 * 4 + (4 + 3) + 1
    # Those of the two steps that compose nothing.
    assert len(joint_calls) == len(calls) - 2
    torch.testing.assert_close(joint_latents, latents, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"align_steps": 0},
        {"align_steps": 2, "compose_steps": 0},
        {"align_steps": 3, "compose_steps": 3},
        {"guidance_scale": 1.0},
        {"align_updates": 2},
        {"align_steps": 0, "guidance_stop": 0.5},
        {"cache_interval": 2, "num_inference_steps": 5},
        # The pass that guidance leads away from begins where the other reuses features.
        {"cache_interval": 3, "num_inference_steps": 5, "align_steps": 0, "guidance_start": 0.2},
        {"solver": "dpmpp_2m", "num_inference_steps": 2},
        # The stream has one frame before alignment ends.
        {"num_frames": 2, "align_steps": 3},
    ],
)
def test_a_dry_run_counts_the_passes_that_are_made(tiny_model, changes):
    request = request_clip(draw_sketches(1)[0], **changes)
    with counting_unet(tiny_model.unet) as calls:
        animate_pixels(tiny_model, [request])
    made = count_frames(calls), count_frames(calls, with_gradients=True)
    assert costs.count_frames(request.sampling) == made
    shallow = sum(rows * frames for rows, frames, _, is_shallow in calls if is_shallow)
    assert costs.count_shallow_frames(request.sampling) == shallow
    assert (shallow > 0) == (request.sampling.cache_interval > 1)

from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler

from flipsketch.livesketch.distillation import (
    FIRST_TIMESTEP,
    LAST_TIMESTEP,
    FirstFrameNoise,
    distillation_gradient,
    draw_noise_and_timesteps,
    pixel_gradient,
)
from flipsketch.method.guidance import Guidance
from flipsketch.method.inversion import invert_path
from flipsketch.models import video_model
from flipsketch.models.video_model import load_model

T = torch.tensor([51, 801])
SCALE = 15.0


def draw_case(model):
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 2, 4, 3, 8, 8, generator=generator, dtype=torch.float64)
    prompts, negatives = (model.encode_prompts(text) for text in (["a cat", "a dog"], ["", "ink"]))
    return latents, noise, T, Guidance(prompts, negatives, SCALE)


def with_scheduler(model, **changes):
    return replace(model, scheduler=DDIMScheduler.from_config(model.scheduler.config, **changes))


@torch.no_grad()
def test_the_gradient_is_the_published_one(tiny_model64):
    latents, noise, timesteps, guidance = draw_case(tiny_model64)
    found = distillation_gradient(tiny_model64, latents, noise, timesteps, guidance)
    for row, t in enumerate(timesteps):
        noisy = tiny_model64.scheduler.add_noise(latents[row], noise[row], t)[None]
        text, negative = (
            tiny_model64.unet(noisy, t, embeds[row : row + 1]).sample[0]
            for embeds in (guidance.prompt_embeds, guidance.negative_embeds)
        )
        predicted = negative + SCALE * (text - negative)
        expected = (1 - tiny_model64.scheduler.alphas_cumprod[t]) * (predicted - noise[row])
        # The schedule is float32.
        torch.testing.assert_close(found[row], expected, rtol=1e-6, atol=1e-6)


def test_a_network_that_predicts_velocity_has_the_same_gradient(tiny_model64):
    case = draw_case(tiny_model64)
    expected = distillation_gradient(tiny_model64, *case)
    model = with_scheduler(tiny_model64, prediction_type="v_prediction")
    alpha_bar = model.scheduler.alphas_cumprod.double()

    def to_velocity(unet, args, output):
        signal, sigma = (
            share[args[1]].sqrt().view(-1, 1, 1, 1, 1) for share in (alpha_bar, 1 - alpha_bar)
        )
        # noise = signal * velocity + sigma * noisy
        return type(output)(sample=(output.sample - sigma * args[0]) / signal)

    hook = model.unet.register_forward_hook(to_velocity)
    found = distillation_gradient(model, *case)
    hook.remove()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    # And is another where its predictions are taken for noise.
    assert (distillation_gradient(model, *case) - expected).abs().max() > 0.1


def test_a_model_that_predicts_neither_is_refused(tiny_model64):
    model = with_scheduler(tiny_model64, prediction_type="sample")
    with pytest.raises(ValueError, match="'sample'; score distillation needs"):
        distillation_gradient(model, *draw_case(model))


@pytest.mark.parametrize("frames_per_call", [1, 4, 8])
def test_the_gradient_on_pixels_is_the_same_in_chunks(tiny_model64, monkeypatch, frames_per_call):
    """A third of the sum of the latents' cubes has the latents' squares as gradient."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, 3, 3, 16, 16, generator=generator, dtype=torch.float64)
    images = pixels.transpose(1, 2).flatten(0, 1).clone().requires_grad_()
    mode = tiny_model64.vae.encode(images).latent_dist.mode()
    ((mode * tiny_model64.vae.config.scaling_factor) ** 3 / 3).sum().backward()
    monkeypatch.setattr(video_model, "VAE_CHUNK", frames_per_call * 16**2)
    found = pixel_gradient(tiny_model64, pixels, torch.square)
    expected = images.grad.unflatten(0, (2, 3)).transpose(1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert expected.abs().max() > 1e-3


@torch.no_grad()
def test_frame_0_is_noised_along_its_inversion(tiny_model64):
    latents = torch.randn(2, 4, 1, 8, 8, dtype=torch.float64)
    null_embeds = tiny_model64.encode_prompts(["", ""])
    first = FirstFrameNoise.invert(tiny_model64, latents, null_embeds, 5)
    still = latents.repeat(1, 1, 5, 1, 1)
    path = invert_path(tiny_model64.unet, tiny_model64.scheduler, still, null_embeds, 5)
    # Timesteps 801, 601, 401, 201, 1.
    for row, (step, t) in enumerate([(0, 801), (3, 201)]):
        noise = first.at(torch.tensor([t, t]))[row]
        noised = tiny_model64.scheduler.add_noise(latents[row], noise, torch.tensor(t))
        torch.testing.assert_close(noised, path[step][row], rtol=1e-5, atol=1e-5)
    # Between them, and beyond the last.
    low, middle, high, beyond = (first.at(torch.tensor([t, 1])) for t in (201, 301, 401, 949))
    torch.testing.assert_close(middle[0], (low[0] + high[0]) / 2)
    assert torch.equal(beyond[0], first.at(torch.tensor([801, 1]))[0])
    assert torch.equal(low[1], beyond[1])
    # An inversion that ends earlier is the same until there.
    shorter = FirstFrameNoise.invert(tiny_model64, latents, null_embeds, 5, last_timestep=300)
    assert shorter.timesteps.tolist() == [1, 201, 401]
    assert torch.equal(shorter.at(torch.tensor([300, 51])), first.at(torch.tensor([300, 51])))


def test_noise_and_timesteps_are_each_rows_own():
    def draw(*seeds):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return [draw_noise_and_timesteps(generators, torch.Size((len(seeds), 2, 3))) for _ in "123"]

    both, alone = draw(1, 2), draw(2)
    for (noise, t), (own, own_t) in zip(both, alone, strict=True):
        assert torch.equal(noise[1:], own) and torch.equal(t[1:], own_t)
        assert not torch.equal(noise[0], noise[1])
        assert ((t >= FIRST_TIMESTEP) & (t <= LAST_TIMESTEP)).all()
    assert not torch.equal(both[0][0], both[1][0])


def test_a_bfloat16_network_has_a_float32_gradient(tiny_folder):
    model = load_model(tiny_folder, dtype=torch.bfloat16)
    latents, noise, timesteps, guidance = draw_case(model)
    gradient = distillation_gradient(model, latents.float(), noise.float(), timesteps, guidance)
    assert gradient.dtype == torch.float32 and gradient.isfinite().all()
    pixels = torch.rand(2, 3, 3, 16, 16)
    assert pixel_gradient(model, pixels, torch.ones_like).dtype == torch.float32

"""Claims on the solver, for latents whose ODE has a known solution, and on the embedded model."""

import math

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import INVERSION_FRAMES
from flipsketch.method.solver import Solver
from flipsketch.models.video_model import load_model, predict_noise

SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
# Of normally distributed latents; a model's are about as wide.
SPREAD = 0.5


def make_scheduler(prediction: str = "epsilon") -> DDIMScheduler:
    return DDIMScheduler(**SCHEDULE, prediction_type=prediction)


def predict(scheduler: DDIMScheduler, latents, t):
    """The best prediction for latents that are normally distributed, SPREAD wide."""
    alpha_bar = scheduler.alphas_cumprod[t].item()
    alpha, sigma = math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
    clean = alpha * SPREAD**2 / (alpha_bar * SPREAD**2 + sigma**2) * latents
    noise = (latents - alpha * clean) / sigma
    if scheduler.config.prediction_type == "v_prediction":
        return alpha * noise - sigma * clean
    return noise


def width(scheduler: DDIMScheduler, t: int) -> float:
    """How wide such latents are at a timestep; the ODE takes one width to the other."""
    alpha_bar = scheduler.alphas_cumprod[t].item()
    return math.sqrt(alpha_bar * SPREAD**2 + 1 - alpha_bar)


def run(scheduler: DDIMScheduler, name: str, steps: int, latents, *, inverse: bool = False):
    solver = Solver(scheduler, name, steps, inverse=inverse)
    for t in solver.timesteps:
        latents = solver.step(predict(scheduler, latents, t), t, latents)
    return latents


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 3, 8, 8, generator=generator, dtype=torch.float64)


def find_error(scheduler: DDIMScheduler, name: str, steps: int, latents, *, inverse: bool = False):
    """How far the solver comes out from where the ODE leads."""
    first = width(scheduler, Solver(scheduler, name, steps).timesteps[0])
    exact = first / width(scheduler, 0) if inverse else width(scheduler, 0) / first
    found = run(scheduler, name, steps, latents, inverse=inverse)
    assert found.dtype == torch.float64
    return (found / latents - exact).abs().max() / exact


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_multistep_solver_comes_nearer_to_the_ode_than_ddim(latents, prediction):
    scheduler = make_scheduler(prediction)
    for steps in (12, 100):
        multistep = find_error(scheduler, "dpmpp_2m", steps, latents)
        assert multistep < 0.8 * find_error(scheduler, "ddim", steps, latents)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("inverse", [False, True])
def test_the_multistep_solver_is_of_second_order(latents, prediction, inverse):
    scheduler = make_scheduler(prediction)
    # Even timesteps are uneven in the solver's own time, so steps are many before this shows.
    few, many = (
        find_error(scheduler, "dpmpp_2m", steps, latents, inverse=inverse) for steps in (200, 400)
    )
    assert many < few / 2.7


@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m"])
def test_inversion_ends_at_the_noise_at_which_sampling_begins(name):
    scheduler = make_scheduler()
    solver, inverse = (Solver(scheduler, name, 8, inverse=inverse) for inverse in (False, True))
    assert solver.timesteps.device.type == "cpu"
    if name == "ddim":
        assert solver.timesteps.tolist() == inverse.timesteps.flip(0).tolist()
    else:
        levels = solver.scheduler.sigmas
        assert torch.equal(levels, inverse.scheduler.sigmas.flip(0))
        noise = (1 - scheduler.alphas_cumprod).sqrt() / scheduler.alphas_cumprod.sqrt()
        torch.testing.assert_close(levels[:-1], noise[solver.timesteps])
        torch.testing.assert_close(levels[-1], noise[0])


@pytest.mark.parametrize("steps", [8, 20])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_step_is_that_of_the_sampler_of_diffusers(latents, steps, prediction):
    scheduler = make_scheduler(prediction)
    theirs = DPMSolverMultistepScheduler.from_config(
        scheduler.config,
        timestep_spacing="linspace",
        final_sigmas_type="sigma_min",
        euler_at_final=True,
    )
    theirs.set_timesteps(steps)
    ours, expected, found = Solver(scheduler, "dpmpp_2m", steps), latents, latents
    assert torch.equal(ours.timesteps, theirs.timesteps)
    for t in ours.timesteps:
        expected = theirs.step(predict(scheduler, expected, t), t, expected).prev_sample
        found = ours.step(predict(scheduler, found, t), t, found)
    # Theirs rounds to float32.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_stream_may_lose_frames_on_the_way(latents):
    scheduler = make_scheduler()
    whole, part = (Solver(scheduler, "dpmpp_2m", 8) for _ in range(2))
    losing, alone = latents, latents[:, :, :1]
    for i, t in enumerate(whole.timesteps):
        losing = losing[:, :, : max(1, 3 - i)]
        losing = whole.step(predict(scheduler, losing, t), t, losing)
        alone = part.step(predict(scheduler, alone, t), t, alone)
    assert losing.shape[2] == 1
    torch.testing.assert_close(losing, alone, rtol=0, atol=1e-14)


def test_a_frame_that_was_replaced_has_no_history(latents):
    scheduler = make_scheduler()
    solver, other = (Solver(scheduler, "dpmpp_2m", 20) for _ in range(2))
    before, t, following = *solver.timesteps[:2], solver.timesteps[2]
    stepped = solver.step(predict(scheduler, latents, before), before, latents)
    other.step(predict(scheduler, latents, before), before, latents)
    replaced = torch.cat([latents[:, :, 1:2], stepped[:, :, 1:]], dim=2)
    noise_pred = predict(scheduler, replaced, t)
    found = solver.step(noise_pred, t, replaced, is_replaced=True)
    expected = other.step(noise_pred, t, replaced)
    assert torch.equal(found[:, :, 1:], expected[:, :, 1:])
    # A step of first order is DDIM's.
    here, there = (scheduler.alphas_cumprod[step].double() for step in (t, following))
    clean = (replaced - (1 - here).sqrt() * noise_pred) / here.sqrt()
    first_order = there.sqrt() * clean + (1 - there).sqrt() * noise_pred
    torch.testing.assert_close(found[:, :, :1], first_order[:, :, :1], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(expected[:, :, :1], first_order[:, :, :1], atol=1e-3)


@torch.no_grad()
def test_a_still_clip_comes_back_nearer_than_by_ddim_of_as_many_steps():
    model = load_model("doodle")
    sketch = load_sketch("data/sketches/boat.svg", model.size, darken=True)
    pixels = torch.from_numpy(sketch).permute(2, 0, 1)[None, :, None] / 127.5 - 1
    still = model.encode(pixels).repeat(1, 1, INVERSION_FRAMES, 1, 1)
    embeds, distances = model.encode_prompts([""]), {}
    for name in ("ddim", "dpmpp_2m"):
        latents = still
        for inverse in (True, False):
            solver = Solver(model.scheduler, name, 10, inverse=inverse)
            for t in solver.timesteps:
                noise_pred = predict_noise(model.unet, latents, t, embeds)
                latents = solver.step(noise_pred, t, latents)
        distances[name] = (latents - still).square().mean().sqrt()
    assert distances["dpmpp_2m"] < 0.75 * distances["ddim"]

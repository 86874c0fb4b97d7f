"""Samples that begin as the sampler does: on the path of their inversion, or as its reference."""

import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from flipsketch.method.inversion import invert
from flipsketch.method.sampler import leave_sketch
from flipsketch.models.video_model import load_model
from flipsketch.rng import Stream
from flipsketch.training.first_frames import (
    copy_first_frames,
    draw_rows,
    invert_first_frames,
    leave_first_frames,
    make_inverse,
    to_first_timesteps,
)
from flipsketch.training.objective import TrainingBatch


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder, dtype=torch.float64)


def make_batch(model, num_rows: int) -> TrainingBatch:
    draw = torch.Generator().manual_seed(0)
    shape = (num_rows, 4, 3, *(2 * (model.unet.config.sample_size,)))
    latents, noise = (torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2))
    timesteps = torch.linspace(3, 999, num_rows).long()
    return TrainingBatch(latents, model.encode_prompts(["a cat"] * num_rows), noise, timesteps)


def predict(model):
    return lambda noisy, t, prompts: model.unet(noisy, t, prompts).sample


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_an_inverted_first_frame_lies_on_its_path_and_its_target_finds_the_clean_one(
    model, prediction_type
):
    scheduler = DDIMScheduler.from_config(model.scheduler.config, prediction_type=prediction_type)
    batch, null = make_batch(model, 6), model.encode_prompts([""])
    chosen = torch.tensor([True, False, True, False, False, True])
    inverse = make_inverse(scheduler, 8, 100, batch.latents.device)
    inverted = invert_first_frames(batch, chosen, predict(model), scheduler, inverse, null)
    # The path of the last row, which ends where the inversion of the library does.
    assert inverted.timesteps.tolist()[::5] == [100, 975]
    ends = DDIMScheduler.from_config(scheduler.config, steps_offset=100)
    (end,) = invert(model.unet, ends, batch.latents[5:, :, :1], null, 8)
    noisy = scheduler.add_noise(batch.latents, inverted.noise, inverted.timesteps)
    torch.testing.assert_close(noisy[5, :, :1], end, rtol=1e-6, atol=1e-6)
    for row in (0, 2, 5):
        t = inverted.timesteps[row]
        assert t == max(t for t in range(100, 1000, 125) if t <= max(100, batch.timesteps[row]))
        step = DDIMInverseScheduler.from_config(scheduler.config)
        target = (
            inverted.noise[row]
            if prediction_type == "epsilon"
            else scheduler.get_velocity(batch.latents[row], inverted.noise[row], t)
        )
        alpha = float(step.alphas_cumprod[t])
        found = (
            (noisy[row] - (1 - alpha) ** 0.5 * target) / alpha**0.5
            if prediction_type == "epsilon"
            else alpha**0.5 * noisy[row] - (1 - alpha) ** 0.5 * target
        )
        torch.testing.assert_close(found, batch.latents[row], rtol=1e-4, atol=1e-4)
    # All else is as it was.
    assert torch.equal(inverted.noise[:, :, 1:], batch.noise[:, :, 1:])
    for row in (1, 3, 4):
        assert torch.equal(inverted.noise[row], batch.noise[row])
        assert inverted.timesteps[row] == batch.timesteps[row]


def test_a_row_is_inverted_alike_in_every_batch(model):
    batch, null = make_batch(model, 4), model.encode_prompts([""])
    inverse = make_inverse(model.scheduler, 8, 7, batch.latents.device)
    together = invert_first_frames(
        batch,
        torch.tensor([False, True, False, True]),
        predict(model),
        model.scheduler,
        inverse,
        null,
    )
    alone = TrainingBatch(*(values[1:2] for values in vars(batch).values()))
    alone = invert_first_frames(
        alone, torch.tensor([True]), predict(model), model.scheduler, inverse, null
    )
    torch.testing.assert_close(alone.noise, together.noise[1:2], rtol=1e-9, atol=1e-9)


def test_a_copied_first_frame_is_the_whole_clip_and_has_no_prompt(model):
    batch, null = make_batch(model, 3), model.encode_prompts([""])
    copied = copy_first_frames(batch, torch.tensor([False, True, False]), null)
    for name in ("latents", "noise"):
        now, before = getattr(copied, name), getattr(batch, name)
        for frame in range(3):
            assert torch.equal(now[1, :, frame], before[1, :, 0])
        assert torch.equal(now[::2], before[::2])
    assert torch.equal(copied.prompts[1], null[0])
    assert torch.equal(copied.prompts[::2], batch.prompts[::2])


def test_the_sketch_is_left_in_the_noise_as_the_sampler_leaves_it(model):
    batch, scheduler = make_batch(model, 4), model.scheduler
    begun = torch.tensor([True, False, True, False])
    early = to_first_timesteps(batch, begun, scheduler)
    assert early.timesteps[::2].ge(900).all() and early.timesteps.lt(1000).all()
    assert torch.equal(early.timesteps[1::2], batch.timesteps[1::2])
    shares = torch.tensor([0.0, 1.0, 1.5, 1.0], dtype=torch.float64)
    # The last one is at a timestep of which the sampler begins, but is not chosen.
    left = leave_first_frames(early, begun, shares, scheduler)
    noisy = scheduler.add_noise(left.latents, left.noise, left.timesteps)
    for row in (0, 2):
        t = early.timesteps[row]
        scheduler.timesteps = t[None]
        alpha = scheduler.alphas_cumprod[t].double()
        sampled = leave_sketch(
            (1 - alpha).sqrt() * batch.noise[row : row + 1],
            batch.latents[row : row + 1, :, :1],
            scheduler,
            shares[row : row + 1],
        )
        torch.testing.assert_close(noisy[row, :, 1:], sampled[0, :, 1:], rtol=1e-6, atol=1e-6)
    assert torch.equal(left.noise[:, :, 0], batch.noise[:, :, 0])
    assert torch.equal(left.noise[1::2], batch.noise[1::2])
    # At any other timestep a clip tells of itself.
    late = TrainingBatch(batch.latents, batch.prompts, batch.noise, torch.full((4,), 500))
    assert torch.equal(leave_first_frames(late, begun, shares, scheduler).noise, batch.noise)


def test_rows_are_chosen_by_their_positions():
    positions = list(range(2000))
    chosen = draw_rows(positions, 0.3, 0, Stream.INVERTED_FIRST_FRAME)
    assert abs(chosen.float().mean() - 0.3) < 0.03
    assert torch.equal(draw_rows(positions[::2], 0.3, 0, Stream.INVERTED_FIRST_FRAME), chosen[::2])
    assert not draw_rows(positions, 0.0, 0, Stream.INVERTED_FIRST_FRAME).any()
    assert 0 < (chosen & draw_rows(positions, 0.3, 0, Stream.REFERENCE_ROW)).sum() < chosen.sum()

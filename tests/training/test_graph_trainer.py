"""Training on one device: what is drawn there is what the other trainer draws, and it learns."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from flipsketch.method.inversion import invert
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.first_frames import NUM_INVERSION_STEPS
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.objective import make_optimizer, prepare

CONFIG = TrainingConfig(
    train="full",
    num_steps=4,
    global_batch_size=4,
    batch_size=4,
    num_frames=3,
    learning_rate=1e-3,
    warmup_steps=2,
    schedule="cosine",
)
PROMPTS = ["a cat jumps", "a bird flies", "a ball is falling", "a kite sways", "a mug shakes"]


def make_clips(side: int) -> Clips:
    """Clips of which what lies after their ends is not a number."""
    lengths = torch.tensor([3, 4, 5, 3, 5])
    latents = torch.randn(5, 5, 4, side, side, generator=torch.Generator().manual_seed(0))
    for clip, length in enumerate(lengths):
        latents[clip, length:] = torch.nan
    return Clips(latents, lengths, PROMPTS)


def make_trainer(folder, num_inverted: int = 2, **changes) -> GraphTrainer:
    torch.set_num_threads(1)
    model = load_model(folder)
    clips = make_clips(model.unet.config.sample_size)
    config = TrainingConfig(**{**vars(CONFIG), **changes})
    return GraphTrainer(model, clips, config, num_inverted=num_inverted)


def test_a_step_is_that_of_plain_training_on_the_same_batch(tiny_folder):
    trainer = make_trainer(tiny_folder)
    model = load_model(tiny_folder)
    parameters = prepare(model, trainer.config)
    optimizer, rate = make_optimizer(parameters, trainer.config)
    for number in range(2):
        state = torch.get_rng_state()
        if number == 0:
            # As its first step does.
            torch.manual_seed(0)
        batch = trainer.draw_batch()
        torch.set_rng_state(state)
        report = trainer.step()
        prediction = model.unet(
            model.scheduler.add_noise(batch.latents, batch.noise, batch.timesteps),
            batch.timesteps,
            batch.prompts,
        ).sample
        loss = (prediction - batch.noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, trainer.config.max_grad_norm)
        optimizer.step()
        assert report.loss == pytest.approx(loss.item(), rel=1e-4)
        assert report.grad_norm == pytest.approx(norm.item(), rel=1e-3)
        assert report.learning_rate == pytest.approx(rate.get_last_lr()[0])
        assert sum(report.quartile_counts) == 4 and report.step == number + 1
        rate.step()
    for own, plain in zip(trainer.parameters, parameters, strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-3, atol=1e-4)


def test_inverted_first_frames_lie_on_the_path_of_the_inversion(tiny_folder):
    trainer = make_trainer(tiny_folder, inverted_first_frame=1.0, prompt_dropout=0.0)
    trainer.step()
    # With the weights that are there now.
    trainer.invert()
    model, scheduler = trainer.model, trainer.model.scheduler
    for number, num_steps in enumerate(NUM_INVERSION_STEPS):
        row = 2 * number + 1
        offset = int(trainer.pool.times[row, 0])
        assert trainer.pool.times[row].tolist() == [
            offset + 1000 // num_steps * step if step < num_steps else 1000
            for step in range(max(NUM_INVERSION_STEPS))
        ]
        clean = trainer.latents[trainer.pool.clips[row], trainer.pool.starts[row]][None, :, None]
        ends = DDIMScheduler.from_config(scheduler.config, steps_offset=offset)
        end = invert(model.unet, ends, clean, model.encode_prompts([""]), num_steps)[0, :, 0]
        torch.testing.assert_close(
            trainer.pool.paths[row, num_steps - 1].float(), end, rtol=2e-3, atol=2e-3
        )
    batch = trainer.draw_batch()
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
    for row, t in enumerate(batch.timesteps):
        places = (trainer.pool.times == t).nonzero()
        nearest = min(
            (trainer.pool.paths[place[0], place[1]].float() - noisy[row, :, 0]).abs().max().item()
            for place in places
        )
        assert nearest < 1e-3


def test_windows_lie_within_their_clips_and_keep_their_prompts(tiny_folder):
    trainer = make_trainer(tiny_folder, prompt_dropout=0.0, num_frames=2)
    embeds = trainer.model.encode_prompts(PROMPTS)
    seen = set()
    for _ in range(50):
        batch = trainer.draw_batch()
        assert batch.latents.isfinite().all()
        for clip, prompt in zip(batch.latents, batch.prompts, strict=True):
            (number,) = [n for n in range(5) if torch.equal(embeds[n], prompt)]
            (start,) = [
                first
                for first in range(4)
                if torch.equal(trainer.latents[number, first], clip[:, 0])
            ]
            assert torch.equal(trainer.latents[number, start + 1], clip[:, 1])
            seen.add((number, start))
    lengths = make_clips(1).lengths.tolist()
    assert seen == {(n, start) for n, length in enumerate(lengths) for start in range(length - 1)}


def test_it_learns_all_that_the_sampler_begins_with(tiny_folder):
    trainer = make_trainer(
        tiny_folder,
        train="lora",
        target_set="all",
        num_steps=12,
        learning_rate=1e-2,
        schedule="constant",
        inverted_first_frame=0.5,
        signal_leak_prob=0.3,
        reference_share=0.2,
    )
    losses = [report.loss for report in trainer.steps()]
    assert len(losses) == 12 and np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_weights_that_are_not_trained_are_there_once(tiny_folder):
    model = load_model(tiny_folder, dtype=torch.bfloat16)
    clips = make_clips(model.unet.config.sample_size)
    trainer = GraphTrainer(model, clips, TrainingConfig(**{**vars(CONFIG), "train": "lora"}))
    own, casts = dict(model.unet.named_parameters()), dict(trainer.unet.named_parameters())
    assert own.keys() == casts.keys()
    for name, weight in own.items():
        is_shared = weight.data_ptr() == casts[name].data_ptr()
        assert is_shared == (".lora_" not in name) == (weight.dtype == torch.bfloat16)
    assert {weight.dtype for weight in casts.values()} == {torch.bfloat16}
    with checkpoint_gradients(trainer.unet):
        assert trainer.step().grad_norm > 0
    for name, weight in own.items():
        assert torch.equal(weight.to(torch.bfloat16), casts[name])


def test_runs_resumed_from_one_state_are_the_same(tiny_folder, tmp_path):
    changes = {"num_inverted": 1, "inverted_first_frame": 0.5, "num_steps": 2}
    first = make_trainer(tiny_folder, **changes)
    first.step()
    torch.save(first.state(), tmp_path / "state.pt")
    ends = []
    for _ in range(2):
        trainer = make_trainer(tiny_folder, **changes)
        trainer.restore(torch.load(tmp_path / "state.pt", weights_only=True))
        assert [report.step for report in trainer.steps()] == [2]
        assert trainer.optimizer.param_groups[0]["lr"] is trainer.rate
        ends.append([*trainer.parameters, *trainer.means])
    for one, other in zip(*ends, strict=True):
        assert torch.equal(one, other)


def test_parts_of_a_batch_and_float16_are_refused(tiny_folder):
    with pytest.raises(ValueError, match="set batch_size to the global one, 4, got 2"):
        make_trainer(tiny_folder, batch_size=2)
    model = load_model(tiny_folder, dtype=torch.float16)
    with pytest.raises(ValueError, match="float16"):
        GraphTrainer(model, make_clips(model.unet.config.sample_size), CONFIG)

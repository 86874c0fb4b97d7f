"""Training learns, and is one and the same however it is shared out, interrupted or cached."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from flipsketch.models.lora import lora_parameters
from flipsketch.models.registry import fingerprint_folder
from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.device_latents import DeviceLatents
from flipsketch.training.latent_cache import LatentClips, check_size
from flipsketch.training.objective import draw_noise_and_timesteps, rate_factor
from flipsketch.training.trainer import Trainer
from tests.helpers.animations import write_training_shards

NUM_FRAMES = 3
CONFIG = TrainingConfig(
    num_steps=4, global_batch_size=4, batch_size=2, num_frames=NUM_FRAMES, learning_rate=1e-3
)

# A second step shows that the first one changed the weights alike.
TWO_STEPS = TrainingConfig(**{**vars(CONFIG), "num_steps": 2})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> str:
    return write_training_shards(tmp_path_factory.mktemp("training"), 9, 5)


def read(corpus: str, seed: int = 0) -> TrainingClips:
    return TrainingClips(corpus, ReaderConfig(num_frames=NUM_FRAMES, seed=seed))


def make_trainer(model_folder, corpus: str, config: TrainingConfig = CONFIG, **rank) -> Trainer:
    torch.set_num_threads(1)
    return Trainer(load_model(model_folder), read(corpus, config.seed), config, **rank)


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainer.parameters]


def test_the_loss_falls_and_only_the_adapter_moves(tiny_folder, corpus):
    config = TrainingConfig(
        **{
            **vars(CONFIG),
            **{"num_steps": 12, "batch_size": 4, "learning_rate": 1e-2, "target_set": "linear"},
        }
    )
    trainer = make_trainer(tiny_folder, corpus, config)
    frozen = {
        name: parameter.clone()
        for name, parameter in trainer.model.unet.named_parameters()
        if ".lora_" not in name
    }
    losses = [progress.loss for progress in trainer.steps()]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])
    for name, parameter in trainer.model.unet.named_parameters():
        assert ".lora_" in name or torch.equal(parameter, frozen[name])


@pytest.mark.parametrize("dtype, train", [(torch.bfloat16, "lora"), (torch.float16, "full")])
def test_half_precision_learns_about_the_same_in_weights_of_float32(
    tiny_folder, corpus, dtype, train
):
    config = TrainingConfig(**{**vars(CONFIG), "train": train, "num_steps": 2, "batch_size": 4})
    torch.set_num_threads(1)
    half = Trainer(load_model(tiny_folder, dtype=dtype), read(corpus), config)
    mixed = Trainer(load_model(tiny_folder), read(corpus), config, dtype=dtype)
    whole = make_trainer(tiny_folder, corpus, config)
    steps = list(whole.steps())
    for trainer in (half, mixed):
        assert trainer.scaler.is_enabled() == (dtype == torch.float16)
        for one, other in zip(trainer.steps(), steps, strict=True):
            assert one.loss != other.loss and one.loss == pytest.approx(other.loss, rel=0.02)
            assert one.grad_norm == pytest.approx(other.grad_norm, rel=0.1)
        assert {parameter.dtype for parameter in trainer.parameters} == {torch.float32}
    assert {parameter.dtype for parameter in mixed.model.unet.parameters()} == {torch.float32}


def test_steps_on_gradients_that_overflow_are_skipped(tiny_folder, corpus):
    config = TrainingConfig(**{**vars(CONFIG), "global_batch_size": 1, "batch_size": 1})
    half = Trainer(load_model(tiny_folder, dtype=torch.float16), read(corpus), config)
    half.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = weights(half)
    assert not np.isfinite(half.step().grad_norm)
    assert all(torch.equal(*pair) for pair in zip(before, weights(half), strict=True))
    assert half.scaler.get_scale() == 2.0**39


def test_a_run_resumed_from_a_saved_state_is_the_same_to_the_last_bit(
    tiny_folder, corpus, tmp_path
):
    # Of all weights there are averages too, and with a schedule each step has its own rate.
    config = TrainingConfig(
        **{**vars(CONFIG), "train": "full", "schedule": "cosine", "num_steps": 3, "batch_size": 4}
    )
    whole = make_trainer(tiny_folder, corpus, config)
    list(whole.steps())
    first = make_trainer(tiny_folder, corpus, config)
    first.step()
    torch.save(first.state(), tmp_path / "state.pt")
    second = make_trainer(tiny_folder, corpus, config)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [progress.step for progress in second.steps()] == [2, 3]
    for one, other in zip(weights(whole), weights(second), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(whole.means, second.means, strict=True):
        assert torch.equal(one, other)


def test_two_processes_learn_what_one_does(tiny_folder, corpus, tmp_path):
    alone = make_trainer(tiny_folder, corpus, TWO_STEPS)
    losses = [progress.loss for progress in alone.steps()]
    arguments = (str(tiny_folder), corpus, str(tmp_path))
    # This process is the second rank, as a new one takes longer to import than to train.
    first_rank = multiprocessing.spawn(train_rank, arguments, nprocs=1, join=False)
    train_rank(1, *arguments)
    first_rank.join()
    shared = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for each in shared:
        np.testing.assert_allclose(each["losses"], [losses, losses], atol=1e-5)
    # The gradients of graphs are reduced in another way, but by two to the same mean.
    for one, *others in zip(
        weights(alone), *(learnt for each in shared for learnt in each["weights"]), strict=True
    ):
        assert all(torch.equal(others[0], other) for other in others)
        torch.testing.assert_close(one, others[0], rtol=1e-4, atol=1e-5)


def train_rank(rank: int, model_folder: str, corpus: str, folder: str) -> None:
    store = dist.FileStore(str(Path(folder) / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    config = TrainingConfig(**{**vars(TWO_STEPS), "batch_size": 1})
    trainers = [
        make_trainer(model_folder, corpus, replace(config, graphs=graphs), rank=rank, num_ranks=2)
        for graphs in (False, True)
    ]
    losses = [[progress.loss for progress in trainer.steps()] for trainer in trainers]
    torch.save(
        {"losses": losses, "weights": [weights(trainer) for trainer in trainers]},
        Path(folder) / f"{rank}.pt",
    )
    dist.destroy_process_group()


def test_the_batch_size_does_not_change_what_is_learnt(tiny_folder, corpus):
    names = ("inverted_first_frame", "reference_share", "signal_leak_prob")
    shared = {**vars(TWO_STEPS), **dict.fromkeys(names, 0.5)}
    one, two = (
        make_trainer(tiny_folder, corpus, TrainingConfig(**{**shared, "batch_size": size}))
        for size in (1, 4)
    )
    list(one.steps())
    list(two.steps())
    for first, second in zip(weights(one), weights(two), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def test_cached_latents_give_the_same_batches(tiny_folder, corpus):
    model = load_model(tiny_folder)
    clips = read(corpus)
    cached = LatentClips(clips, fingerprint_folder(tiny_folder, ("vae",)), model.size)
    assert cached.missing() == [0, 1, 2]
    for shard in cached.missing():
        cached.encode_shard(model, shard)
    assert cached.missing() == []
    plain = Trainer(model, clips, CONFIG)
    fast = Trainer(load_model(tiny_folder), cached, CONFIG)
    kept = Trainer(load_model(tiny_folder), DeviceLatents(cached, model.device), CONFIG)
    for first in range(0, 24, 2):
        one, other, third = (
            trainer.prepare_batch(trainer.batches.read([first, first + 1]))
            for trainer in (plain, fast, kept)
        )
        for name, value in vars(other).items():
            assert torch.equal(value, getattr(third, name))
        torch.testing.assert_close(one.latents, other.latents, rtol=1e-5, atol=1e-5)
        assert torch.equal(one.noise, other.noise)
        assert torch.equal(one.timesteps, other.timesteps)
        assert torch.equal(one.prompts, other.prompts)


def test_latents_of_another_tar_are_missing(tiny_folder, corpus):
    model = load_model(tiny_folder)
    cached = LatentClips(read(corpus), "0" * 64, model.size)
    cached.encode_shard(model, 1)
    assert cached.missing() == [0, 2]
    path = Path(cached.path(1))
    path.write_bytes(
        path.read_bytes().replace(cached.clips.shards[1].tar_sha256.encode(), b"0" * 64)
    )
    assert cached.missing() == [0, 1, 2]


def test_clips_of_another_size_are_refused(corpus):
    with pytest.raises(ValueError, match="16 x 16 pixels, but the model is trained on 32 x 32"):
        check_size(read(corpus), 32)


def test_the_text_encoder_learns_too_if_told(tiny_folder, corpus):
    config = TrainingConfig(**{**vars(CONFIG), "train_text_encoder": True, "batch_size": 4})
    trainer = make_trainer(tiny_folder, corpus, config)
    before = [p.clone() for p in lora_parameters(trainer.model.text_encoder)]
    trainer.step()
    # What is multiplied with zeros at first has no gradient before the second step.
    after = lora_parameters(trainer.model.text_encoder)
    assert before and not all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_noise_depends_on_the_position_alone():
    together, steps = draw_noise_and_timesteps([3, 8], (4, 2), 1000, seed=0)
    alone, step = draw_noise_and_timesteps([8], (4, 2), 1000, seed=0)
    assert torch.equal(together[1:], alone) and steps[1] == step[0]
    assert not torch.equal(draw_noise_and_timesteps([8], (4, 2), 1000, seed=1)[0], alone)
    many, drawn = draw_noise_and_timesteps(list(range(2000)), (8,), 1000, seed=0)
    assert abs(float(many.mean())) < 0.03 and abs(float(many.std()) - 1) < 0.03
    assert drawn.min() < 10 and drawn.max() > 989 and abs(float(drawn.float().mean()) - 500) < 20


def test_the_rate_warms_up_and_falls():
    config = TrainingConfig(num_steps=100, warmup_steps=10, schedule="cosine")
    rates = [rate_factor(step, config) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == rates[10] == 1.0
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False)) and rates[-1] < 1e-3
    constant = TrainingConfig(num_steps=100)
    assert {rate_factor(step, constant) for step in range(100)} == {1.0}


def test_a_batch_that_cannot_be_shared_out_is_refused(tiny_folder, corpus):
    with pytest.raises(ValueError, match="a global batch of 4 cannot be divided among 3 workers"):
        make_trainer(tiny_folder, corpus, rank=0, num_ranks=3)

"""Learning in slices is learning in one go."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from PIL import Image
from torch import nn

from flipsketch.storage.folder import open_folder
from flipsketch.training.resumable import SimpleLearner, learn


def make_learner() -> SimpleLearner:
    torch.manual_seed(0)
    layer = nn.Linear(4, 1)

    def loss(step: int) -> torch.Tensor:
        random = torch.Generator().manual_seed(step)
        inputs = torch.randn(8, 4, generator=random)
        return (layer(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()

    return SimpleLearner([layer], loss, num_steps=300, learning_rate=0.1, warmup_steps=10)


def draw() -> Image.Image:
    return Image.new("L", (1, 1))


def test_learning_in_slices_is_learning_in_one_go(tmp_path):
    whole = make_learner()
    folder = open_folder(str(tmp_path / "whole"))
    losses = learn(folder, whole, 300, deadline=time.monotonic() + 60, draw=draw)
    assert len(losses) == 300 and np.mean(losses[-10:]) < 0.01 * np.mean(losses[:10])

    folder = open_folder(str(tmp_path / "slices"))
    num_slices, sliced = 0, []
    while len(sliced) < 300:
        learner = make_learner()
        sliced = learn(folder, learner, 300, deadline=time.monotonic() + 0.05, draw=draw)
        num_slices += 1
        assert num_slices < 300
    assert num_slices > 1
    np.testing.assert_array_equal(sliced, np.float32(losses))
    for one, other in zip(whole.parameters, learner.parameters, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(whole.ema.means, learner.ema.means, strict=True):
        assert torch.equal(one, other)


def test_what_is_done_has_its_picture_whenever_it_was_ended(tmp_path):
    folder = open_folder(str(tmp_path))

    def end() -> Image.Image:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=end)
    assert len(learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=draw)) == 300
    assert folder.list("samples") == ["step-000300.png"]


def test_fewer_steps_than_are_done_are_refused(tmp_path):
    folder = open_folder(str(tmp_path))
    learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=draw)
    with pytest.raises(ValueError, match="300 steps already, more than the requested 200"):
        learn(folder, make_learner(), 200, deadline=time.monotonic() + 60, draw=draw)


def learn_a_step(rank: int, address: str, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", address, rank=rank, world_size=2)
    learner = make_learner()
    loss_of = learner.loss
    learner.loss = lambda step: loss_of(2 * step + rank)
    learner.step()
    torch.save([p.data for p in learner.parameters], out / f"{rank}.pt")
    dist.destroy_process_group()


def test_processes_that_learn_together_take_the_mean_of_their_gradients(tmp_path):
    address = f"file://{tmp_path}/point"
    first_rank = multiprocessing.spawn(learn_a_step, (address, tmp_path), 1, join=False)
    learn_a_step(1, address, tmp_path)
    first_rank.join()
    alone = make_learner()
    loss_of = alone.loss
    alone.loss = lambda step: (loss_of(2 * step) + loss_of(2 * step + 1)) / 2
    alone.step()
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(together, [p.data for p in alone.parameters])

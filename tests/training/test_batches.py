"""Batches are read ahead in their order, by threads that end with the run."""

import threading

import pytest
import torch

from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.trainer import Trainer
from tests.helpers.training import MadeLatents

CONFIG = TrainingConfig(
    num_steps=3, global_batch_size=4, batch_size=4, num_frames=3, learning_rate=1e-2
)


def make_trainer(folder, read_ahead: int = 1, **damage) -> Trainer:
    torch.set_num_threads(1)
    model = load_model(folder)
    samples = MadeLatents(model.unet.config.sample_size, **damage)
    samples.read_ahead = read_ahead
    return Trainer(model, samples, CONFIG)


@pytest.fixture
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
        assert not thread.is_alive(), f"{thread} reads on"


def test_reading_ahead_changes_no_bit_of_the_weights(tiny_folder, no_thread_is_left):
    ends = []
    for ahead in (0, 1, 5):
        trainer = make_trainer(tiny_folder, ahead)
        if not ahead:
            batches = trainer.batches
            trainer.upcoming = (batches.read(each) for each in batches.positions_from(0))
        if ahead == 5:
            # Resumed after a step, with batches read ahead that must be dropped.
            trainer.step()
            trainer.restore(trainer.state())
        list(trainer.steps())
        ends.append(trainer.parameters)
    for one, *others in zip(*ends, strict=True):
        assert all(torch.equal(one, other) for other in others)


def test_an_error_in_reading_comes_through(tiny_folder, no_thread_is_left):
    trainer, seen = make_trainer(tiny_folder, unreadable=6), []
    with pytest.raises(ValueError, match="clip 6 is damaged"):
        seen.extend(report.step for report in trainer.steps(lambda step: step == 1))
    assert seen == [1]


def test_a_run_that_stops_leaves_no_threads(tiny_folder, no_thread_is_left):
    steps = make_trainer(tiny_folder).steps()
    next(steps)
    steps.close()

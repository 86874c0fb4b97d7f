"""A pass on tensors that never move computes what a free one does, whatever happens in between."""

import copy
from dataclasses import replace

import pytest
import torch

from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import FAST, PLAIN, Kernels
from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.recorded_pass import NUM_EAGER_PASSES
from flipsketch.training.trainer import Trainer
from tests.helpers.recorder import OperationRecorder
from tests.helpers.training import MadeLatents

CONFIG = TrainingConfig(
    num_steps=2,
    global_batch_size=4,
    batch_size=2,
    num_frames=3,
    learning_rate=1e-2,
    target_set="all",
    schedule="cosine",
    reference_share=0.3,
)


def make_trainer(folder, config: TrainingConfig, kernels: Kernels = PLAIN) -> Trainer:
    torch.set_num_threads(1)
    model = load_model(folder, kernels=kernels)
    return Trainer(model, MadeLatents(model.unet.config.sample_size), config)


@pytest.mark.parametrize("train", ["lora", "full"])
def test_a_recorded_pass_gives_the_weights_of_a_free_one(tiny_folder, train):
    config = replace(CONFIG, train=train)
    free, recorded = (
        make_trainer(tiny_folder, replace(config, graphs=graphs)) for graphs in (False, True)
    )
    expected = list(free.steps())
    with checkpoint_gradients(recorded.model.unet):
        first = recorded.step()
        taken = recorded.learn.batch.latents.data_ptr()
        gradients = [parameter.grad.data_ptr() for parameter in recorded.parameters]
        assert [first, *recorded.steps()] == expected
    for one, other in zip(free.parameters, recorded.parameters, strict=True):
        assert torch.equal(one, other)
    # Where a graph reads from and adds to.
    assert recorded.learn.batch.latents.data_ptr() == taken
    assert [parameter.grad.data_ptr() for parameter in recorded.parameters] == gradients


@pytest.mark.parametrize("num_good", [1, 0])
def test_a_pass_is_repeated_without_its_python_or_said_not_to_be(tiny_folder, num_good, caplog):
    num_steps = 1 + num_good
    config = replace(CONFIG, num_steps=num_steps, batch_size=1)
    free, recorded = (
        make_trainer(tiny_folder, replace(config, graphs=graphs), FAST) for graphs in (False, True)
    )
    recorder = recorded.learn.recorder = OperationRecorder(num_good)
    with checkpoint_gradients(recorded.model.unet):
        assert list(recorded.steps()) == list(free.steps())
    for one, other in zip(free.parameters, recorded.parameters, strict=True):
        assert torch.equal(one, other)
    assert len(recorder.results) == num_good
    assert recorder.num_repeated == num_good * (4 * num_steps - NUM_EAGER_PASSES)
    assert ("going on without a CUDA graph" in caplog.text) == (not num_good)


def test_it_goes_on_from_a_state_of_a_free_one(tiny_folder):
    free = make_trainer(tiny_folder, replace(CONFIG, graphs=False))
    recorded = make_trainer(tiny_folder, replace(CONFIG, graphs=True))
    recorded.step()
    free.step()
    # As a checkpoint has it: a copy.
    recorded.restore(copy.deepcopy(free.state()))
    assert list(recorded.steps()) == list(free.steps())
    for one, other in zip(free.parameters, recorded.parameters, strict=True):
        assert torch.equal(one, other)


def test_losses_that_are_scaled_are_not_recorded(tiny_folder):
    model = load_model(tiny_folder, dtype=torch.float16)
    config = replace(CONFIG, graphs=True)
    trainer = Trainer(model, MadeLatents(model.unet.config.sample_size), config)
    assert trainer.scaler.is_enabled() and trainer.gradients is None

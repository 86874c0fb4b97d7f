"""Reports come a step late, say what they would have said at once, and name the right step."""

import pytest
import torch

from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.reports import refuse_lost_weights
from flipsketch.training.trainer import Trainer
from tests.helpers.training import PROMPTS, MadeLatents

CONFIG = TrainingConfig(num_steps=4, global_batch_size=2, num_frames=3, learning_rate=1e-2)


def make_trainer(folder, **damage) -> Trainer:
    torch.set_num_threads(1)
    model = load_model(folder)
    return Trainer(model, MadeLatents(model.unet.config.sample_size, **damage), CONFIG)


def make_graph_trainer(folder) -> GraphTrainer:
    torch.set_num_threads(1)
    model = load_model(folder)
    side = model.unet.config.sample_size
    latents = torch.randn(4, 3, 4, side, side, generator=torch.Generator().manual_seed(0))
    config = TrainingConfig(**{**vars(CONFIG), "batch_size": 2})
    return GraphTrainer(model, Clips(latents, torch.full((4,), 3), list(PROMPTS)), config)


@pytest.mark.parametrize("make", [make_trainer, make_graph_trainer])
def test_late_reports_are_those_read_at_once(tiny_folder, make):
    at_once, late = make(tiny_folder), make(tiny_folder)
    reports, weights = [], []
    for _ in range(4):
        reports.append(at_once.step())
        weights.append([each.detach().clone() for each in at_once.parameters])
    for expected, report in zip(reports, late.steps(lambda step: step == 2), strict=True):
        assert report == expected
        # The next step is under way, but where the caller looks at the weights.
        ahead = 1 if report.step in (1, 3) else 0
        assert late.num_done == report.step + ahead
        for one, other in zip(weights[late.num_done - 1], late.parameters, strict=True):
            assert torch.equal(one, other)


def test_a_step_whose_gradients_are_not_finite_is_named_though_the_next_has_begun(tiny_folder):
    trainer, seen = make_trainer(tiny_folder, not_finite=5), []
    with pytest.raises(FloatingPointError, match="step 3: the gradients are not finite .*nan"):
        for report in trainer.steps(lambda step: step == 2):
            seen.append(report.step)
            if report.step == 2:
                # What a checkpoint would hold.
                refuse_lost_weights(2, trainer.parameters)
    assert seen == [1, 2] and trainer.num_done == 4
    with pytest.raises(FloatingPointError, match="step 4: the weights are not finite"):
        refuse_lost_weights(4, trainer.parameters)


@pytest.mark.parametrize("train", ["lora", "full"])
def test_a_step_reads_nothing_from_the_device_but_its_report(tiny_folder, train):
    model = load_model(tiny_folder)
    for network in (model.unet, model.vae, model.text_encoder):
        # Tensors without values: to read one is an error, where a GPU would have to be waited for.
        network.to("meta")
    samples = MadeLatents(model.unet.config.sample_size)
    config = TrainingConfig(**{**vars(CONFIG), "train": train})
    trainer = Trainer(model, samples, config)
    with pytest.raises(NotImplementedError, match="meta") as raised:
        trainer.start_step()
    paths = [entry.path for entry in raised.traceback]
    own = [path.name for path in paths if path.parts[-3:-1] == ("flipsketch", "training")]
    assert own[-1] == "reports.py" and trainer.num_done == 1

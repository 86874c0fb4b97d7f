"""Graphs compute what the functions do that they were recorded from, whatever happens in between.

There is no GPU here: `OperationRecorder` stands in for CUDA, and repeats operations on the very
tensors that they had when they were recorded.
"""

import logging

import pytest
import torch

from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import animate_pixels
from flipsketch.models import graphs
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.graphs import Rehearsal, graphs_of, use_graphs
from flipsketch.models.kernels import FAST, PLAIN, use_kernels
from flipsketch.models.video_model import VideoModel, load_model
from tests.helpers.recorder import OperationRecorder
from tests.helpers.requests import draw_sketches, request_clip

ONE_STEP = {"num_inference_steps": 1, "align_steps": 1, "compose_steps": 0}


def make_batch(size: int = 2, seed: int = 0, **changes) -> list[ClipRequest]:
    """Clips whose second step is composed with a reference of one frame."""
    settings = {"num_frames": 2, "align_steps": 1, "compose_steps": 2, "align_updates": 2}
    return [
        request_clip(sketch, f"cat {seed + row}", seed=seed + row, **settings | changes)
        for row, sketch in enumerate(draw_sketches(size))
    ]


def check(model: VideoModel, batches: list[list[ClipRequest]]) -> None:
    """See that batches by graphs are those without."""
    kept = graphs_of(model.unet)
    for batch in batches:
        model.unet.graphs = kept
        made = animate_pixels(model, batch)
        del model.unet.graphs
        assert torch.equal(made, animate_pixels(model, batch))
    model.unet.graphs = kept


def test_batches_by_graphs_are_those_without(tiny_model):
    recorder = OperationRecorder()
    use_graphs(tiny_model.unet, recorder)
    check(tiny_model, [make_batch(seed=seed, reference_scale=seed / 2) for seed in range(3)])
    # Inverting; recording and composing with two frames and with one; predicting the whole clip;
    # predicting the first frame alone; aligning.
    assert len(recorder.results) == 1 + 2 + 2 + 1 + 1 + 1
    # Others come between, and have graphs of their own.
    longer = make_batch(1, num_frames=3, align_steps=0, compose_spatial=False)
    check(tiny_model, [longer, longer])
    assert len(recorder.results) == 8 + 1 + 2 + 2 + 1
    num_repeated = recorder.num_repeated
    check(tiny_model, [make_batch(seed=3)])
    # All 3 + 2 + 2 + 4 + 1 passes and 2 updates.
    assert recorder.num_repeated == num_repeated + 14


@pytest.mark.parametrize(
    ("folder", "kernels"),
    [("tiny_folder", PLAIN), ("tiny_folder", FAST), ("tiny_motion_folder", FAST)],
)
def test_graphs_keep_and_reuse_deep_features(request, folder, kernels):
    model = load_model(request.getfixturevalue(folder), kernels=kernels)
    recorder = OperationRecorder()
    use_graphs(model.unet, recorder)
    # The reference loses a frame between the whole pass and the one that reuses its features.
    settings = {"num_inference_steps": 4, "align_steps": 0, "compose_steps": 2, "num_frames": 3}
    settings["compose_motion_attn2"] = folder == "tiny_motion_folder"
    check(model, [make_batch(1, seed, cache_interval=2, **settings) for seed in range(3)])
    assert recorder.num_repeated > 0
    # Of whole passes others are recorded where nothing is kept.
    check(model, [make_batch(1, 4, **settings)])


def test_graphs_go_with_the_kernels_and_weights_of_their_time(tiny_folder):
    model = load_model(tiny_folder, kernels=FAST)
    recorder = OperationRecorder()
    use_graphs(model.unet, recorder)
    batches = [make_batch(1, seed, align_steps=0, compose_steps=1) for seed in range(2)]
    check(model, batches)
    # Inverting, recording, composing, without the prompt, and then with both.
    assert len(recorder.results) == 5
    # In place, where graphs find them, and elsewhere.
    model.unet.conv_in.weight.mul_(0.9)
    check(model, batches[:1])
    assert len(recorder.results) == 5
    model.unet.conv_in.weight.data = model.unet.conv_in.weight.detach() * 0.9
    check(model, batches)
    assert len(recorder.results) == 10
    use_kernels(model.unet, model.vae)
    check(model, batches)
    assert len(recorder.results) == 14


def test_graphs_with_checkpointed_gradients_are_of_their_own(tiny_model):
    recorder = OperationRecorder()
    use_graphs(tiny_model.unet, recorder)
    batches = [make_batch(1, seed, **ONE_STEP) for seed in range(2)]
    check(tiny_model, batches)
    num_recorded = len(recorder.results)
    for _ in range(2):
        with checkpoint_gradients(tiny_model.unet):
            check(tiny_model, batches)
        assert len(recorder.results) == 2 * num_recorded


@pytest.mark.parametrize("num_good", [0, 2, 4])
def test_what_cannot_be_recorded_is_computed_without(tiny_model, num_good, caplog):
    """At once, and in the middle of a step: after what is composed is recorded, and after that."""
    recorder = OperationRecorder(num_good)
    use_graphs(tiny_model.unet, recorder)
    check(tiny_model, [make_batch(1, seed, align_steps=0) for seed in range(2)])
    assert len(recorder.results) == num_good
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "not permitted when stream is capturing; with --no-graphs" in warning.getMessage()
    assert graphs_of(tiny_model.unet).num_recorded == 0


def test_graphs_give_way_when_memory_runs_out(tiny_model, caplog):
    used = use_graphs(tiny_model.unet, OperationRecorder())
    calls = []

    def work() -> torch.Tensor:
        calls.append(used.num_recorded)
        if calls[-1] or len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return torch.ones(1)

    # Without any graph there is nothing to give.
    with pytest.raises(torch.OutOfMemoryError):
        used.run_freeing(work)
    batch = make_batch(1, **{**ONE_STEP, "align_steps": 0})
    check(tiny_model, [batch, batch])
    assert used.run_freeing(work) == 1
    assert calls[1] > 0 and calls[2] == 0 and "CUDA out of memory" in caplog.text
    check(tiny_model, [batch])


def test_graphs_of_kinds_long_past_are_let_go(tiny_model, monkeypatch):
    monkeypatch.setattr(graphs, "MAX_KINDS", 2)
    recorder = OperationRecorder()
    used = use_graphs(tiny_model.unet, recorder)
    for num_frames in (2, 3, 2):
        batch = make_batch(1, num_frames=num_frames, **{**ONE_STEP, "align_steps": 0})
        check(tiny_model, [batch, batch])
        assert used.num_recorded == 2
    # Inverting is the same for both, and is kept.
    assert len(recorder.results) == 1 + 3


def test_a_rehearsal_is_a_run_without(tiny_model):
    assert isinstance(use_graphs(tiny_model.unet).recorder, Rehearsal)
    check(tiny_model, [make_batch(1, seed, reference_scale=seed) for seed in range(2)])


@torch.no_grad()
def test_graphs_go_with_the_place_of_what_they_share(tiny_model):
    used = use_graphs(tiny_model.unet, OperationRecorder())

    def write(tensor: torch.Tensor) -> torch.Tensor:
        return used.buffers.put("lent", tensor).clone()

    def read(tensor: torch.Tensor) -> torch.Tensor:
        return used.buffers.get("lent", tensor.shape) + tensor

    with used.batch(tiny_model.unet):
        # A larger tensor needs another place.
        for number, size in enumerate([2, 2, 2, 3, 2, 2, 2]):
            used.run("write", write, torch.full((size,), float(number)))
            # Recorded before it moves, and after.
            with used.within("late" if number > 3 else "early"):
                result = used.run("read", read, torch.ones(2))
            assert result.tolist() == [number + 1, number + 1]

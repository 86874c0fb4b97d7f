from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.distillation import scale_timestep
from flipsketch.livesketch.optimize import animate_vectors
from flipsketch.livesketch.vector import read_vector
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import Conditioning

SKETCHES = [
    read_vector(
        f'<svg viewBox="0 0 16 16"><path d="{data}" fill="none" stroke="black"/></svg>'.encode()
    )
    for data in ("M4 4C4 9 8 9 11 5M5 12L11 12", "M3 8L8 3L13 8Z")
]
SAMPLING = SamplingConfig(num_frames=4, num_inference_steps=2)
SHORT = LiveSketchConfig(draft_steps=0, optimization_steps=2)
PUBLISHED = replace(SHORT, motion="mlp")
DRAFTED = LiveSketchConfig(draft_steps=2, optimization_steps=1)


def animate(model, rows=(0, 1), config=SHORT, seeds=(1, 2)):
    prompts = ("a cat", "a dog")
    conditionings = [Conditioning(prompts[row], SAMPLING) for row in rows]
    return animate_vectors(
        model, [SKETCHES[row] for row in rows], conditionings, [seeds[row] for row in rows], config
    )


def test_frame_0_is_the_sketch_and_the_others_move(tiny_model):
    for sketch, points in zip(SKETCHES, animate(tiny_model), strict=True):
        assert points.shape == (4, len(sketch.points), 2) and points.dtype == np.float64
        np.testing.assert_array_equal(points[0], sketch.points)
        assert np.abs(points[1:] - sketch.points).max(axis=(1, 2)).min() > 1e-4


@pytest.mark.parametrize("config", [SHORT, PUBLISHED], ids=["lattice", "mlp"])
def test_a_batch_of_two_equals_two_alone(tiny_model64, config):
    together = animate(tiny_model64, config=config)
    for row in (0, 1):
        (alone,) = animate(tiny_model64, (row,), config)
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=1e-9)
    other = animate(tiny_model64, (1,), config, seeds=(1, 3))
    assert np.abs(other[0] - together[1]).max() > 1e-4


def test_the_published_network_moves_frame_0_too(tiny_model):
    clips = animate(tiny_model, config=replace(PUBLISHED, published_defects=True))
    for sketch, points in zip(SKETCHES, clips, strict=True):
        assert np.abs(points - sketch.points).max(axis=(1, 2)).min() > 1e-4


def test_a_row_that_is_not_finite_fails_alone(tiny_model):
    good = animate(tiny_model)
    broken = replace(SKETCHES[0], points=np.full_like(SKETCHES[0].points, np.nan))
    conditionings = [Conditioning("a cat", SAMPLING), Conditioning("a dog", SAMPLING)]
    nan, other = animate_vectors(tiny_model, [broken, SKETCHES[1]], conditionings, [1, 2], SHORT)
    assert np.isnan(nan).all()
    np.testing.assert_allclose(other, good[1], rtol=0, atol=1e-5)


def test_a_model_with_fewer_timesteps_is_asked_at_its_own(tiny_model):
    scheduler = DDIMScheduler.from_config(tiny_model.scheduler.config, num_train_timesteps=10)
    clips = animate(replace(tiny_model, scheduler=scheduler))
    assert all(np.isfinite(points).all() for points in clips)
    usual = tiny_model.scheduler
    assert [scale_timestep(t, usual) for t in (50, 600, 949)] == [50, 600, 949]
    assert [scale_timestep(t, scheduler) for t in (50, 600, 949)] == [0, 6, 9]


def test_a_draft_leads_the_strokes(tiny_model):
    conditionings = [Conditioning("a dog", SAMPLING)] * 2
    drafted, other = animate_vectors(tiny_model, [SKETCHES[1]] * 2, conditionings, [2, 3], DRAFTED)
    np.testing.assert_array_equal(drafted[0], SKETCHES[1].points)
    assert np.abs(drafted[1:] - SKETCHES[1].points).max() > 1e-3
    assert np.abs(drafted - other).max() > 1e-3
    with pytest.raises(ValueError, match="draft_steps"):
        LiveSketchConfig(motion="mlp", draft_steps=2)


@pytest.mark.parametrize("seeds", [[], [1, 2]])
def test_a_batch_has_as_many_of_each(tiny_model, seeds):
    with pytest.raises(ValueError, match=f"1 sketches, 1 conditionings and {len(seeds)} seeds"):
        animate_vectors(tiny_model, SKETCHES[:1], [Conditioning("a cat", SAMPLING)], seeds, SHORT)


def test_the_same_call_twice_is_the_same_bytes(tiny_model):
    first, second = (animate(tiny_model) for _ in range(2))
    assert [points.tobytes() for points in first] == [points.tobytes() for points in second]


def test_the_model_stays_frozen(tiny_model):
    tiny_model.unet.requires_grad_(True)
    before = {name: weight.clone() for name, weight in tiny_model.unet.state_dict().items()}
    animate(tiny_model)
    assert all(weight.grad is None for weight in tiny_model.unet.parameters())
    for name, weight in tiny_model.unet.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("motion", "wave"),
        ("draft_steps", -1),
        ("draft_steps", 1000),
        ("draft_guidance", float("inf")),
        ("optimization_steps", -1),
        ("tries", 0),
        ("output_size", 0),
        ("distillation_guidance", float("nan")),
        ("rigidity", -1.0),
        ("published_defects", True),
    ],
)
def test_impossible_settings_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        LiveSketchConfig(**{field: value})


def test_settings_by_which_nothing_would_move_are_refused():
    for setting in ({"draft_steps": 0}, {"motion": "mlp"}):
        with pytest.raises(ValueError, match="both 0, so that nothing would move"):
            LiveSketchConfig(optimization_steps=0, **setting)

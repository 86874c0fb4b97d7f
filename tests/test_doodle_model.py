"""The model that comes with this project: what is shipped works, and can be made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from flipsketch.metrics import ClipScorer, ink, ink_iou, motion
from flipsketch.model import EMBEDDED, VideoModel, load_model, model_licence
from flipsketch.sampling import animate, model_defaults
from flipsketch.sketch import load_sketch
from pipelines.doodle_model import DoodleModelConfig, make_doodle_model
from tests.corpora import SKETCHES

SHIPPED = ("doodle", "doodle-lora", "doodle-clip")


@pytest.fixture(scope="module")
def doodle() -> VideoModel:
    return load_model("doodle", lora="doodle-lora")


def test_a_drawing_moves_and_stays_itself(doodle):
    sketch = load_sketch(SKETCHES / "fish.svg", doodle.size)
    config = replace(model_defaults("doodle"), align_steps=0)
    (clip,) = animate(doodle, [sketch], ["a fish swims to the left"], [0], config)
    assert clip.frames.shape == (10, 64, 64, 3)
    assert ink_iou(ink(clip.frames[0]), ink(sketch)) > 0.6
    assert motion(clip.frames) > 0.005
    assert len({frame.tobytes() for frame in clip.frames}) == 10


def test_what_is_shipped_is_small_and_free():
    files = [path for name in SHIPPED for path in (EMBEDDED / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 24e6
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 5
    for path in weights:
        kinds = {weight.dtype for weight in load_file(path).values() if weight.is_floating_point()}
        assert kinds == {torch.float16}
    for name in SHIPPED:
        assert model_licence(EMBEDDED / name) == "cc0-1.0"
        assert (EMBEDDED / name / "samples.png").is_file()


def test_the_scorer_knows_a_drawing_from_another():
    scorer = ClipScorer("doodle-clip")
    names = ("cat", "car", "flower", "fish", "boat")
    sketches = np.stack([load_sketch(SKETCHES / f"{name}.svg", 64) for name in names])
    prompts = torch.stack([scorer.embed_text(f"a {name}") for name in names])
    cosines = scorer.embed_frames(sketches) @ prompts.T
    assert (cosines.argmax(dim=1) == torch.arange(len(names))).sum() >= 4


@pytest.mark.slow
def test_it_can_be_made_from_nothing_and_in_slices(tmp_path: Path):
    config = DoodleModelConfig(
        output=str(tmp_path),
        num_clips=32,
        vae_steps=3,
        image_steps=2,
        clip_steps=2,
        lora_clips=16,
        lora_steps=2,
        scorer_steps=2,
        validation_steps=2,
        threads=2,
    )
    assert make_doodle_model(replace(config, stages=("vae",), minutes=0.0)) == 1
    assert make_doodle_model(config) == 0
    release = tmp_path / "release"
    model = load_model(release / "doodle", lora=release / "doodle-lora")
    sketch = load_sketch(SKETCHES / "cat.svg", model.size)
    sampling = replace(model_defaults(release / "doodle"), num_inference_steps=2)
    (clip,) = animate(model, [sketch], ["a cat jumps"], [0], sampling)
    assert clip.frames.shape == (10, 64, 64, 3)
    assert -1 <= ClipScorer(str(release / "doodle-clip")).alignment(clip.frames, "a cat jumps") <= 1
    card = (release / "doodle" / "README.md").read_text()
    assert "| images | 32 filled doodles, frame by frame | 2 | 32 frames |" in card

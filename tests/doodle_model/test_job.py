"""The model that comes with this project: what is shipped works, and can be made."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import model_defaults
from flipsketch.method.sampler import animate
from flipsketch.models.cards import model_licence
from flipsketch.models.places import EMBEDDED
from flipsketch.models.video_model import VideoModel, load_model
from flipsketch.scoring.clip_model import ClipScorer
from flipsketch.scoring.evaluation import Scorers, score_clip
from flipsketch.scoring.ink import ink, ink_iou, motion
from pipelines.doodle_model.job import make_doodle_model
from pipelines.doodle_model.settings import DoodleModelConfig
from tests.helpers.corpora import SKETCHES

SHIPPED = ("doodle", "doodle-lora", "doodle-clip")


@pytest.fixture(scope="module")
def doodle() -> VideoModel:
    return load_model("doodle", lora="doodle-lora")


def test_a_drawing_moves_and_stays_itself(doodle):
    config = replace(model_defaults("doodle"), align_steps=0, num_inference_steps=5)
    sketch = load_sketch(SKETCHES / "ball.svg", doodle.size, darken=config.darken_sketch)
    (clip,) = animate(doodle, [sketch], ["a ball is falling"], [1], config)
    assert clip.frames.shape == (10, 64, 64, 3)
    assert ink_iou(ink(clip.frames[0]), ink(sketch)) > 0.6
    assert motion(clip.frames) > 0.005
    assert len({frame.tobytes() for frame in clip.frames}) == 10


def test_the_more_of_a_drawing_its_noise_holds_the_closer_a_clip_stays_to_it(doodle):
    config = replace(model_defaults("doodle"), align_steps=0, num_inference_steps=5, num_frames=4)
    sketch = load_sketch(SKETCHES / "flower.svg", doodle.size, darken=True)
    closeness = []
    for amount in (0.0, 2.0):
        settings = replace(config, sketch_in_noise=amount)
        (clip,) = animate(doodle, [sketch], ["a flower sways in the wind"], [1], settings)
        closeness.append(np.mean([ink_iou(ink(frame), ink(sketch)) for frame in clip.frames[1:]]))
    free, held = closeness
    assert held > 1.2 * free, closeness


def test_what_is_shipped_is_small_and_free():
    files = [path for name in SHIPPED for path in (EMBEDDED / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 24e6
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) == 5
    for path in weights:
        kinds = {weight.dtype for weight in load_file(path).values() if weight.is_floating_point()}
        assert kinds == {torch.float16}
    for path in files:
        if path.name == "config.json":
            assert "/" not in json.loads(path.read_text()).get("_name_or_path", "")
    for name in SHIPPED:
        assert model_licence(EMBEDDED / name) == "cc0-1.0"
        assert (EMBEDDED / name / "samples.png").is_file()


@pytest.fixture(scope="module")
def scorer() -> ClipScorer:
    return ClipScorer("doodle-clip")


def test_the_scorer_knows_a_drawing_from_another(scorer):
    names = ("cat", "car", "flower", "fish", "boat")
    sketches = np.stack([load_sketch(SKETCHES / f"{name}.svg", 64) for name in names])
    prompts = torch.stack([scorer.embed_text(f"a {name}") for name in names])
    cosines = scorer.embed_frames(sketches) @ prompts.T
    assert (cosines.argmax(dim=1) == torch.arange(len(names))).sum() >= 4


def test_what_stands_still_is_wholly_consistent_and_noise_is_the_least(scorer):
    frames = render_doodle(make_doodle(5, 0, subject="fish"), 10, 64, "sketch")
    other = render_doodle(make_doodle(5, 0, subject="car"), 10, 64, "sketch")
    noise = np.random.default_rng(0).integers(0, 256, frames.shape, np.uint8)
    still = frames[:1].repeat(10, axis=0)
    clips = {"still": still, "moving": frames, "other": other, "noise": noise}
    scorers = Scorers(scorer, None)
    scores = {
        name: score_clip(clip, frames[0], ["a fish"], scorers) for name, clip in clips.items()
    }
    consistency = {name: score["s2v_consistency"] for name, score in scores.items()}
    assert consistency["still"] == pytest.approx(1, abs=1e-5) and scores["still"]["motion"] == 0
    assert list(consistency) == sorted(consistency, key=lambda name: -consistency[name])


def test_the_scorer_is_free_and_says_what_it_is():
    assert model_licence(EMBEDDED / "doodle-clip") == "cc0-1.0"
    assert "own prompt first" in (EMBEDDED / "doodle-clip" / "README.md").read_text()
    assert (EMBEDDED / "doodle-clip" / "samples.png").is_file()


def test_what_is_begun_with_some_settings_does_not_go_on_with_others(tmp_path):
    config = DoodleModelConfig(output=str(tmp_path), stages=())
    assert make_doodle_model(config) == 0
    assert make_doodle_model(replace(config, minutes=1.0, threads=1)) == 0
    with pytest.raises(ValueError, match="start None there, 'doodle' now"):
        make_doodle_model(replace(config, start="doodle"))


@pytest.mark.parametrize(
    "wrong, must",
    [
        ({"num_clips": 3}, "num_clips must be at least 4, got 3"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"image_steps": -1}, "image_steps must be at least 0, got -1"),
        ({"vae_steps": 0}, "vae_steps must be at least 1, got 0"),
        ({"minutes": float("nan")}, "minutes must be at least 0, got nan"),
        ({"learning_rate": 0.0}, "learning_rate must be more than 0, got 0.0"),
    ],
)
def test_settings_that_nothing_can_be_made_with_are_refused(wrong, must):
    with pytest.raises(ValueError, match=must):
        DoodleModelConfig(**wrong)
    # What is there already need not be learnt.
    DoodleModelConfig(start="doodle", vae_steps=0, image_steps=0)


def test_a_stage_whose_beginning_is_not_made_is_refused(tmp_path):
    folder = tmp_path / "made"
    config = DoodleModelConfig(output=str(folder), start="doodle", num_clips=4, threads=1)
    with pytest.raises(ValueError, match="run the stage images first"):
        make_doodle_model(replace(config, stages=("vae", "video")))
    for stage, before in (("images", "vae"), ("lora", "video"), ("scorer", "video")):
        with pytest.raises(ValueError, match=f"the stage {before} is not done"):
            make_doodle_model(replace(config, output=str(tmp_path / "none"), stages=(stage,)))
    (folder / "release").mkdir()
    with pytest.raises(ValueError, match="the stage video is not done"):
        make_doodle_model(replace(config, stages=("release",)))
    assert (folder / "release").exists() and not (folder / "images").exists()


@pytest.mark.slow
def test_it_can_be_made_from_nothing_and_in_slices(tmp_path: Path):
    config = DoodleModelConfig(
        output=str(tmp_path),
        num_clips=8,
        batch_size=2,
        vae_steps=2,
        image_steps=2,
        clip_steps=2,
        lora_clips=8,
        lora_steps=2,
        scorer_steps=2,
        validation_steps=2,
        threads=1,
    )
    assert make_doodle_model(replace(config, stages=("vae",), minutes=0.0)) == 2
    assert make_doodle_model(config) == 0
    release = tmp_path / "release"
    model = load_model(release / "doodle", lora=release / "doodle-lora")
    card = (release / "doodle" / "README.md").read_text()
    sketch = load_sketch(SKETCHES / "cat.svg", model.size)
    sampling = replace(model_defaults(release / "doodle"), num_inference_steps=2)
    (clip,) = animate(model, [sketch], ["a cat jumps"], [0], sampling)
    assert clip.frames.shape == (10, 64, 64, 3)
    scorers = Scorers(ClipScorer(str(release / "doodle-clip")), None)
    scores = score_clip(clip.frames, sketch, ["a cat jumps"], scorers)
    assert -1 <= scores["t2v_alignment"] <= 1 and scores["clip_fingerprint"]
    told = (
        "| images | 2 doodles in colours, 8 sketches of these subjects and as many of anything, "
        "frame by frame | 2 | 8 frames |"
    )
    assert told in card
    output = tmp_path / "longer"
    stages = ("vae", "images", "video", "lora", "release")
    start = str(release / "doodle")
    longer = replace(config, output=str(output), start=start, vae_steps=None, image_steps=0)
    longer = replace(longer, stages=stages)
    assert make_doodle_model(longer) == 0
    longer_trained = load_model(output / "release" / "doodle")
    for name, weight in model.vae.state_dict().items():
        assert torch.equal(weight, longer_trained.vae.state_dict()[name])
    card = (output / "release" / "doodle" / "README.md").read_text()
    stages = [line.split(" | ")[0] for line in card.splitlines() if line.startswith("| ")]
    assert stages == ["| stage", "| vae", "| images", "| video", "| video"]
    assert not (output / "release" / "doodle-clip").exists()

"""The embedded model can be made, stage by stage."""

from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.clip_scores import ClipScorer
from flipsketch.model import load_model
from flipsketch.sampling import animate, model_defaults
from flipsketch.scores import Scorers, score_clip
from flipsketch.sketch import load_sketch
from pipelines.doodle_model import DoodleModelConfig, make_doodle_model
from tests.corpora import SKETCHES


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
    scorers = Scorers(ClipScorer(str(release / "doodle-clip")), None)
    scores = score_clip(clip.frames, sketch, ["a cat jumps"], scorers)
    assert -1 <= scores["t2v_alignment"] <= 1 and scores["clip_fingerprint"]
    card = (release / "doodle" / "README.md").read_text()
    assert "| images | 16 filled doodles, frame by frame | 2 | 32 frames |" in card

"""Flags, and what they are when they are not given."""

import json
import shutil

import pytest

from flipsketch.cli import parse
from pipelines.animate import AnimateConfig


@pytest.fixture
def model(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def read(model, *flags: str) -> AnimateConfig:
    arguments = ["--manifest", "rows.csv", "--output", "out", "--model", str(model), *flags]
    return parse(AnimateConfig, None, args=arguments)


def test_a_model_says_how_to_sample_unless_the_user_does(model):
    assert read(model).sampling.guidance_scale == 9.0
    (model / "sampling.json").write_text(json.dumps({"guidance_scale": 4.0, "num_frames": 6}))
    config = read(model, "--num-frames", "5", "--batch-size", "3")
    assert config.sampling.guidance_scale == 4.0 and config.sampling.num_frames == 5
    assert config.batch_size == 3 and config.manifest == "rows.csv"


def test_what_the_user_says_is_checked_with_what_the_model_says(model, capsys):
    (model / "sampling.json").write_text(json.dumps({"num_inference_steps": 50}))
    assert read(model, "--align-steps", "30").sampling.align_steps == 30
    assert type(read(model)) is AnimateConfig
    with pytest.raises(SystemExit):
        read(model, "--help")
    assert "default: 50" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["[1]", "{", '{"num_frame": 3}', '{"num_frames": 1}'])
def test_what_a_model_says_must_be_settings(model, content):
    (model / "sampling.json").write_text(content)
    with pytest.raises(ValueError, match="sampling.json: not the settings of a sampler"):
        read(model)

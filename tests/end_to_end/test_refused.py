"""What cannot be loaded is refused before anything is claimed: the output folder stays free."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.models.adapter import CONFIG_FILE, WEIGHTS_FILE
from flipsketch.training.config import TrainingConfig
from pipelines.animate import animate_manifest
from pipelines.doodle_model.job import make_doodle_model
from pipelines.doodle_model.settings import DoodleModelConfig
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.merge_lora import MergeConfig, merge
from pipelines.train import train
from pipelines.training.config import TrainConfig
from tests.helpers.adapters import write_adapter
from tests.helpers.animations import write_training_shards

LOCAL = ExecutorConfig(executor="local")


@pytest.fixture(scope="module")
def whole_lora(tiny_folder, tmp_path_factory):
    return write_adapter(tiny_folder, tmp_path_factory.mktemp("adapter"))


@pytest.fixture(params=["empty", "absurd", "of another model"])
def bad_lora(request, whole_lora, tmp_path):
    lora = shutil.copytree(whole_lora, tmp_path / "lora")
    if request.param == "empty":
        (lora / "unet" / WEIGHTS_FILE).write_bytes(b"")
    elif request.param == "absurd":
        config = json.loads((lora / "unet" / CONFIG_FILE).read_text())
        (lora / "unet" / CONFIG_FILE).write_text(json.dumps(config | {"r": 1_000_000}))
    else:
        return "doodle-lora"
    return str(lora)


def test_an_adapter_that_does_not_fit_leaves_no_plan(job, bad_lora, whole_lora):
    for dry_run in (True, False):
        with pytest.raises(ValueError, match=r"unet/adapter_(config.json|model.safetensors): "):
            animate_manifest(replace(job, lora=bad_lora, dry_run=dry_run))
        assert not Path(job.output).exists()
    assert animate_manifest(replace(job, lora=str(whole_lora))) == 0


def test_a_model_that_is_damaged_leaves_no_plan(job, tmp_path):
    model = shutil.copytree(job.model, tmp_path / "model")
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match="unet/diffusion_pytorch_model.safetensors: damaged"):
        animate_manifest(replace(job, model=str(model)))
    assert not Path(job.output).exists()


def test_overwrite_deletes_nothing_for_an_adapter_that_does_not_fit(made):
    plan = (Path(made.output) / "run.json").read_bytes()
    with pytest.raises(ValueError, match="does not fit the model's unet"):
        animate_manifest(replace(made, lora="doodle-lora", overwrite=True))
    assert (Path(made.output) / "run.json").read_bytes() == plan


def test_training_and_merging_refuse_it_too(tiny_folder, bad_lora, tmp_path):
    shards = write_training_shards(tmp_path / "shards", 2, num_frames=4)
    config = TrainConfig(
        shards=shards,
        model=str(tiny_folder),
        lora=bad_lora,
        output=str(tmp_path / "run"),
        executor=LOCAL,
    )
    config = replace(config, training=replace(config.training, num_frames=3, num_steps=1))
    with pytest.raises(ValueError, match=r"unet/adapter_(config.json|model.safetensors): "):
        train(config)
    with pytest.raises(ValueError, match=r"unet/adapter_(config.json|model.safetensors): "):
        merge(MergeConfig(model=str(tiny_folder), lora=bad_lora, output=str(tmp_path / "merged")))
    assert not (tmp_path / "run").exists() and not (tmp_path / "merged").exists()


def test_a_scorer_that_is_damaged_leaves_no_scores(made, clip_folder, tmp_path):
    scorer = shutil.copytree(clip_folder, tmp_path / "scorer")
    (scorer / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ValueError, match="preprocessor_config.json: image_mean must be three"):
        evaluate(EvaluateConfig(corpus=made.output, clip_model=str(scorer), executor=LOCAL))
    assert not (Path(made.output) / "scores").exists()


def test_a_start_of_the_doodle_model_is_looked_at_first(tmp_path, tiny_folder):
    start = shutil.copytree(tiny_folder, tmp_path / "start")
    (start / "vae" / "config.json").write_text("{")
    config = DoodleModelConfig(output=str(tmp_path / "out"), start=str(start))
    with pytest.raises(ValueError, match="start/vae/config.json: not JSON"):
        make_doodle_model(config)
    assert not (tmp_path / "out").exists()


def test_an_output_that_exists_is_refused_before_a_model_is_loaded(tmp_path):
    with pytest.raises(ValueError, match="is there already; give another place"):
        merge(MergeConfig(model="nosuch", lora="nosuch", output=str(tmp_path)))


def test_training_on_clips_of_a_model_is_warned_of(made, tiny_folder, tmp_path, caplog):
    training = TrainingConfig(num_steps=1, global_batch_size=1, num_frames=3)
    config = TrainConfig(
        shards=made.output,
        model=str(tiny_folder),
        output=str(tmp_path / "run"),
        training=training,
        validate_every=0,
        cache_latents=False,
        executor=LOCAL,
    )
    assert train(config) == 0
    assert "has clips that a model made (method flipsketch), not drawn" in caplog.text

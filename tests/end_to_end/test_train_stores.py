"""Training on shards in an object store: the same weights, and an end to every wait."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from flipsketch.training.config import TrainingConfig
from pipelines.execution.config import ExecutorConfig
from pipelines.train import train
from pipelines.training.config import TrainConfig
from tests.helpers.animations import write_training_shards
from tests.helpers.clusters import share_ray
from tests.helpers.corpora import exit_code, start_child, wait_for

QUICK = TrainingConfig(num_steps=4, global_batch_size=2, num_frames=3, target_set="linear")


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> str:
    """Eight clips in two shards."""
    return write_training_shards(tmp_path_factory.mktemp("training"), 8, 4)


@pytest.fixture(scope="module")
def stored(local, s3) -> str:
    s3.upload(local, "train/shards")
    return "train/shards"


@pytest.fixture
def job(local, tiny_folder, tmp_path, monkeypatch) -> TrainConfig:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return TrainConfig(
        shards=local,
        model=str(tiny_folder),
        output=str(tmp_path / "local"),
        training=QUICK,
        threads=1,
        checkpoint_every=2,
        validate_every=0,
        executor=ExecutorConfig(executor="local"),
    )


def weights(job: TrainConfig) -> dict:
    found = load_file(Path(job.output) / "lora" / "unet" / "adapter_model.safetensors")
    return {name: weight.tolist() for name, weight in found.items()}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cache_latents": False},
        {"on_device": True, "training": replace(QUICK, batch_size=2)},
    ],
    ids=["cached", "not cached", "on device"],
)
def test_weights_are_those_of_a_local_folder_to_the_bit(job, change, stored, s3, tmp_path):
    job = replace(job, **change)
    assert train(job) == 0
    far = replace(job, shards=s3.uri(stored), output=str(tmp_path / "far"))
    assert train(far) == 0
    assert weights(far) == weights(job)
    assert not [key for key in s3.keys(stored) if "latents" in key]


@pytest.mark.slow
def test_workers_on_ray_fill_one_cache(job, stored, proxy, tmp_path):
    share_ray(2)
    on_ray = replace(job, executor=ExecutorConfig(workers=2))
    assert train(on_ray) == 0
    far = replace(on_ray, shards=proxy.uri(stored), latent_cache=str(tmp_path / "mine"))
    far = replace(far, output=str(tmp_path / "far"))
    assert train(far) == 0
    assert weights(far) == weights(on_ray)
    [place] = (path for path in (tmp_path / "mine").iterdir() if path.name != "_tmp")
    assert len(list(place.glob("*.safetensors"))) == 2


def test_a_run_goes_on_with_the_latents_that_it_has(job, stored, proxy, tmp_path):
    far = replace(job, shards=proxy.uri(stored), latent_cache=str(tmp_path / "mine"))
    assert (
        train(replace(far, training=replace(QUICK, num_steps=2), output=str(tmp_path / "a"))) == 0
    )
    proxy.requests()
    assert train(replace(far, output=str(tmp_path / "b"))) == 0
    assert not [
        target for _, target in proxy.requests() if ".tar" in target and "list" not in target
    ]
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ValueError, match="--latent-cache is a folder for latents, but none"):
        replace(far, cache_latents=False)


def test_an_outage_does_not_end_a_run(job, stored, proxy):
    job = replace(job, cache_latents=False, training=replace(QUICK, num_steps=2))
    far = replace(job, shards=proxy.uri(stored))
    pid = start_child(far, pipeline=train)
    proxy.requests()
    wait_for(pid, lambda: any(".tar" in target for _, target in proxy.requests()))
    proxy.go_down(1)
    assert exit_code(pid) == 0
    near = replace(job, output=job.output + "-near")
    assert train(near) == 0
    assert weights(far) == weights(near)


def test_ctrl_c_ends_a_run_whose_store_is_silent(job, stored, proxy):
    far = replace(job, shards=proxy.uri(stored), cache_latents=False)
    pid = start_child(far, lambda: signal.signal(signal.SIGINT, signal.default_int_handler), train)
    proxy.requests()
    wait_for(pid, lambda: any(".tar" in target for _, target in proxy.requests()))
    proxy.fall_silent()
    wait_for(pid, lambda: proxy.requests())
    os.kill(pid, signal.SIGINT)
    assert exit_code(pid) == 130


def test_an_output_in_a_store_is_refused_before_anything_is_done(job, stored, s3):
    with pytest.raises(ValueError, match="logs grow there"):
        train(replace(job, output=s3.uri("train/output")))
    assert not s3.keys("train/output")

"""Runs whose model is on the Hub: planned at a commit, held to on resume, and planned dry."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from flipsketch.method.config import SamplingConfig
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from tests.helpers.hub import Hub, hub_client

PLACE = "owner/models/tiny"


@pytest.fixture
def hub(tiny_folder, tmp_path, monkeypatch):
    with Hub() as hub, hub_client(hub, tmp_path / "home", monkeypatch):
        push(hub, tiny_folder)
        yield hub


def push(hub: Hub, folder: Path, **more: bytes) -> str:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {f"tiny/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}
    return hub.push("owner/models", files | more)


def hub_job(job: AnimateConfig) -> AnimateConfig:
    return replace(job, model=PLACE, method="still", sampling=SamplingConfig(num_frames=2))


def test_a_resumed_run_takes_the_commit_of_its_plan(job, hub, tiny_folder):
    first = hub.repositories["owner/models"].branches["main"]
    own = hub_job(job)
    assert animate_manifest(own) == 0
    log = json.loads((Path(job.output) / "run.json").read_bytes())["log"]
    assert log["model"] == PLACE and log["model_commit"] == first
    (Path(job.output) / "metadata" / "00000.parquet").unlink()
    # The repository has moved on, to a model that this run cannot go on with.
    push(hub, tiny_folder, **{"tiny/unet/new.json": b"{}"})
    assert animate_manifest(own) == 0
    with pytest.raises(ValueError, match="model_fingerprint"):
        animate_manifest(replace(own, model=f"{PLACE}@main"))


def test_a_dry_run_knows_a_model_by_its_settings_alone(job, hub, capsys):
    assert animate_manifest(replace(hub_job(job), dry_run=True)) == 0
    assert not any(name.endswith(".safetensors") for name in hub.fetched())
    assert "rows:   6" in capsys.readouterr().out
    with pytest.raises(ValueError, match="owner/nosuch: is neither a folder here nor a model"):
        animate_manifest(replace(hub_job(job), model="owner/nosuch", dry_run=True))


def test_a_dry_run_without_the_hub_says_so(job, hub, monkeypatch, caplog, capsys):
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert animate_manifest(replace(hub_job(job), dry_run=True)) == 0
    assert "HF_HUB_OFFLINE is set; none is in its cache" in caplog.text

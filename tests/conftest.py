"""Real models at toy size, written once."""

import os
import shutil

# Before torch is imported. Two tests run at a time on as few as two cores, and OpenMP's threads
# spin while they wait for a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch

from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import VideoModel, load_model
from flipsketch.storage import folder
from pipelines.animate import AnimateConfig, animate_manifest
from tests.helpers.clusters import share_ray
from tests.helpers.corpora import make_job
from tests.helpers.scorers import write_clip, write_xclip

torch.set_num_threads(1)
# Disks fail on purpose here; nobody need wait until they have recovered.
folder.RETRY_PAUSES_S = (0.01, 0.02)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A model for frames of 16 pixels: the smallest that has every kind of layer."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", size=16)


@pytest.fixture
def tiny_model(tiny_folder) -> VideoModel:
    return load_model(tiny_folder)


@pytest.fixture
def tiny_model64(tiny_folder) -> VideoModel:
    """In float64, where equal means equal."""
    return load_model(tiny_folder, dtype=torch.float64)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def xclip_folder(tmp_path_factory):
    return write_xclip(tmp_path_factory.mktemp("xclip"))


@pytest.fixture
def two_cpus() -> None:
    """A Ray of two CPUs. Tests that ask for it belong to the xdist group "ray", so that one
    process starts it, once."""
    share_ray(2)


@pytest.fixture
def job(tiny_folder, tmp_path) -> AnimateConfig:
    """A job on six good rows; tests replace what they are about."""
    return make_job(tiny_folder, tmp_path)


@pytest.fixture(scope="session")
def whole(tiny_folder, tmp_path_factory) -> AnimateConfig:
    """What `job` makes when nothing goes wrong, to be read or copied."""
    job = make_job(tiny_folder, tmp_path_factory.mktemp("whole"))
    assert animate_manifest(job) == 0
    return job


@pytest.fixture
def made(job, whole) -> AnimateConfig:
    """`job` after a run: its folder holds a copy of the corpus."""
    shutil.copytree(whole.output, job.output)
    return job

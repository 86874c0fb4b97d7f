"""Real models at toy size, written once."""

import pytest
import torch

from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import VideoModel, load_model
from pipelines.animate import AnimateConfig
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import QUICK, good_rows, make_manifest
from tests.helpers.scorers import write_clip, write_xclip

# Two tests run at a time on as few as two cores, and threads that wait for a core spin.
torch.set_num_threads(1)


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
def job(tiny_folder, tmp_path):
    """A job on six good rows; tests replace what they are about."""
    return AnimateConfig(
        manifest=make_manifest(tmp_path, good_rows(6)),
        output=str(tmp_path / "corpus"),
        model=str(tiny_folder),
        sampling=QUICK,
        batch_size=2,
        rows_per_shard=2,
        threads=1,
        executor=ExecutorConfig(executor="local"),
    )

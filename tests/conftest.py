"""Real models at toy size, written once."""

import pytest
import torch

from flipsketch.model import VideoModel, load_model
from flipsketch.tiny import write_tiny_model


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

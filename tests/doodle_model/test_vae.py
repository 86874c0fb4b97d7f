"""Training data of the embedded model as arrays, and the VAE that learns from them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flipsketch.doodle_model.latent_arrays import LatentWindows, encode_corpus
from flipsketch.doodle_model.pixel_arrays import (
    CorpusSpec,
    DoodleArrays,
    render_corpus,
    scribble,
)
from flipsketch.doodle_model.session import Session
from flipsketch.doodle_model.vae import VAETraining, make_vae, move


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> DoodleArrays:
    return render(tmp_path_factory.mktemp("arrays"))


def render(folder: Path) -> DoodleArrays:
    spec = CorpusSpec(
        seed=1, num_clips=6, num_frames=3, size=16, look="filled", subjects=("ball", "bird")
    )
    return render_corpus(folder, "filled", spec, workers=2)


def test_a_corpus_is_rendered_once_and_the_same_anywhere(corpus, tmp_path):
    assert corpus.clips.shape == (6, 3, 16, 16, 3) and corpus.subjects == ["ball", "bird"] * 3
    again = render(tmp_path)
    np.testing.assert_array_equal(again.clips, corpus.clips)
    assert again.prompts == corpus.prompts
    before = (tmp_path / "filled.npy").stat().st_mtime_ns
    render(tmp_path)
    assert (tmp_path / "filled.npy").stat().st_mtime_ns == before


def test_scribbles_are_ink_on_white():
    for seed in range(20):
        sketch = scribble(np.random.RandomState(seed), 32)
        assert sketch.shape == (32, 32, 3) and sketch.min() < 200 and sketch.max() == 255


def test_what_is_moved_comes_to_lie_as_many_pixels_further():
    images = torch.arange(2 * 8 * 8.0).reshape(2, 1, 8, 8)
    moved = move(images, torch.tensor([[2 / 8, 0], [0, -1 / 8]]), "nearest")
    assert torch.equal(moved[0, 0, :, 2:], images[0, 0, :, :6])
    assert torch.equal(moved[0, 0, :, :2], images[0, 0, :, :1].expand(8, 2))
    assert torch.equal(moved[1, 0, :7], images[1, 0, 1:])
    # A quarter of a latent is a pixel: of a slope the middle moves by as much.
    slope = torch.arange(8.0).expand(1, 1, 8, 8)
    quarter = move(slope, torch.tensor([[1 / 32, 0]]), "bicubic")
    torch.testing.assert_close(quarter[..., 2:6], slope[..., 2:6] - 0.25, rtol=0, atol=0.05)


def test_the_vae_learns_and_its_latents_become_samples(corpus, tmp_path):
    torch.manual_seed(0)
    vae = make_vae(16, 4)
    scribbles = np.stack([scribble(np.random.RandomState(seed), 16) for seed in range(4)])
    session = Session(device="cpu", deadline=math.inf)
    training = VAETraining(vae, [corpus], scribbles, session, num_steps=30, seed=0)
    # The processes that share a batch draw the same one together, scribbles included.
    ranks = [replace(session, rank=rank, num_ranks=4) for rank in range(4)]
    shares = [VAETraining(vae, [corpus], scribbles, own, num_steps=30, seed=0) for own in ranks]
    mean = sum(share.loss(0) for share in shares) / 4
    assert mean.item() == pytest.approx(training.loss(0).item(), rel=1e-5)
    losses = [training.learner.step().loss for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert training.draw_samples().height == 4 * 16

    latents = encode_corpus(vae, corpus, tmp_path / "latents.npy", "cpu")
    assert latents.shape == (6, 3, 4, 4, 4)
    np.testing.assert_array_equal(encode_corpus(vae, corpus, tmp_path / "latents.npy", ""), latents)
    clips = LatentWindows(latents, corpus.prompts, 3, 0.0, seed=0)
    assert sorted(clips[position]["prompt"] for position in range(6)) == sorted(corpus.prompts)
    assert clips[0]["latents"].shape == (4, 3, 4, 4)
    other = LatentWindows(latents, corpus.prompts, 3, 0.0, seed=1)
    assert any(clips[place]["prompt"] != other[place]["prompt"] for place in range(6))
    stills = LatentWindows(latents, corpus.prompts, 1, 0.5, seed=0)
    assert stills[7]["latents"].shape == (4, 1, 4, 4)
    assert {stills[position]["prompt"] == "" for position in range(20)} == {True, False}

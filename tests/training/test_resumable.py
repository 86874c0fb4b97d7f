"""Learning in slices is learning in one go; what the embedded model is made of."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from PIL import Image
from torch import nn

from flipsketch.doodle_model.architecture import make_tokenizer
from flipsketch.doodle_model.latent_arrays import LatentWindows, encode_corpus
from flipsketch.doodle_model.pixel_arrays import DoodleArrays, render_corpus, scribble
from flipsketch.doodle_model.vae import VAETraining, make_vae, move
from flipsketch.storage.folder import open_folder
from flipsketch.training.resumable import SimpleLearner, learn


def make_learner() -> SimpleLearner:
    torch.manual_seed(0)
    layer = nn.Linear(4, 1)

    def loss(step: int) -> torch.Tensor:
        random = torch.Generator().manual_seed(step)
        inputs = torch.randn(8, 4, generator=random)
        return (layer(inputs) - inputs.sum(dim=1, keepdim=True)).square().mean()

    return SimpleLearner([layer], loss, num_steps=300, learning_rate=0.1, warmup_steps=10)


def draw() -> Image.Image:
    return Image.new("L", (1, 1))


def test_learning_in_slices_is_learning_in_one_go(tmp_path):
    whole = make_learner()
    folder = open_folder(str(tmp_path / "whole"))
    losses = learn(folder, whole, 300, deadline=time.monotonic() + 60, draw=draw)
    assert len(losses) == 300 and np.mean(losses[-10:]) < 0.01 * np.mean(losses[:10])

    folder = open_folder(str(tmp_path / "slices"))
    num_slices, sliced = 0, []
    while len(sliced) < 300:
        learner = make_learner()
        sliced = learn(folder, learner, 300, deadline=time.monotonic() + 0.05, draw=draw)
        num_slices += 1
        assert num_slices < 300
    assert num_slices > 1
    np.testing.assert_array_equal(sliced, np.float32(losses))
    for one, other in zip(whole.parameters, learner.parameters, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(whole.mean.means, learner.mean.means, strict=True):
        assert torch.equal(one, other)


def test_what_is_done_has_its_picture_whenever_it_was_ended(tmp_path):
    folder = open_folder(str(tmp_path))

    def end() -> Image.Image:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=end)
    assert len(learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=draw)) == 300
    assert folder.list("samples") == ["step-000300.png"]


def test_fewer_steps_than_are_done_are_refused(tmp_path):
    folder = open_folder(str(tmp_path))
    learn(folder, make_learner(), 300, deadline=time.monotonic() + 60, draw=draw)
    with pytest.raises(ValueError, match="300 steps already, more than the 200 asked for"):
        learn(folder, make_learner(), 200, deadline=time.monotonic() + 60, draw=draw)


def learn_a_step(rank: int, address: str, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", address, rank=rank, world_size=2)
    learner = make_learner()
    loss_of = learner.loss
    learner.loss = lambda step: loss_of(2 * step + rank)
    learner.step()
    torch.save([p.data for p in learner.parameters], out / f"{rank}.pt")
    dist.destroy_process_group()


def test_processes_that_learn_together_take_the_mean_of_their_gradients(tmp_path):
    address = f"file://{tmp_path}/point"
    multiprocessing.spawn(learn_a_step, (address, tmp_path), 2)
    alone = make_learner()
    loss_of = alone.loss
    alone.loss = lambda step: (loss_of(2 * step) + loss_of(2 * step + 1)) / 2
    alone.step()
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(together, [p.data for p in alone.parameters])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> DoodleArrays:
    return render(tmp_path_factory.mktemp("arrays"))


def render(folder: Path) -> DoodleArrays:
    return render_corpus(
        folder,
        "filled",
        seed=1,
        num_clips=6,
        num_frames=3,
        size=16,
        look="filled",
        subjects=("ball", "bird"),
        workers=2,
    )


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


def test_the_tokenizer_takes_a_token_for_a_known_word(tmp_path):
    tokenizer = make_tokenizer(["a bird flies to the left", "the bird is flying left"] * 20)
    tokenizer.save_pretrained(tmp_path)
    tokenizer = type(tokenizer).from_pretrained(tmp_path)
    text = "the bird flies left"
    ids = tokenizer(text).input_ids
    assert len(ids) == 2 + 4 and tokenizer.decode(ids, skip_special_tokens=True).strip() == text
    # Of a word that it never saw, the letters are known.
    assert tokenizer.decode(tokenizer("zebra 7").input_ids[1:-1]).replace(" ", "") == "zebra7"


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
    training = VAETraining(vae, [corpus], scribbles, num_steps=30, device="cpu", seed=0)
    # Processes that share a batch share that of one, scribbles and all.
    shares = [
        VAETraining(
            vae, [corpus], scribbles, num_steps=30, device="cpu", seed=0, rank=rank, num_ranks=4
        )
        for rank in range(4)
    ]
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

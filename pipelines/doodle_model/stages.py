"""The stages of the embedded model's training that several processes share."""

from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL

from flipsketch.doodle_model.base import BaseStage, train_base
from flipsketch.doodle_model.curriculum import VAE_SEES
from flipsketch.doodle_model.pixel_arrays import read_corpus
from flipsketch.doodle_model.vae import VAETraining, measure_scale
from flipsketch.rng import Stream, random_state
from flipsketch.storage.folder import new_folder, open_folder
from flipsketch.training.resumable import learn


def train_vae(
    vae: AutoencoderKL,
    arrays: Path,
    num_steps: int,
    seed: int,
    folder: Path,
    device: str,
    deadline: float,
    rank: int,
    num_ranks: int,
) -> None:
    """Train a VAE in the folder until all is done, or until the deadline.

    Args:
        arrays: folder with what it sees: `doodle_lessons.VAE_SEES`, and scribbles.
    """
    training = VAETraining(
        vae.to(device),
        [read_corpus(arrays, name) for name in VAE_SEES],
        np.load(arrays / "scribbles.npy", mmap_mode="r"),
        num_steps=num_steps,
        device=device,
        seed=seed,
        rank=rank,
        num_ranks=num_ranks,
    )
    learnt = open_folder(str(folder))
    losses = learn(
        learnt, training.learner, num_steps, deadline=deadline, draw=training.draw_samples
    )
    if rank == 0 and len(losses) == num_steps:
        with training.learner.mean.swapped_in(), new_folder(folder / "model") as out:
            pixels = training.draw_pixels(random_state(seed, Stream.LATENT_SCALE), 256)
            vae.register_to_config(scaling_factor=measure_scale(vae, pixels))
            vae.save_pretrained(out)


def train_base_on(
    latents: list[Path],
    start: Path,
    prompts: list[str],
    stage: BaseStage,
    folder: Path,
    device: str,
    deadline: float,
    rank: int,
    num_ranks: int,
) -> None:
    """Train the base model in the folder on arrays of latents, one after the other.

    Args:
        start: model folder to begin with.
    """
    train_base(
        start,
        np.concatenate([np.load(path) for path in latents]),
        prompts,
        stage,
        folder,
        device=device,
        deadline=deadline,
        rank=rank,
        num_ranks=num_ranks,
    )

"""The stages of the embedded model's training that several processes share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from diffusers import AutoencoderKL

from flipsketch.doodle_model.base import BaseStage, train_base
from flipsketch.doodle_model.curriculum import VAE_SEES
from flipsketch.doodle_model.pixel_arrays import read_corpus
from flipsketch.doodle_model.session import Session
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
    session: Session,
) -> None:
    """Train a VAE in the folder until all steps are done, or until the session's deadline.

    Args:
        arrays: folder with the corpora `curriculum.VAE_SEES` and scribbles.
    """
    training = VAETraining(
        vae.to(session.device),
        [read_corpus(arrays, name) for name in VAE_SEES],
        np.load(arrays / "scribbles.npy", mmap_mode="r"),
        session,
        num_steps=num_steps,
        seed=seed,
    )
    learnt = open_folder(str(folder))
    losses = learn(
        learnt, training.learner, num_steps, deadline=session.deadline, draw=training.draw_samples
    )
    if session.rank == 0 and len(losses) == num_steps:
        with training.learner.ema.swapped_in(), new_folder(folder / "model") as out:
            pixels = training.draw_pixels(random_state(seed, Stream.LATENT_SCALE), 256)
            vae.register_to_config(scaling_factor=measure_scale(vae, pixels))
            vae.save_pretrained(out)


def train_base_on(
    latents: list[Path],
    start: Path,
    prompts: list[str],
    stage: BaseStage,
    folder: Path,
    session: Session,
) -> None:
    """Train the base model in the folder on arrays of latents, one after the other.

    Args:
        start: model folder to start from.
    """
    train_base(
        start, np.concatenate([np.load(path) for path in latents]), prompts, stage, folder, session
    )


def train_share(
    work: Callable[..., None],
    session: Session,
    arguments: tuple[Any, ...],
    rank: int,
    num_ranks: int,
) -> None:
    """Call `work(*arguments, session)` as one of the processes that share each batch."""
    work(*arguments, replace(session, rank=rank, num_ranks=num_ranks))

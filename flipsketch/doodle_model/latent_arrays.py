"""Latents of a corpus of doodles, encoded once, as samples for the trainer."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.utils.data import Dataset

from flipsketch.doodle_model.pixel_arrays import DoodleArrays
from flipsketch.rng import Stream, random_state

CHUNK = 256


@torch.no_grad()
def encode_corpus(vae: AutoencoderKL, corpus: DoodleArrays, path: Path, device: str) -> np.ndarray:
    """Return latents, float16 (N, F, C, h, w), scaled by the VAE factor, from `path`; they are
    encoded if that file does not exist."""
    if not path.exists():
        frames = corpus.clips.reshape(-1, *corpus.clips.shape[2:])
        parts = []
        for start in range(0, len(frames), CHUNK):
            pixels = torch.from_numpy(np.array(frames[start : start + CHUNK])).to(device)
            pixels = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
            parts.append(vae.encode(pixels).latent_dist.mode().half().cpu().numpy())
        latents = np.concatenate(parts)
        scaled = (latents.astype(np.float32) * vae.config.scaling_factor).astype(np.float16)
        unfinished = path.with_name(f".{path.name}")
        np.save(unfinished, scaled.reshape(*corpus.clips.shape[:2], *scaled.shape[1:]))
        os.replace(unfinished, path)
    return np.load(path)


class LatentWindows(Dataset):
    """Samples by position, like those of `flipsketch.corpus.dataset.TrainingClips`: latents of a
    clip (C, F, h, w), of all its frames or of a single one, and its prompt."""

    def __init__(
        self,
        latents: np.ndarray,
        prompts: list[str],
        num_frames: int,
        prompt_dropout: float,
        *,
        seed: int,
    ) -> None:
        assert num_frames in (1, latents.shape[1]), "a window is one frame or the whole clip"
        self.latents, self.prompts = latents, prompts
        self.num_frames, self.prompt_dropout, self.seed = num_frames, prompt_dropout, seed
        self.epoch, self.order = -1, np.zeros(0, int)

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, position: int) -> dict[str, Any]:
        epoch, place = divmod(position, len(self))
        if epoch != self.epoch:
            order = random_state(self.seed, Stream.LATENT_ORDER, epoch).permutation(len(self))
            self.epoch, self.order = epoch, order
        clip, random = self.order[place], random_state(self.seed, Stream.LATENT_WINDOW, position)
        latents = self.latents[clip]
        if self.num_frames == 1:
            first = random.randint(len(latents))
            latents = latents[first : first + 1]
        is_dropped = random.random_sample() < self.prompt_dropout
        return {
            "latents": torch.from_numpy(latents.astype(np.float32)).transpose(0, 1),
            "prompt": "" if is_dropped else self.prompts[clip],
        }

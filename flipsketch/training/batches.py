"""Batches of a training run in their order: threads read, decode and draw the next ones while the
device computes."""

import copy
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from flipsketch.media.pixels import to_pixels
from flipsketch.models.video_model import VideoModel
from flipsketch.storage.threads import Readers
from flipsketch.training.config import TrainingConfig
from flipsketch.training.objective import draw_noise_and_timesteps

Kind = Literal["pixels", "latents", "places"]


class Samples(Protocol):
    """What is trained on, by position: clips, or their latents."""

    def __getitem__(self, position: int) -> dict[str, Any]: ...


@dataclass(frozen=True)
class HostBatch:
    """Samples on the host; for a GPU in pinned memory, which it copies without anybody waiting."""

    positions: list[int]
    kind: Kind
    clips: Tensor
    """Pixels (B, 3, F, H, W); latents (B, C, F, h, w); or, of latents that the device keeps, their
    places there (B,)."""
    tokens: Tensor
    """Of the prompts (B, L)."""
    noise: Tensor
    """(B, C, F, h, w)."""
    timesteps: Tensor
    """(B,)."""

    def pinned(self) -> "HostBatch":
        return replace(
            self,
            clips=self.clips.pin_memory(),
            tokens=self.tokens.pin_memory(),
            noise=self.noise.pin_memory(),
            timesteps=self.timesteps.pin_memory(),
        )


class Batches:
    """What each of the processes that train together takes of the samples."""

    def __init__(
        self,
        model: VideoModel,
        samples: Samples,
        config: TrainingConfig,
        *,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        # A tokenizer must not be used by two threads.
        self.model = replace(model, tokenizer=copy.deepcopy(model.tokenizer))
        self.tokenizing = Lock()
        self.samples, self.config = samples, config
        self.rank, self.num_ranks = rank, num_ranks

    def read_from(self, step: int) -> Generator[HostBatch, None, None]:
        """Yield the batches from a step on; the next ones are read meanwhile: one, or as many as
        samples that are far away need."""
        ahead = getattr(self.samples, "read_ahead", 1)
        waiting: deque[Future[HostBatch]] = deque()
        with Readers(ahead) as readers:
            for positions in self.positions_from(step):
                waiting.append(readers.submit(self.read, positions))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def positions_from(self, step: int) -> Iterator[list[int]]:
        config = self.config
        for number in range(step, config.num_steps):
            first = number * config.global_batch_size
            own = range(first + self.rank, first + config.global_batch_size, self.num_ranks)
            for at in range(0, len(own), config.batch_size):
                yield list(own[at : at + config.batch_size])

    def read(self, positions: list[int]) -> HostBatch:
        """Return the samples at some positions."""
        samples = [self.samples[position] for position in positions]
        kind, clips, shape = self.stack(samples)
        scheduler = self.model.scheduler
        noise, timesteps = draw_noise_and_timesteps(
            positions, shape, scheduler.config.num_train_timesteps, self.config.seed
        )
        with self.tokenizing:
            tokens = self.model.token_ids([sample["prompt"] for sample in samples])
        batch = HostBatch(positions, kind, clips, tokens, noise, timesteps)
        return batch.pinned() if self.model.device.type == "cuda" else batch

    def stack(self, samples: list[dict[str, Any]]) -> tuple[Kind, Tensor, tuple[int, ...]]:
        """Return what samples have of their clips, and the shape of each clip's latents."""
        if "latents" in samples[0]:
            latents = torch.stack([sample["latents"] for sample in samples])
            return "latents", latents, tuple(latents.shape[1:])
        if "place" in samples[0]:
            places = torch.tensor([sample["place"] for sample in samples])
            return "places", places, samples[0]["shape"]
        pixels = torch.cat([to_pixels(sample["frames"]) for sample in samples])
        *_, num_frames, height, width = pixels.shape
        factor, channels = self.model.vae_factor, self.model.vae.config.latent_channels
        return "pixels", pixels, (channels, num_frames, height // factor, width // factor)

"""Encode the training clips of one shard after another, before training, by actors like any other
job's."""

import torch

from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from flipsketch.corpus.row import Row
from flipsketch.models.kernels import PLAIN
from flipsketch.models.registry import NO_LORA
from flipsketch.models.video_model import DTYPES, load_model
from flipsketch.training.latent_cache import open_latents
from pipelines.execution.work import Report


class LatentMaker:
    """Holds a model and encodes shards of training clips with its VAE."""

    def __init__(
        self,
        *,
        shards: str,
        reading: ReaderConfig,
        model: str,
        motion_adapter: str | None,
        dtype: str,
        threads: int,
        device: str,
    ) -> None:
        torch.set_num_threads(threads)
        self.model = load_model(
            model,
            lora=NO_LORA,
            motion_adapter=motion_adapter,
            device=device,
            dtype=DTYPES[dtype],
            kernels=PLAIN,
        )
        self.latents = open_latents(TrainingClips(shards, reading), model, self.model.size, dtype)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> int:
        """Put the latents of a shard in place, of all its own rows, and return its index.

        Raises:
            OSError, ValueError: the shard cannot be read, or the latents cannot be written.
        """
        report(index, self.latents.encode_shard(self.model, index), 0)
        return index

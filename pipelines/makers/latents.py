"""Encode the training clips of one shard after another, before training, by actors like any other
job's."""

from typing import TYPE_CHECKING

import torch

from flipsketch.corpus.row import Row
from flipsketch.models.video_model import DTYPES, load_model
from pipelines.execution.work import Report
from pipelines.training.worker import open_clips, open_latents

if TYPE_CHECKING:
    from pipelines.train import TrainConfig


class LatentMaker:
    def __init__(self, config: "TrainConfig", device: str) -> None:
        assert config.dtype and config.threads, "the driver settles them"
        torch.set_num_threads(config.threads)
        self.model = load_model(config.model, device=device, dtype=DTYPES[config.dtype])
        self.latents = open_latents(open_clips(config), config, self.model.size)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> None:
        """Put the latents of a shard in place; it is the shard's own rows that count.

        Raises:
            OSError, ValueError: the shard cannot be read, or the latents cannot be written.
        """
        report(index, self.latents.encode_shard(self.model, index), 0)

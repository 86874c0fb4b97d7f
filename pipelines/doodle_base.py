"""Train the embedded base model, on a CPU in several processes of one thread."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import multiprocessing

from flipsketch.base_training import BaseStage, train_base
from flipsketch.model import quiet_libraries
from pipelines.cli import log_to_stderr


def train_together(num_ranks: int, arguments: tuple[Any, ...]) -> None:
    """Run `train_rank` in so many processes of a thread each, or in this one.

    Two processes of one thread did 1.48 times as much as one of two threads.
    """
    if num_ranks == 1:
        train_rank(0, 1, "", *arguments)
        return
    with tempfile.TemporaryDirectory() as meeting:
        address = f"file://{meeting}/point"
        # An interrupted job would wait for them, were they not to end with it.
        multiprocessing.spawn(train_rank, (num_ranks, address, *arguments), num_ranks, daemon=True)


def train_rank(
    rank: int,
    num_ranks: int,
    meeting: str,
    start: Path,
    latents: Path,
    prompts: list[str],
    stage: BaseStage,
    folder: Path,
    device: str,
    deadline: float,
) -> None:
    """Train the base model, as one of several processes that meet at an address.

    Args:
        latents: file with an array of them.
        prompts: theirs.
    """
    if num_ranks > 1:
        torch.set_num_threads(1)
        log_to_stderr()
        quiet_libraries()
        dist.init_process_group("gloo", meeting, rank=rank, world_size=num_ranks)
    train_base(
        start,
        np.load(latents),
        prompts,
        stage,
        folder,
        device=device,
        deadline=deadline,
        rank=rank,
        num_ranks=num_ranks,
    )
    if num_ranks > 1:
        dist.destroy_process_group()

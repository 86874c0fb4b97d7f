"""What there is to compute with, and making shards with it: on Ray, or in this process."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import tyro

from pipelines.execution.work import Maker, Report, Resources, Shard


@dataclass(frozen=True, kw_only=True)
class ExecutorConfig:
    executor: Literal["ray", "local"] = "ray"
    """Where the work is done: on Ray, or in this process (for little work, or without Ray)."""
    workers: Annotated[int | None, tyro.conf.arg(aliases=["--num-workers"])] = None
    """Processes on Ray; by default one for each GPU, else for each CPU as far as memory goes."""
    ray_address: str | None = None
    """Ray cluster to join ('auto': the one that runs on this machine); by default the one that a
    submitted job is in, else a new one on this machine."""
    stall_timeout_s: float = 600
    """Seconds without a sign of life from any actor after which the job gives up; a slow shard
    gives such signs."""

    def __post_init__(self) -> None:
        if not self.stall_timeout_s > 0:
            raise ValueError(f"stall_timeout_s must be more than 0, got {self.stall_timeout_s}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.executor == "local" and self.workers not in (None, 1):
            raise ValueError(
                f"the local executor is one worker, got workers={self.workers}; use --executor ray"
            )


def start(config: ExecutorConfig, weights_bytes: int, device: str | None) -> Resources:
    """Start or join Ray if need be, and share out what is there.

    Raises:
        ValueError: there is no such device, or not as many of them as workers.
    """
    if config.executor == "local":
        found = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and found == "cpu":
            raise ValueError("device is cuda, but torch finds no GPU here; leave out --device")
        chosen: Any = device or found
        return Resources(1, chosen, os.cpu_count() or 1)
    # Ray is imported where it is used alone: the local executor does without.
    from pipelines.execution.cluster import start_cluster

    return start_cluster(config, weights_bytes, device)


def make_shards(
    config: ExecutorConfig,
    resources: Resources,
    maker: Callable[[], Maker],
    shards: Iterable[Shard],
    report: Report,
) -> Iterator[int]:
    """Make the shards and yield the index of each as it is committed, in any order.

    Args:
        maker: builds the maker in the process that will use it; picklable.

    Raises:
        OSError, ValueError: a maker cannot do its work: a folder cannot be written, say.
        ChildProcessError, TimeoutError: actors die again and again, or none is heard of.
    """
    if config.executor == "local":
        local_maker = maker()
        for index, rows in shards:
            local_maker.make_shard(index, rows, report)
            yield index
        return
    from pipelines.execution.pool import ActorPool

    pool = ActorPool(resources, maker, report, config.stall_timeout_s)
    try:
        yield from pool.run(iter(shards))
    finally:
        pool.close()

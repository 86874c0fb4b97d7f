"""How a job is executed: on Ray or in this process."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from flipsketch.storage.waiting import check_seconds


@dataclass(frozen=True, kw_only=True)
class ExecutorConfig:
    executor: Literal["ray", "local"] = "ray"
    """Where the work is done: on Ray, or in this process (local), which starts sooner and is best
    for a few rows, for debugging, and where Ray is not installed."""
    workers: Annotated[int | None, tyro.conf.arg(aliases=["--num-workers"])] = None
    """Number of processes on Ray; by default one for each GPU, or else for each CPU as far as
    memory allows."""
    ray_address: str | None = None
    """Ray cluster to join ('auto' is the one that runs on this machine); by default the cluster of
    a submitted job, or else a new one on this machine."""
    stall_timeout_s: float = 600
    """Seconds without a report from any actor after which the job gives up. Actors report during
    slow shards too; raise it on a busy cluster, where they wait for a place."""

    def __post_init__(self) -> None:
        check_seconds("stall_timeout_s", self.stall_timeout_s)
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.executor == "local" and self.workers not in (None, 1):
            raise ValueError(
                f"the local executor is one worker, got workers={self.workers}; use --executor ray"
            )
        if self.executor == "local" and self.ray_address is not None:
            raise ValueError(
                f"the local executor joins no cluster, got ray_address={self.ray_address}; use "
                f"--executor ray, or leave out --ray-address"
            )

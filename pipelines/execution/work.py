"""What is shared out: shards, makers of them, and what these may use. Light, since every process on
Ray imports it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from flipsketch.corpus.row import Row


class JobError(RuntimeError):
    """What keeps a whole job from being done, in a sentence; no single row is to blame."""


Shard = tuple[int, list[Row]]
# Called by a maker with (index, good rows so far, failed rows so far).
Report = Callable[[int, int, int], None]


class Maker(Protocol):
    def make_shard(self, index: int, rows: list[Row], report: Report) -> Any:
        """Make a shard and commit it; return what the driver needs to know of it, its facts say."""
        ...


@dataclass(frozen=True)
class Resources:
    """What the executor has to offer, and what it makes of it."""

    workers: int
    device: Literal["cpu", "cuda"]
    cpus_per_worker: int
    """Threads that a worker may use without crowding out the others."""
    num_cpus: float = 0
    """Ray's logical CPUs for each actor."""
    num_gpus: int = 0
    driver: str | None = None
    """Names this run of the command to its workers; None where it is the worker itself."""

    @property
    def ask(self) -> dict[str, float]:
        return {"CPU": self.num_cpus, "GPU": self.num_gpus}

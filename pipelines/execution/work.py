"""What is shared out: shards, makers of them, and what these may use. Light, since every process on
Ray imports it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

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


class StagedShard(Protocol):
    """A shard under way, of whose three stages only one needs the device."""

    index: int
    rows: list[Row]
    is_suspect: bool
    """An earlier attempt left a note: nothing else is to run while this shard is made."""

    def read(self) -> None:
        """Read what the rows name; beside another shard that is animated."""
        ...

    def animate(self) -> Iterator[None]:
        """Use the device; always called in the same thread, and yields after each batch."""
        ...

    def commit(self) -> Any:
        """Commit it, beside another shard that is animated; return what `make_shard` does."""
        ...

    def give_up(self) -> None:
        """Make no more of it, since the job ends for another reason."""
        ...


@runtime_checkable
class StagedMaker(Protocol):
    """A maker that can have three shards under way: one read ahead, one on the device and one that
    is committed."""

    def make_shard(self, index: int, rows: list[Row], report: Report) -> Any: ...

    def begin_shard(self, index: int, rows: list[Row], report: Report) -> StagedShard: ...


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
    memory_bytes: int | None = None
    """Main memory for each worker, where that is known."""
    driver: str | None = None
    """Names this run of the command to its workers; None where it is the worker itself."""

    @property
    def ask(self) -> dict[str, float]:
        return {"CPU": self.num_cpus, "GPU": self.num_gpus}

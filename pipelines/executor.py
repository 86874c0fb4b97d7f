"""Make shards: in an actor pool on Ray, or one after the other in this process.

A maker is a picklable class whose instances have `make_shard(index, rows, report)`. It commits its
shard itself, so all that travels back is an index.
"""

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

import ray
import ray.data
import torch

from flipsketch.model import quiet_libraries
from flipsketch.row import Row

log = logging.getLogger(__name__)

Shard = tuple[int, list[Row]]
# Called by a maker with (index, good rows so far, failed rows so far).
Report = Callable[[int, int, int], None]

# A wave ends when its last shard does, and the next one loads the models again.
SHARDS_PER_ACTOR_AND_WAVE = 64


class Maker(Protocol):
    def make_shard(self, index: int, rows: list[Row], report: Report) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ExecutorConfig:
    executor: Literal["ray", "local"] = "ray"
    """Where shards are made: in actors on Ray, or in this process (to debug, or without Ray)."""
    workers: int | None = None
    """Actors; by default one for each GPU, else one for each CPU as far as memory goes."""
    ray_address: str | None = None
    """Ray cluster to join ('auto': the one that runs on this machine); by default the one that a
    submitted job is in, else a new one on this machine."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.executor == "local" and self.workers not in (None, 1):
            raise ValueError(
                f"the local executor is one worker, got workers={self.workers}; use --executor ray"
            )


@dataclass(frozen=True)
class Resources:
    """What the executor has to offer, and what it makes of it."""

    workers: int
    device: Literal["cpu", "cuda"]
    cpus_per_worker: int
    """Threads that a worker may use without crowding out the others."""
    num_cpus: float = 0
    """Ray's logical CPUs for each actor."""


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
    if not ray.is_initialized():
        address = config.ray_address or os.environ.get("RAY_ADDRESS") or "local"
        ray.init(address=address, log_to_driver=True, logging_level=logging.WARNING)
    cluster = ray.cluster_resources()
    cpus, gpus = int(cluster.get("CPU", 0)), int(cluster.get("GPU", 0))
    if cpus < 1:
        raise ValueError(f"the Ray cluster offers no CPU (it has {cluster}); start it with some")
    if (device or ("cuda" if gpus else "cpu")) == "cuda":
        workers = config.workers or max(1, gpus)
        if workers > gpus:
            raise ValueError(
                f"{workers} workers on cuda need a GPU each, the Ray cluster has {gpus}; "
                f"give fewer --workers, or --device cpu"
            )
        return Resources(workers, "cuda", max(1, cpus // workers), min(1.0, cpus / (2 * workers)))
    memory = int(cluster.get("memory", 0))
    # Weights, activations and a copy while loading; a process with torch and Ray takes 1 GB.
    by_memory = max(1, memory // (4 * weights_bytes + 2**30))
    workers = config.workers or min(cpus, by_memory)
    # Half of the logical CPUs stay free: a pool that takes them all can starve Ray's own tasks.
    return Resources(workers, "cpu", max(1, cpus // workers), cpus / (2 * workers))


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
    """
    if config.executor == "local":
        local_maker = maker()
        for index, rows in shards:
            local_maker.make_shard(index, rows, report)
            yield index
        return
    tally = ray.remote(num_cpus=0)(Tally).remote()
    with polling(tally, report):
        remaining = iter(shards)
        while wave := list(islice(remaining, SHARDS_PER_ACTOR_AND_WAVE * resources.workers)):
            yield from make_wave(resources, maker, wave, tally)


def make_wave(
    resources: Resources, maker: Callable[[], Maker], wave: list[Shard], tally: Any
) -> Iterator[int]:
    """One Ray row and one block is one shard; a wave bounds the blocks that Ray plans at once."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    shards = ray.data.from_items(
        [{"shard": pickle.dumps(shard)} for shard in wave], override_num_blocks=len(wave)
    )
    workers = min(resources.workers, len(wave))
    made = shards.map(
        ShardActor,
        fn_constructor_args=(maker, tally),
        # One task at a time: a second one queued on a slow actor could wait beside an idle one.
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=resources.num_cpus,
        num_gpus=1 if resources.device == "cuda" else 0,
    )
    for row in made.iter_rows():
        yield row["index"]


class ShardActor:
    """A maker as a Ray Data callable."""

    def __init__(self, maker: Callable[[], Maker], tally: Any) -> None:
        quiet_libraries()
        self.maker = maker()
        self.tally = tally

    def __call__(self, row: dict[str, Any]) -> dict[str, int]:
        index, rows = pickle.loads(row["shard"])
        self.maker.make_shard(index, rows, self.report)
        return {"index": index}

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        self.tally.report.remote(index, num_ok, num_failed)


class Tally:
    """Rows finished in each shard, where all actors can tell and the driver can ask."""

    def __init__(self) -> None:
        self.news: dict[int, tuple[int, int]] = {}

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        self.news[index] = (num_ok, num_failed)

    def take_news(self) -> dict[int, tuple[int, int]]:
        news, self.news = self.news, {}
        return news


@contextmanager
def polling(tally: Any, report: Report) -> Iterator[None]:
    """Hand the tally's news to `report` every second, from a thread of its own."""
    done = threading.Event()

    def pass_on() -> None:
        try:
            news = ray.get(tally.take_news.remote(), timeout=10)
        except ray.exceptions.RayError:
            return  # a tally lost with its node costs the progress line, not the run
        for index, (num_ok, num_failed) in news.items():
            report(index, num_ok, num_failed)

    def poll() -> None:
        while not done.wait(1.0):
            pass_on()

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
        pass_on()
    finally:
        done.set()
        thread.join()

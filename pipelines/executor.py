"""What there is to compute with, and making shards with it: on Ray, or in this process."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import ray
import torch
import tyro

from pipelines.pool import ActorPool, Maker, Report, Resources, Shard


@dataclass(frozen=True, kw_only=True)
class ExecutorConfig:
    executor: Literal["ray", "local"] = "ray"
    """Where shards are made: in actors on Ray, or in this process (to debug, or without Ray)."""
    workers: Annotated[int | None, tyro.conf.arg(aliases=["--num-workers"])] = None
    """Actors; by default one for each GPU, else one for each CPU as far as memory goes."""
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
    if not ray.is_initialized():
        address = config.ray_address or os.environ.get("RAY_ADDRESS") or "local"
        ray.init(address=address, log_to_driver=True, logging_level=logging.WARNING)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("CPU", "GPU"))
    if cpus < 1:
        raise ValueError(f"the Ray cluster offers no CPU (it has {nodes}); start it with some")
    if (device or ("cuda" if gpus else "cpu")) == "cuda":
        workers = config.workers or max(1, gpus)
        if workers > gpus:
            raise ValueError(
                f"{workers} workers on cuda need a GPU each, the Ray cluster has {gpus}; "
                f"give fewer --workers, or --device cpu"
            )
        resources = Resources(
            workers, "cuda", max(1, cpus // workers), min(1.0, cpus / (2 * workers)), 1
        )
    else:
        memory = int(sum(node.get("memory", 0) for node in nodes))
        # Weights, activations and a copy while loading; a process with torch and Ray takes 1 GB.
        by_memory = max(1, memory // (4 * weights_bytes + 2**30))
        workers = config.workers or min(cpus, by_memory)
        # Half of the logical CPUs stay free, for Ray's own tasks and for other jobs.
        resources = Resources(workers, "cpu", max(1, cpus // workers), cpus / (2 * workers))
    return fit_nodes(resources, nodes)


def fit_nodes(resources: Resources, nodes: list[dict[str, float]]) -> Resources:
    """Return the resources with CPUs that the nodes can give: an actor lives on a single one.

    Raises:
        ValueError: the nodes can never hold so many actors.
    """
    hosts = [node for node in nodes if node.get("GPU", 0) >= resources.num_gpus and node.get("CPU")]
    most = max((int(node["CPU"]) for node in hosts), default=0)
    resources = replace(
        resources,
        num_cpus=round(min(resources.num_cpus, most / 2), 4),
        cpus_per_worker=max(1, min(resources.cpus_per_worker, most)),
    )
    room = 0
    for node in hosts:
        by_cpu = int(node["CPU"] / resources.num_cpus + 1e-6)
        room += min(by_cpu, int(node["GPU"])) if resources.num_gpus else by_cpu
    if room < resources.workers:
        raise ValueError(
            f"the Ray cluster can never hold {resources.workers} actors that ask for "
            f"{resources.ask} each on one node, only {room} of them; its nodes have {nodes}; give "
            f"fewer --workers, or start nodes with more"
        )
    return resources


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
    pool = ActorPool(resources, maker, report, config.stall_timeout_s)
    try:
        yield from pool.run(iter(shards))
    finally:
        pool.close()

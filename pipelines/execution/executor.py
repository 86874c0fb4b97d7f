"""What there is to compute with, and making shards with it: on Ray, or in this process."""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flipsketch.storage.text import describe_raised
from pipelines.execution.ahead import make_in_line
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.work import JobError, Maker, Report, Resources, Shard


def start(config: ExecutorConfig, weights_bytes: int, device: str | None) -> Resources:
    """Start or join Ray if needed, and divide the resources among workers.

    Raises:
        ValueError: there is no such device, or not as many of them as workers.
        JobError: Ray cannot be started or joined.
    """
    if config.executor == "local":
        import torch

        found = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and found == "cpu":
            raise ValueError("device is cuda, but torch finds no GPU here; leave out --device")
        chosen: Any = device or found
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return Resources(1, chosen, os.cpu_count() or 1, memory_bytes=memory)
    # Ray is imported where it is used alone: the local executor does without.
    from pipelines.execution.cluster import start_cluster

    return start_cluster(config, weights_bytes, device)


def make_shards(
    config: ExecutorConfig,
    resources: Resources,
    maker: Callable[[], Maker],
    shards: Iterable[Shard],
    report: Report,
) -> Iterator[Any]:
    """Make the shards and yield what the maker returns for each, once committed, in any order.

    Args:
        maker: builds the maker in the process that will use it; picklable.

    Raises:
        OSError, ValueError: a maker cannot do its work: a folder cannot be written, say.
        ChildProcessError, TimeoutError: actors die repeatedly, or none reports in time.
        JobError: Ray itself fails.
    """
    if config.executor == "local":
        yield from make_in_line(maker(), iter(shards), report)
        return
    from ray.exceptions import RayError

    from pipelines.execution.pool import ActorPool

    try:
        pool = ActorPool(resources, maker, report, config.stall_timeout_s)
        try:
            yield from pool.run(iter(shards))
        finally:
            pool.close()
    except RayError as error:
        raise JobError(
            f"Ray fails: {describe_raised(error)}; see that its cluster runs; committed shards "
            f"are kept, rerun the same command to resume"
        ) from error

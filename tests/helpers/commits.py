"""What happens at a commit."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def once_committed(shard: int | None, action: Callable[[], object]) -> Iterator[None]:
    """Do something between the commit of a shard and the next shard, when the job says so.

    Args:
        shard: None is whichever is committed first.
    """
    start = "shard " if shard is None else f"shard {shard:05d}: "

    class Between(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(start):
                action()

    log, handler = logging.getLogger("pipelines.sharding.progress"), Between(logging.INFO)
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)

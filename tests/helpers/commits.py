"""What happens at a commit."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def once_committed(shard: int, action: Callable[[], object]) -> Iterator[None]:
    """Do something between the commit of a shard and the next shard, when the job says so."""

    class Between(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(f"shard {shard:05d}: "):
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

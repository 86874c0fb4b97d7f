"""A worker's shards, one after the other, so that its device need not wait: while one is animated,
the next one is read and the last one is committed, each in a thread.

A process that dies takes all three along. Whichever was to blame, each of them has left a note of
its own (`attempts`), and a shard with a note is made by itself, with nothing beside it: what is
learnt of its rows is learnt of them alone.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from pipelines.execution.work import Maker, Report, Shard, StagedMaker, StagedShard

# What a job that ends waits for a commit and for a sketch that is being read; a store may not
# answer at all.
FINISH_S = 5.0


def make_in_line(maker: Maker, shards: Iterator[Shard], report: Report) -> Iterator[Any]:
    """Make shards and yield what the maker returns for each, in their order.

    Args:
        shards: may wait for the next one; read in another thread, one at most before it is needed.
    """
    if not isinstance(maker, StagedMaker):
        for index, rows in shards:
            yield maker.make_shard(index, rows, report)
        return
    line = ShardLine(maker, shards, report)
    try:
        yield from line.run()
    except (Exception, KeyboardInterrupt):
        yield from line.finish()
        raise
    finally:
        line.close()


class ShardLine:
    """The shards that a maker has under way: in memory are the sketches of up to three, and of two
    the samples, or the pixels that are not encoded yet."""

    def __init__(self, maker: StagedMaker, shards: Iterator[Shard], report: Report) -> None:
        self.maker, self.shards, self.report = maker, shards, report
        self.reader = ThreadPoolExecutor(1, "read-ahead")
        self.committer = ThreadPoolExecutor(1, "commit")
        self.ahead: Future[StagedShard | None] | None = None
        self.committing: Future[Any] | None = None
        self.under_way: list[StagedShard] = []
        self.is_waiting = self.is_closed = False

    def run(self) -> Iterator[Any]:
        self.read_ahead()
        while (shard := (yield from self.next_shard())) is not None:
            if shard.is_suspect:
                yield from self.committed()
                yield self.maker.make_shard(shard.index, shard.rows, self.report)
                self.read_ahead()
                continue
            self.read_ahead()
            for _ in shard.animate():
                if self.committing is not None and self.committing.done():
                    yield from self.committed()
            # One shard at most waits for its commit, and so bounds what is held in memory.
            yield from self.committed()
            self.committing = self.committer.submit(self.commit, shard)
        yield from self.committed()

    def read_ahead(self) -> None:
        self.ahead = self.reader.submit(self.read_next)

    def read_next(self) -> StagedShard | None:
        if self.is_closed:
            return None
        self.is_waiting = True
        following = next(self.shards, None)
        self.is_waiting = False
        if following is None or self.is_closed:
            return None
        shard = self.maker.begin_shard(*following, self.report)
        if not shard.is_suspect:
            self.under_way.append(shard)
            if self.is_closed:
                shard.give_up()
            shard.read()
        return shard

    def next_shard(self) -> Generator[Any, None, StagedShard | None]:
        """Wait for the shard that is read ahead, and return it; yield what is made meanwhile."""
        assert self.ahead is not None
        while self.committing is not None and not self.ahead.done():
            wait([self.ahead, self.committing], return_when=FIRST_COMPLETED)
            if self.committing.done():
                yield from self.committed()
        if self.ahead.exception() is not None:
            # It is no fault of the shard before.
            yield from self.committed()
        return self.ahead.result()

    def commit(self, shard: StagedShard) -> Any:
        made = shard.commit()
        self.under_way.remove(shard)
        return made

    def committed(self) -> Iterator[Any]:
        """Wait for the commit that is under way, if there is one, and yield what was made."""
        if self.committing is not None:
            made = self.committing.result()
            self.committing = None
            yield made

    def finish(self) -> Iterator[Any]:
        """Yield what was made if its commit ends well and soon."""
        committing, self.committing = self.committing, None
        if committing is not None:
            wait([committing], FINISH_S)
            if committing.done() and committing.exception() is None:
                yield committing.result()

    def close(self) -> None:
        """Leave nothing under way."""
        self.is_closed = True
        for _ in self.finish():
            pass
        for shard in [*self.under_way]:
            shard.give_up()
        for pool in (self.reader, self.committer):
            pool.shutdown(wait=False)
        if self.ahead is not None and not self.is_waiting:
            wait([self.ahead], FINISH_S)

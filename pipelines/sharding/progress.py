"""How a run is going: the progress bar at a terminal, a line for each shard in a log."""

import logging

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts
from pipelines.execution.progress import ProgressBar

log = logging.getLogger(__name__)


class ShardProgress(ProgressBar):
    """The counts of a run's rows, and the bar that shows them."""

    def __init__(self, plan: Plan, shards: dict[int, ShardFacts], num_rows: int) -> None:
        """Take over what is known of the committed shards; `commit` adds to it.

        Args:
            num_rows: that will be there in the end.
        """
        self.shards = shards
        self.counts = {facts.index: (facts.ok, facts.failed) for facts in shards.values()}
        # Failed rows that are tried again count where they are now.
        self.num_retried = sum(len(part.rows) for part in plan.parts if part.kind == "retry")
        self.num_rows = num_rows
        self.num_ok_before, num_failed_before = self.totals()
        num_done = self.num_ok_before + num_failed_before
        super().__init__(num_rows, unit="row", initial=num_done, smoothing=0.05)

    @property
    def num_new_ok(self) -> int:
        return self.totals()[0] - self.num_ok_before

    def totals(self) -> tuple[int, int]:
        """Return how many rows are ok and how many have failed, those under way included."""
        # Copied, since a shard that is committed is reported from another thread.
        counts = [*self.counts.values()]
        return sum(ok for ok, _ in counts), sum(failed for _, failed in counts) - self.num_retried

    def retry(self, num_rows: int) -> None:
        """Take failed rows off the count: they are tried again."""
        self.num_retried += num_rows

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        """Note how far a shard is; a retry that starts over takes its rows back."""
        self.counts[index] = (num_ok, num_failed)
        ok, failed = self.totals()
        self.show(ok + failed, f"failed={failed}")

    def commit(self, facts: ShardFacts) -> None:
        self.shards[facts.index] = facts
        self.report(facts.index, facts.ok, facts.failed)
        if not self.is_shown:
            ok, failed = self.totals()
            log.info(
                "shard %05d: %d ok, %d failed; %d of %d rows done",
                facts.index,
                facts.ok,
                facts.failed,
                ok + failed,
                self.num_rows,
            )

"""How a run is going and how it went: the progress line, the counts, what failed and why."""

import logging
import sys
from collections import Counter
from dataclasses import dataclass

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, read_facts, read_failures
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

REASONS_SHOWN = 5


class Progress:
    """One line at a terminal (rows, rows/s, ETA, failures); a line for each shard in a log."""

    def __init__(self, plan: Plan, folder: Folder, shards: dict[int, ShardFacts]) -> None:
        """Take over what is known of the committed shards; `commit` adds to it."""
        self.folder, self.shards = folder, shards
        self.counts = {facts.index: (facts.ok, facts.failed) for facts in shards.values()}
        # Failed rows that are tried again count where they are now.
        self.num_retried = sum(len(part.rows) for part in plan.parts if part.kind == "retry")
        self.num_ok_before, num_failed_before = self.totals()
        self.redirect = logging_redirect_tqdm()
        self.bar = tqdm(
            total=plan.num_rows,
            initial=self.num_ok_before + num_failed_before,
            unit="row",
            disable=not sys.stderr.isatty(),
            smoothing=0.05,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Progress":
        self.redirect.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if not self.bar.disable:
            self.bar.close()
        if self.redirect is not None:
            self.redirect.__exit__(None, None, None)
            self.redirect = None

    @property
    def num_new_ok(self) -> int:
        return self.totals()[0] - self.num_ok_before

    def totals(self) -> tuple[int, int]:
        """Return how many rows are ok and how many have failed, those under way included."""
        counts = self.counts.values()
        return sum(ok for ok, _ in counts), sum(failed for _, failed in counts) - self.num_retried

    def retry(self, num_rows: int) -> None:
        """Take failed rows off the count: they are tried again."""
        self.num_retried += num_rows

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        """Note how far a shard is; a retry that starts over takes its rows back."""
        self.counts[index] = (num_ok, num_failed)
        ok, failed = self.totals()
        self.bar.set_postfix(failed=failed, refresh=False)
        self.bar.n = ok + failed
        self.bar.refresh()

    def commit(self, index: int) -> None:
        facts = self.shards[index] = read_facts(self.folder, index)
        self.report(index, facts.ok, facts.failed)
        if self.bar.disable:
            ok, failed = self.totals()
            log.info(
                "shard %05d: %d ok, %d failed; %d of %d rows done",
                index,
                facts.ok,
                facts.failed,
                ok + failed,
                self.bar.total,
            )


@dataclass(frozen=True)
class RunSummary:
    folder: Folder
    facts: list[ShardFacts]
    verb: str
    """What was done to the rows, in the past tense."""
    bad_row_remedy: str
    """What helps rows that the input itself has wrong."""

    @property
    def num_ok(self) -> int:
        return sum(facts.ok for facts in self.facts)

    @property
    def num_failed(self) -> int:
        return sum(facts.failed - facts.superseded for facts in self.facts)

    def log(self, *, seconds: float, new_clips: int) -> None:
        """Say what failed and why, and last what was made."""
        if num_cut := sum(facts.prompts_cut for facts in self.facts):
            log.warning(
                "%d prompts were longer than the text encoder takes, and were cut (prompt_cut in "
                "the metadata)",
                num_cut,
            )
        if self.num_failed:
            failures = read_failures(self.folder, self.facts).values()
            reasons = Counter(failure.error for failure in failures)
            for reason, count in reasons.most_common(REASONS_SHOWN):
                log.warning("failed %s: %s", f"{count} rows" if count > 1 else "1 row", reason)
            if len(reasons) > REASONS_SHOWN:
                log.warning("failed for %d other reasons", len(reasons) - REASONS_SHOWN)
            log.warning(
                "all %d failed rows: status 'failed' in %s/metadata/*.parquet; mend their files "
                "and add --retry-failed to the command",
                self.num_failed,
                self.folder,
            )
            if hopeless := sum(failure.key is None for failure in failures):
                log.warning(
                    "%d of them are wrong in the input itself: %s", hopeless, self.bad_row_remedy
                )
        log.info(
            "%s %d rows (%d failed), %d clips of them in this run in %.0f s, %.2f clips/s -> %s",
            self.verb,
            self.num_ok + self.num_failed,
            self.num_failed,
            new_clips,
            seconds,
            new_clips / seconds,
            self.folder,
        )


def parse_max_failures(text: str) -> tuple[float, bool]:
    """Return the number and whether it is a share: '3' -> (3, False), '2%' -> (0.02, True)."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not (0 <= value <= 1 if percent else value >= 0 and value == int(value)):
        raise ValueError(
            f"max_failures must be a count such as 3 or a share such as 2%, got {text}"
        )
    return value, percent


def exceeds(num_failed: int, num_rows: int, max_failures: str) -> bool:
    limit, is_share = parse_max_failures(max_failures)
    return num_failed > (limit * num_rows if is_share else limit)

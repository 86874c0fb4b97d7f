"""How a run went: what was made, what failed and why, and whether that is too much."""

import logging
from collections import Counter
from dataclasses import dataclass

from flipsketch.corpus.notes import describe_notes
from flipsketch.corpus.reasons import group_failures
from flipsketch.corpus.shard import ShardFacts, read_failures
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count

log = logging.getLogger(__name__)

REASONS_SHOWN = 5


@dataclass(frozen=True)
class RunSummary:
    folder: Folder
    facts: list[ShardFacts]
    verb: str
    """What was done to the rows, in the past tense."""
    bad_row_remedy: str
    """What helps rows that the input itself has wrong."""
    retried: bool
    """The command has tried failed rows again already."""
    is_pilot: bool = False
    """The command has made the pilot alone, which tries no row again."""
    num_unread: int = 0
    """Failed rows whose disk or server did not deliver their files."""

    @property
    def num_ok(self) -> int:
        return sum(facts.ok for facts in self.facts)

    @property
    def num_failed(self) -> int:
        return sum(facts.failed - facts.superseded for facts in self.facts)

    @property
    def num_rows(self) -> int:
        return self.num_ok + self.num_failed

    def log(self, *, seconds: float, new_clips: int) -> None:
        """Say what failed and why, and last what was made."""
        if num_cut := sum(facts.prompts_cut for facts in self.facts):
            log.warning(
                "%s longer than the text encoder takes, and cut (prompt_cut in the metadata)",
                count(num_cut, "prompt"),
            )
        if notes := sum((facts.notes for facts in self.facts), Counter[str]()):
            log.info("sketches: %s; sketch_notes in the metadata", describe_notes(notes))
        if self.num_failed:
            failures = read_failures(self.folder, self.facts).values()
            groups = group_failures(failures)
            for group in groups[:REASONS_SHOWN]:
                log.warning("failed %s", group)
            if len(groups) > REASONS_SHOWN:
                log.warning(
                    "failed for %s; jobs/status.py --corpus %s --json has all",
                    count(len(groups) - REASONS_SHOWN, "other reason"),
                    self.folder,
                )
            hopeless = sum(failure.key is None for failure in failures)
            again = "rerun the same command" if self.retried else "add --retry-failed"
            if self.is_pilot:
                again += " to this command without --pilot, which tries them again at its end"
            log.warning(
                "failed rows in all: %d, with the status 'failed' in %s/metadata/*.parquet%s",
                self.num_failed,
                self.folder,
                f"; mend what the reasons name, and {again}" if hopeless < self.num_failed else "",
            )
            if self.num_unread:
                log.warning(
                    "not delivered by their disk or server: %d; once it answers, rerun the same "
                    "command%s to try them again",
                    self.num_unread,
                    " without --pilot" if self.is_pilot else "",
                )
            if hopeless:
                log.warning("wrong in the input itself: %d; %s", hopeless, self.bad_row_remedy)
        log.info(
            "%s %s (%d failed), %s of them in this run in %.0f s, %.2f clips/s -> %s",
            self.verb,
            count(self.num_rows, "row"),
            self.num_failed,
            count(new_clips, "clip"),
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
    if not (0 <= value <= 1 if percent else value >= 0 and value.is_integer()):
        raise ValueError(
            f"max_failures must be a count such as 3 or a share such as 2%, got {text}"
        )
    return value, percent


def exceeds(num_failed: int, num_rows: int, max_failures: str) -> bool:
    limit, is_share = parse_max_failures(max_failures)
    return num_failed > (limit * num_rows if is_share else limit)

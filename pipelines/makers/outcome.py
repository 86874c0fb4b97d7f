"""What became of a row: a sample, or a sentence that says why there is none."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from flipsketch.corpus.passport import name_licenses
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.sample import Sample
from flipsketch.corpus.shard import ShardFacts, UnreadRow, write_shard
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import one_line


@dataclass(frozen=True)
class RowOutcome:
    columns: dict[str, Any]
    """What the metadata says of the row, but for its status and error."""
    sample: Sample | None = None
    """None of a failed row."""
    error: str | None = None
    """Why the row has failed."""
    unread: bool = False
    """It has failed since a disk or server did not deliver its file."""

    def __post_init__(self) -> None:
        assert (self.sample is None) == (self.error is not None), "a row is made, or it has failed"

    @property
    def record(self) -> dict[str, Any]:
        """The row of the metadata."""
        status = "failed" if self.sample is None else "ok"
        record = {**self.columns, "status": status, "error": self.error and one_line(self.error)}
        return UnreadRow(record) if self.unread else record


def count_outcomes(outcomes: Iterable[RowOutcome]) -> tuple[int, int]:
    """Return how many rows are ok, and how many have failed."""
    made = [outcome.sample is not None for outcome in outcomes]
    return sum(made), len(made) - sum(made)


def commit_outcomes(
    folder: Folder, plan: Plan, index: int, outcomes: list[RowOutcome], schema: pa.Schema
) -> ShardFacts:
    """Commit a shard of rows and what became of them, as `write_shard` does."""
    samples = [outcome.sample for outcome in outcomes if outcome.sample is not None]
    rows = [one.record for one in outcomes]
    name_licenses(rows, plan)
    return write_shard(folder, plan, index, rows, samples, schema)

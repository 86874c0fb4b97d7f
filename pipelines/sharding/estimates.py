"""Estimates from some rows of a run, with intervals, and the bytes of shards that are to come."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flipsketch.corpus.shard import ROWS_PER_GROUP, ShardFacts, read_metadata
from flipsketch.storage.folder import Folder
from flipsketch.storage.sealed import to_parquet

# The normal distribution's, of intervals that hold with 95%, and Student's for a few degrees of
# freedom, where his series converges slowly.
Z = 1.96
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182}
# Their metadata are read whole, to see what Parquet takes for a row.
SHARDS_READ = 16


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its 95% interval, which are NaN where nothing is known of them."""

    mean: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.low)

    def total(self, num_rows: "float | Estimate", known: float = 0.0) -> "Estimate":
        """Return the sum over so many more rows, and over some of which it is known."""
        if not isinstance(num_rows, Estimate):
            num_rows = Estimate(num_rows, num_rows, num_rows)
        if num_rows.high == 0:
            return Estimate(known, known, known)
        return Estimate(
            known + num_rows.mean * self.mean,
            known + num_rows.low * self.low,
            known + num_rows.high * self.high,
        )

    def shown(self, form: Callable[[float], str]) -> str:
        if self.low == self.high:
            return form(self.mean)
        ends = f"{form(self.low)} to {form(self.high)}" if self.has_interval else "unknown"
        return f"{form(self.mean)} ({ends})"


def estimate_mean(groups: Iterable[list[float]]) -> Estimate:
    """Estimate a mean from rows that were measured in groups: those of a group are alike.

    Source: Cochran (1977), Sampling Techniques, eq. 9A.8 without its finite-population factor; for
    Student's t, Abramowitz and Stegun, eq. 26.7.5, to its first term.
    """
    pairs = [(len(values), sum(values)) for values in groups]
    sizes, sums = np.array(pairs, float).T
    mean = sums.sum() / sizes.sum()
    degrees = len(pairs) - 1
    # A single group does not tell how others differ from it.
    if degrees == 0:
        return Estimate(mean, math.nan, math.nan)
    spread = math.sqrt(((sums - mean * sizes) ** 2).sum() / degrees * len(pairs)) / sizes.sum()
    error = STUDENT.get(degrees, Z + (Z**3 + Z) / (4 * degrees)) * spread
    return Estimate(mean, max(0.0, mean - error), mean + error)


def estimate_share(num_hits: int, num_rows: int) -> Estimate:
    """Estimate a share by Wilson's interval (1927), which holds where none or few are hits."""
    share, weight = num_hits / num_rows, Z**2 / num_rows
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight**2 / 4) / (1 + weight)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True)
class Sizes:
    """Bytes of tars and Parquet files, by what they grow with."""

    clip: Estimate
    """In its tar."""
    row: float
    """In its Parquet file, of each but the first."""
    shard: float
    """Of a Parquet file with one row, and of the end of a tar."""

    def total(
        self, num_rows: int, num_good: float | Estimate, num_shards: int, known: float = 0.0
    ) -> Estimate:
        """Return the bytes of so many more rows and shards, and of some that are known."""
        tables = num_shards * self.shard + (num_rows - num_shards) * self.row
        return self.clip.total(num_good, known + tables)


def read_sizes(folder: Folder, shards: list[ShardFacts]) -> Sizes:
    """Return what clips, rows and shards take, by some shards, of which one or more has a clip."""
    clips: list[int] = []
    for facts in shards:
        lengths = read_metadata(folder, facts.index, ["tar_length"])["tar_length"]
        clips += lengths.drop_null().to_pylist()
    num_tars = sum(facts.ok > 0 for facts in shards)
    tar_end = (sum(facts.tar_bytes for facts in shards) - sum(clips)) / num_tars
    # Small files are mostly their schema: what a row adds is seen in one file of many rows.
    rows = pa.concat_tables(read_metadata(folder, facts.index) for facts in spread_out(shards))
    first, every = (
        len(to_parquet(table, row_group_size=ROWS_PER_GROUP)) for table in (rows[:1], rows)
    )
    row = (every - first) / (len(rows) - 1) if len(rows) > 1 else 0.0
    return Sizes(estimate_mean([size] for size in clips), row, first + tar_end)


def spread_out(shards: list[ShardFacts]) -> list[ShardFacts]:
    """Return some shards from all of them."""
    return shards[:: -(-len(shards) // SHARDS_READ)]

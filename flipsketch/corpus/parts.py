"""The parts of a plan: which rows are in which shards."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, eq=False)
class RowsWithout:
    """The first rows of a manifest but for some, in order; only those left out are in memory."""

    num_rows: int
    left_out: np.ndarray
    """Positions, ascending."""

    def __len__(self) -> int:
        return self.num_rows - len(self.left_out)

    def __getitem__(self, places: slice) -> np.ndarray:
        numbers = range(len(self))[places]
        return self.at(np.arange(numbers.start, numbers.stop, numbers.step))

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """Return which rows the n-th of those that are left are."""
        num_left_before = self.left_out - np.arange(len(self.left_out))
        return numbers + np.searchsorted(num_left_before, numbers, side="right")


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive shards of a plan: rows that a pilot has drawn, the manifest's (others), rows
    added to it, or a second try."""

    kind: Literal["pilot", "manifest", "extend", "retry"]
    first_shard: int
    rows: np.ndarray | range | RowsWithout
    """Positions in the manifest, in order."""
    rows_per_shard: int

    @property
    def num_shards(self) -> int:
        return -(-len(self.rows) // self.rows_per_shard)

    @property
    def shards(self) -> range:
        return range(self.first_shard, self.first_shard + self.num_shards)

    def rows_in(self, shard: int) -> np.ndarray:
        first = (shard - self.first_shard) * self.rows_per_shard
        return np.asarray(self.rows[first : first + self.rows_per_shard])


def sorted_rows(parts: list[Part]) -> np.ndarray:
    """Return the rows of some parts, ascending."""
    return np.sort(np.concatenate([np.arange(0), *(part.rows[:] for part in parts)]))


def count_shards(parts: list[Part]) -> int:
    return sum(part.num_shards for part in parts)


def format_ranges(numbers: list[int]) -> str:
    """Return ascending numbers as text: [3, 7, 8, 9] as "3 7-9"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


def in_ranges(text: str, rows: np.ndarray | range) -> np.ndarray:
    """Return those of some rows that are in ranges written as `format_ranges` does."""
    rows = np.asarray(rows)
    if re.fullmatch(r"(\d+(-\d+)?( |$))*", text, re.ASCII) is None:
        raise ValueError(f"expected ranges of rows such as '3 7-12', found {text!r:.80}")
    ends = (entry.partition("-")[::2] for entry in text.split())
    chosen = [(rows >= int(first)) & (rows <= int(last or first)) for first, last in ends]
    return rows[np.any(chosen, axis=0)] if chosen else rows[:0]


def parse_ranges(text: str) -> np.ndarray:
    ends = (entry.partition("-")[::2] for entry in text.split())
    return np.concatenate([np.arange(int(first), int(last or first) + 1) for first, last in ends])

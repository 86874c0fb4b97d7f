"""Which clips of a scored corpus to keep, and the split (train, val or test) of each."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COMPARE = {
    ">=": pc.greater_equal,
    "<=": pc.less_equal,
    ">": pc.greater,
    "<": pc.less,
    "=": pc.equal,
}


@dataclass(frozen=True)
class Condition:
    """A comparison that a clip's score must satisfy."""

    score: str
    operator: str
    value: float | bool

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Return which rows satisfy it; a row without the score does not."""
        column = table[self.score]
        if is_number(column.type):
            # Integers such as seeds may be too large for an exact cast.
            column = column.cast(pa.float64(), safe=False)
        return pc.fill_null(COMPARE[self.operator](column, self.value), False)


def parse_condition(text: str, schema: pa.Schema) -> Condition:
    """Return the condition that a text such as "motion>=0.01" or "is_still=false" states.

    Raises:
        ValueError: it is not a condition, or the table has no such score.
    """
    found = re.fullmatch(r"\s*(\w+)\s*(>=|<=|==|=|>|<)\s*(\S+)\s*", text)
    if found is None:
        raise ValueError(f"{text!r}: must be a score, one of < <= = >= > and a value: motion>=0.01")
    score, operator, value = found[1], found[2].replace("==", "="), found[3].lower()
    check_score(text, score, schema, is_score)
    if pa.types.is_boolean(schema.field(score).type):
        if value not in ("true", "false") or operator != "=":
            raise ValueError(f"{text!r}: {score} is a flag; write {score}=true or {score}=false")
        return Condition(score, operator, value == "true")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise ValueError(f"{text!r}: {found[3]!r} is not a number")
    return Condition(score, operator, number)


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def is_score(kind: pa.DataType) -> bool:
    return is_number(kind) or pa.types.is_boolean(kind)


def check_score(
    text: str, score: str, schema: pa.Schema, fits: Callable[[pa.DataType], bool]
) -> None:
    """Raise ValueError unless the table has this score, in a type that fits."""
    scores = [field.name for field in schema if fits(field.type)]
    if score not in scores:
        raise ValueError(f"{text!r}: there is no score {score}; there are {', '.join(scores)}")


def rank_by(score: str, table: pa.Table, *, highest: bool) -> np.ndarray:
    """Return numbers (N,), higher for better rows; -inf for rows without the score.

    Raises:
        ValueError: there is no such score, or no row has it.
    """
    check_score(score, score, table.schema, is_number)
    values = table[score].cast(pa.float64(), safe=False)
    if values.null_count == len(values):
        raise ValueError(f"{score}: no clip has this score, so there is no best clip by it")
    ranks = values.to_numpy() * (1 if highest else -1)
    return np.where(np.isnan(ranks), -np.inf, ranks)


def best_of_each(groups: list[tuple[Any, ...]], scores: list[float]) -> list[int]:
    """Return the position of the best member of each group, in order; the first one on a tie."""
    best: dict[tuple[Any, ...], int] = {}
    for place, group in enumerate(groups):
        if group not in best or scores[place] > scores[best[group]]:
            best[group] = place
    return sorted(best.values())


def parse_splits(texts: tuple[str, ...]) -> dict[str, float]:
    """Return the share of each split from texts such as "train=0.9".

    Raises:
        ValueError: a text is not a name and a share, or the shares do not add up to 1.
    """
    shares = {}
    for text in texts:
        found = re.fullmatch(r"([a-z]\w*)=(0?\.\d+|0|1|1\.0)", text)
        if found is None or found[1] in shares:
            raise ValueError(f"{text!r}: must be a name and a share, each once: train=0.9")
        shares[found[1]] = float(found[2])
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"{' '.join(texts)}: the shares add up to {sum(shares.values()):g}, not 1")
    return shares


def split_by(sketches: list[str], shares: dict[str, float], seed: int) -> list[str]:
    """Return each clip's split; all clips of one sketch are in the same split.

    Sketches are sorted by a hash, and the sorted list is cut in proportion to the shares, counted
    in clips.

    Args:
        sketches: for each clip, an identifier of its sketch.
    """
    counts: dict[str, int] = defaultdict(int)
    for sketch in sketches:
        counts[sketch] += 1
    order = sorted(counts, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    names, ends, end = list(shares), [], 0.0
    for share in shares.values():
        end += share * len(sketches)
        ends.append(end)
    split_of, before = {}, 0
    for sketch in order:
        # By its middle clip, so that a cut is off by at most half of a sketch's clips.
        middle = before + counts[sketch] / 2
        place = next((place for place, end in enumerate(ends) if middle <= end), len(names) - 1)
        split_of[sketch] = names[place]
        before += counts[sketch]
    return [split_of[sketch] for sketch in sketches]

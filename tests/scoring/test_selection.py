"""Conditions, the best of several, and splits that share no sketch."""

from collections import Counter

import pyarrow as pa
import pytest

from flipsketch.scoring.selection import (
    best_of_each,
    parse_condition,
    parse_splits,
    rank_by,
    split_by,
)

TABLE = pa.table(
    {
        "motion": pa.array([0.0, 0.1, None, 0.3]),
        "is_still": pa.array([True, False, False, None]),
        "id": pa.array(["a", "b", "c", "d"]),
        "seed": pa.array([0, 2**62 + 1, 5, 7]),
        "nobody_has": pa.array([None] * 4, pa.float64()),
    }
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("motion>=0.1", [False, True, False, True]),
        ("motion > 0.1", [False, False, False, True]),
        ("motion<0.1", [True, False, False, False]),
        ("motion==0.3", [False, False, False, True]),
        ("is_still=false", [False, True, True, False]),
        ("is_still = True", [True, False, False, False]),
        ("seed>=6", [False, True, False, True]),
    ],
)
def test_a_condition_holds_where_it_says(text, holds):
    assert parse_condition(text, TABLE.schema).mask(TABLE).to_pylist() == holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("motion", "must be a score, one of"),
        ("speed>1", "there is no score speed; there are motion, is_still"),
        ("id=a", "there is no score id"),
        ("motion>fast", "'fast' is not a number"),
        ("motion>nan", "'nan' is not a number"),
        ("is_still>1", "is a flag; write is_still=true"),
    ],
)
def test_what_is_no_condition_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_condition(text, TABLE.schema)


def test_the_best_of_each_group_stays_and_of_equals_the_first():
    groups = [("a",), ("b",), ("a",), ("a",), ("b",)]
    assert best_of_each(groups, [0.1, 0.5, 0.7, 0.7, 0.4]) == [1, 2]


def test_what_lacks_the_score_is_never_the_best():
    lowest = rank_by("motion", TABLE, highest=False)
    assert best_of_each([("a",)] * 4, lowest.tolist()) == [0]
    highest = rank_by("motion", TABLE, highest=True)
    assert best_of_each([("a",), ("b",), ("b",), ("a",)], highest.tolist()) == [1, 3]
    with pytest.raises(ValueError, match="nobody_has: no clip has this score"):
        rank_by("nobody_has", TABLE, highest=True)
    with pytest.raises(ValueError, match="there is no score is_still; there are motion, seed"):
        rank_by("is_still", TABLE, highest=True)


def test_splits_have_their_shares_and_no_sketch_in_two():
    sketches = [f"sketch {number % 150}" for number in range(600)]
    shares = parse_splits(("train=0.8", "val=0.1", "test=0.1"))
    splits = split_by(sketches, shares, seed=0)
    counts = Counter(splits)
    assert abs(counts["train"] - 480) <= 4 and abs(counts["val"] - 60) <= 4
    for sketch in set(sketches):
        own = {split for name, split in zip(sketches, splits, strict=True) if name == sketch}
        assert len(own) == 1
    assert split_by(sketches, shares, seed=0) == splits != split_by(sketches, shares, seed=1)
    # Whatever the order in which the clips come.
    assert split_by(sketches[::-1], shares, seed=0) == splits[::-1]


def test_a_sketch_of_most_clips_is_not_torn_apart():
    splits = split_by(["big"] * 95 + list("abcde"), {"train": 0.5, "test": 0.5}, seed=0)
    assert len(set(splits[:95])) == 1


@pytest.mark.parametrize(
    "texts", [("train=0.9",), ("train=0.5", "train=0.5"), ("train=2",), ("a b=1",), ("1",)]
)
def test_shares_that_are_none_are_refused(texts):
    with pytest.raises(ValueError, match="add up to 0.9|must be a name and a share"):
        parse_splits(texts)

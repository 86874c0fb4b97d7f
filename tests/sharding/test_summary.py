"""What is said of a run when it has ended."""

from pipelines.sharding.summary import name_rows


def test_failed_rows_are_counted_and_a_few_named():
    assert name_rows(["cat"]) == "1 row (cat)"
    assert name_rows(["cat", "dog", "cow"]) == "3 rows (cat, dog, cow)"
    assert name_rows(["cat", "dog", "cow", "hen"]) == "4 rows (cat, dog, cow, ...)"

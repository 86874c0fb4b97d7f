"""Values that Python cannot hold cost their row alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.corpus.manifest import read_rows, summarize_manifest

FAR = 2**62
TEXT = pa.array([b"\xff\xfe", b"ok", b"x"])
COLUMNS = {
    "year 280,000": pa.array([8_800_000_000_000_000_000, 0, None], pa.timestamp("us")),
    "year 0": pa.array([-62_167_219_200_000_000, 0, None], pa.timestamp("us")),
    "a day": pa.array([2**31 - 1, 0, None], pa.int32()).cast(pa.date32()),
    "a time": pa.array([FAR, 0, None], pa.time64("us")),
    "a duration": pa.array([FAR, 0, None], pa.duration("s")),
    "in a list": pa.array([[FAR], [0], None], pa.list_(pa.timestamp("us"))),
    "nanoseconds of a day": pa.array([1, 0, None], pa.time64("ns")),
    "no zone": pa.array([1, None, None], pa.timestamp("us", tz="Nowhere/At all")),
    "no text": pa.Array.from_buffers(pa.string(), 3, TEXT.buffers()),
}


def write_manifest(folder, column) -> str:
    sketches = ["cat.svg"] * 3
    table = {"id": ["a", "b", "c"], "sketch": sketches, "prompt": ["p"] * 3, "extra": column}
    path = folder / "manifest.parquet"
    pq.write_table(pa.table(table), path)
    return str(path)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_value_that_cannot_be_read_fails_its_row(tmp_path, name):
    location = write_manifest(tmp_path, COLUMNS[name])
    summary = summarize_manifest(location)
    bad, *good = read_rows(location, summary)
    assert (summary.num_bad, bad.id, bad.key is not None) == (1, "a", True)
    assert (
        bad.error.startswith("column 'extra' (") and "has a value that cannot be read" in bad.error
    )
    assert [row.error for row in good] == [None, None] and [row.id for row in good] == ["b", "c"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1_000, 86_399_999_999_000, None], pa.time64("ns")),
        pa.array([1, FAR, None], pa.duration("ns")),
        pa.array([1, 5, None], pa.timestamp("us", tz="Europe/Berlin")),
        pa.array([1, 5, None], pa.int32()).cast(pa.decimal128(12, 2)),
    ],
)
def test_values_that_can_be_read_are_carried(tmp_path, column):
    location = write_manifest(tmp_path, column)
    summary = summarize_manifest(location)
    rows = list(read_rows(location, summary))
    assert [row.error for row in rows] == [None] * 3
    carried = pa.array([row.extra["extra"] for row in rows], column.type)
    assert carried.equals(column)

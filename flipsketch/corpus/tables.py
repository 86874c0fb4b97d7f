"""Tables of unknown origin, in Parquet, JSONL or CSV, row by row."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.storage.folder import open_file
from flipsketch.storage.hashed_file import HashedFile
from flipsketch.storage.location import split_query
from flipsketch.storage.text import one_line

CSV_FIELD_BYTES = 16 * 1024 * 1024
NANOSECONDS = pa.time64("ns")
READ_BYTES = 1 << 20


def read_table(
    location: str,
    columns: list[str],
    wanted: np.ndarray | None = None,
    file: HashedFile | None = None,
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each row's position and its fields, or a sentence on why a line has none.

    Args:
        columns: gains the columns' names; where one is there twice, no row is read.
        wanted: bool, the rows to yield; rows after its end are none of them.
    """
    if is_parquet(location):
        with open_parquet(location, file) as table:
            columns += table.schema_arrow.names
            if len(set(columns)) == len(columns):
                yield from read_parquet(table, wanted)
        return
    path, _ = split_query(location)
    name = path.removesuffix(".gz")
    if not name.endswith((".jsonl", ".ndjson", ".csv", ".tsv")):
        raise ValueError(f"{location}: expected a table named *.parquet, *.jsonl, *.csv or *.tsv")
    source: Any = open_file(location) if file is None else file
    if path.endswith(".gz"):
        source = pa.CompressedInputStream(source, "gzip")
    with io.BufferedReader(source, READ_BYTES) as stream:
        if name.endswith((".csv", ".tsv")):
            delimiter = "\t" if name.endswith("tsv") else ","
            yield from read_csv(stream, location, columns, wanted, delimiter)
        else:
            yield from read_jsonl(stream, columns, wanted)


def is_wanted(wanted: np.ndarray | None, index: int) -> bool:
    return wanted is None or (index < len(wanted) and bool(wanted[index]))


def read_parquet(
    table: pq.ParquetFile, wanted: np.ndarray | None
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    index = 0
    for group in range(table.num_row_groups):
        num_rows = table.metadata.row_group(group).num_rows
        if wanted is not None and not wanted[index : index + num_rows].any():
            index += num_rows
            continue
        # In one thread, which reads the columns in the order of the file, as its hash needs them.
        for batch in table.iter_batches(batch_size=1024, row_groups=[group], use_threads=False):
            if wanted is None or wanted[index : index + len(batch)].any():
                for place, fields in enumerate(to_rows(batch), start=index):
                    if is_wanted(wanted, place):
                        yield place, fields
            index += len(batch)


class DamagedRow(dict[str, Any]):
    """The fields of a row of which some have values that Python cannot hold; those are None."""

    error: str = ""


def to_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    # Python's times would silently lose the last digits of these.
    if NANOSECONDS not in batch.schema.types:
        # Arrow raises of a date or a text whatever makes it impossible.
        with suppress(Exception):
            return batch.to_pylist()
    return [to_row(batch.slice(place, 1)) for place in range(len(batch))]


def to_row(row: pa.RecordBatch) -> dict[str, Any]:
    """Return the fields of a batch of one row, column by column."""
    fields = DamagedRow()
    for name, column in zip(row.schema.names, row.columns, strict=True):
        fields[name] = None
        try:
            if column.type == NANOSECONDS and (column.cast(pa.int64())[0].as_py() or 0) % 1000:
                raise ValueError("times of day are carried to the microsecond")
            (fields[name],) = column.to_pylist()
        except Exception as error:
            fields.error = fields.error or (
                f"column {name!r:.80} ({column.type}) has a value that cannot be read "
                f"({one_line(str(error), 100)}); mend it, or write the column as text"
            )
    return fields if fields.error else dict(fields)


def is_parquet(location: str) -> bool:
    return split_query(location)[0].endswith((".parquet", ".pq"))


def open_parquet(location: str, file: HashedFile | None = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(open_file(location) if file is None else file)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{location}: not a readable Parquet file: {error}") from error


def read_jsonl(
    stream: io.BufferedReader, columns: list[str], wanted: np.ndarray | None
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    index = -1
    for number, line in enumerate(stream, start=1):
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        index += 1
        if not is_wanted(wanted, index):
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield index, f"line {number}: not a line of JSON: {error}"
            continue
        if isinstance(fields, dict):
            columns += [name for name in fields if name not in columns]
            yield index, fields
        else:
            yield index, f"line {number}: expected a JSON object, found {type(fields).__name__}"


def read_csv(
    stream: io.BufferedReader,
    location: str,
    columns: list[str],
    wanted: np.ndarray | None,
    delimiter: str,
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    csv.field_size_limit(CSV_FIELD_BYTES)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    # Between tabs a quote is a quote.
    quotes: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {}
    reader = csv.DictReader(text, strict=True, delimiter=delimiter, **quotes)
    line = 1
    try:
        columns += reader.fieldnames or []
        if len(set(columns)) < len(columns):
            return
        line = reader.line_num + 1
        for index, fields in enumerate(reader):
            line = reader.line_num + 1
            if not is_wanted(wanted, index):
                continue
            if None in fields:
                yield index, f"line {reader.line_num}: has more fields than the header names"
            else:
                # CSV has no null: an empty field says nothing.
                yield index, {name: value or None for name, value in fields.items()}
    except csv.Error as error:
        # A quote that is never closed swallows all rows after it, so no row can be trusted.
        raise ValueError(
            f"{location}: line {line}: the row that begins there is not CSV ({error}); look for a "
            f"quote that is not closed, and double those within a field"
        ) from error

"""Tables of unknown origin, in Parquet, JSONL or CSV, row by row, in memory that is bounded
whatever they unpack to."""

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from flipsketch.corpus.parquet_table import MAX_COLUMNS, MAX_ROWS, ParquetTable, is_parquet
from flipsketch.storage.folder import open_file
from flipsketch.storage.hashed_file import HashedFile
from flipsketch.storage.location import split_query
from flipsketch.storage.text import is_text

# Of a line of JSON, and of a row of CSV with all lines that its quotes hold together.
MAX_LINE_BYTES = 16 * 1024 * 1024
READ_BYTES = 1 << 20
# Of lists and objects in a line of JSON: half of what Python reads, which depends on who calls it,
# so that a line read for the plan is read for the shards too.
MAX_DEPTH = 500
MARKS = re.compile(rb"\\.|[\"\[\]{}]", re.DOTALL)


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

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no table, or one with more rows, columns or bytes in a row than is read.
    """
    if is_parquet(location):
        table = ParquetTable(location, file)
        columns += table.columns
        if len(set(columns)) == len(columns):
            yield from table.rows(wanted)
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
            yield from read_jsonl(stream, location, columns, wanted)


def is_wanted(wanted: np.ndarray | None, index: int) -> bool:
    return wanted is None or (index < len(wanted) and bool(wanted[index]))


def read_lines(stream: Any, location: str) -> Iterator[Any]:
    """Yield the lines of a file, bytes or text, as long as they are of a length to be read."""
    for number in itertools.count(1):
        # Twice as many lines as rows, as some may be blank.
        if number > 2 * MAX_ROWS:
            raise ValueError(
                f"{location}: has more than {2 * MAX_ROWS:,} lines, of which {MAX_ROWS:,} may be "
                f"rows; split it"
            )
        line = stream.readline(MAX_LINE_BYTES + 1)
        if not line:
            return
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(
                f"{location}: line {number}: is longer than the {MAX_LINE_BYTES:,} bytes allowed; "
                f"put each row on a line of its own, and long values into files"
            )
        yield line


def read_jsonl(
    stream: io.BufferedReader, location: str, columns: list[str], wanted: np.ndarray | None
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    index, known = -1, dict.fromkeys(columns)
    for number, line in enumerate(read_lines(stream, location), start=1):
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        index += 1
        refuse_more_rows(location, index)
        if not is_wanted(wanted, index):
            continue
        try:
            fields = parse_line(line)
        except RepeatedNameError as error:
            yield index, f"line {number}: {error}"
            continue
        except (ValueError, RecursionError) as error:
            yield index, f"line {number}: not a line of JSON: {error}"
            continue
        if isinstance(fields, dict):
            if new := [name for name in fields if name not in known]:
                if strange := [name for name in new if not is_text(name)]:
                    yield index, f"line {number}: {describe_name(strange[0])}"
                    continue
                known.update(dict.fromkeys(new))
                columns += new
                refuse_more_columns(location, columns)
            yield index, fields
        else:
            yield index, f"line {number}: expected a JSON object, found {type(fields).__name__}"


class RepeatedNameError(ValueError):
    """A JSON object has a name twice, of which all but the last would be lost."""


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise RepeatedNameError(f"has {name!r:.80} {times} times; give each name once")
    return fields


# Made once: a manifest has a million rows.
decode_json = json.JSONDecoder(object_pairs_hook=without_repeats).decode


def parse_line(line: bytes) -> Any:
    """As `json.loads`.

    Raises:
        RepeatedNameError: a name is there twice, of which that would take the last.
        ValueError: it is no JSON, or is nested too deep.
    """
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH and is_too_deep(line):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    return decode_json(line.decode(json.detect_encoding(line), "surrogatepass"))


def is_too_deep(line: bytes) -> bool:
    """Tell whether too many lists and objects lie in each other; brackets in texts are none."""
    depth, in_text = 0, False
    for match in MARKS.finditer(line):
        mark = match[0]
        if mark == b'"':
            in_text = not in_text
        elif not in_text and mark in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif not in_text and mark in b"]}":
            depth -= 1
    return False


def describe_name(name: str) -> str:
    return f"has a column named {name!r:.80}, which is not text in UTF-8; rename it"


def read_csv(
    stream: io.BufferedReader,
    location: str,
    columns: list[str],
    wanted: np.ndarray | None,
    delimiter: str,
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    csv.field_size_limit(MAX_LINE_BYTES)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = RowLines(read_lines(text, location), location)
    # Between tabs a quote is a quote.
    quotes: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if delimiter == "\t" else {}
    reader = csv.DictReader(lines, strict=True, delimiter=delimiter, **quotes)
    line = 1
    try:
        columns += reader.fieldnames or []
        refuse_more_columns(location, columns)
        if strange := [name for name in columns if not is_text(name)]:
            raise ValueError(f"{location}: line 1: {describe_name(strange[0])}")
        if len(set(columns)) < len(columns):
            return
        line = reader.line_num + 1
        for index, fields in enumerate(reader):
            lines.num_chars = 0
            refuse_more_rows(location, index)
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


class RowLines:
    """The lines of a row of CSV: many, where quotes hold them together."""

    def __init__(self, lines: Iterator[str], location: str) -> None:
        self.lines, self.location = lines, location
        self.num_chars = 0
        """Of the row so far; whoever has read a row sets it back."""

    def __iter__(self) -> "RowLines":
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.num_chars += len(line)
        if self.num_chars > MAX_LINE_BYTES:
            raise csv.Error(f"it is longer than the {MAX_LINE_BYTES:,} characters allowed")
        return line


def refuse_more_rows(location: str, index: int) -> None:
    if index >= MAX_ROWS:
        raise ValueError(f"{location}: has more than the {MAX_ROWS:,} rows allowed; split it")


def refuse_more_columns(location: str, columns: list[str]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise ValueError(
            f"{location}: has more than the {MAX_COLUMNS:,} columns allowed; leave some out, or "
            f"put what they say into one"
        )

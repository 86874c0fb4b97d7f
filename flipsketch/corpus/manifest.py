"""Manifests: tables of sketches and prompts, in Parquet, JSONL or CSV.

A manifest is read as a stream, twice: once to plan (count, fingerprint, find repeated ids, fix the
types of extra columns, hash the file), once to feed the shards. A bad row is read as a row with an
`error`; only what spoils the whole manifest (no such file, no `id` column, a reserved name) is
raised.
"""

import base64
import csv
import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.corpus.row import KNOWN_COLUMNS, Row, id_hash, parse_row, row_digest
from flipsketch.storage.folder import open_file
from flipsketch.storage.hashed_file import HashedFile
from flipsketch.storage.location import split_query
from flipsketch.storage.text import is_text

EXAMPLES = 5
# One of each.
NEEDED_COLUMNS = (("id",), ("sketch", "sketch_bytes"), ("prompt", "prompts"))
CSV_FIELD_BYTES = 16 * 1024 * 1024
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class ManifestSummary:
    """What one pass over a manifest finds out."""

    num_rows: int
    fingerprint: str
    """SHA-256 over the rows' contents in order, whatever the file format."""
    extra_schema: pa.Schema
    """The extra columns: Parquet's own types, or those that hold every value seen."""
    repeats: dict[int, int]
    """Rows whose id an earlier row has: their position, and that of the earlier one."""
    num_bad: int = 0
    """Rows that cannot be used as they are, without those that repeat an id."""
    bad_examples: tuple[str, ...] = ()
    """Why, for the first of them."""
    prefix_fingerprint: str | None = None
    """Fingerprint of the first `prefix_rows` rows, if there are as many."""
    file: str = ""
    """SHA-256 of the file."""

    def to_json(self) -> bytes:
        fields = {**vars(self), "repeats": list(self.repeats.items())}
        schema = self.extra_schema.serialize().to_pybytes()
        fields["extra_schema"] = base64.b64encode(schema).decode()
        return json.dumps(fields).encode()

    @staticmethod
    def from_json(text: bytes) -> "ManifestSummary":
        fields = json.loads(text)
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(fields["extra_schema"])))
        return ManifestSummary(
            **{
                **fields,
                "extra_schema": schema,
                "repeats": dict(fields["repeats"]),
                "bad_examples": tuple(fields["bad_examples"]),
            }
        )


def summarize_manifest(
    location: str, reserved: Iterable[str] = (), prefix_rows: int = 0
) -> ManifestSummary:
    """Read a manifest once, in memory that does not grow with it but for 16 bytes a row.

    Args:
        reserved: column names that the output needs for itself.
        prefix_rows: after how many rows to take the fingerprint of a beginning.

    Raises:
        ValueError, OSError: the manifest as a whole cannot be used.
    """
    digest = hashlib.sha256()
    prefix_fingerprint = None
    id_hashes = bytearray()
    kinds: dict[str, set[str]] = {}
    num_rows = num_bad = 0
    bad_examples: list[str] = []
    file = HashedFile(open_file(location))
    for row in parse_rows(location, reserved=reserved, file=file):
        num_rows += 1
        if row.error is not None:
            num_bad += 1
            if num_bad <= EXAMPLES:
                bad_examples.append(f"row {row.index + 1}: {row.error}")
        digest.update(row_digest(row))
        for name, value in row.extra.items():
            kinds.setdefault(name, set()).add(extra_kind(value))
        # A row without an id repeats none: its own position stands in.
        id_hashes += id_hash(row.id) if row.id else row.index.to_bytes(16, "big")
        if num_rows == prefix_rows:
            prefix_fingerprint = digest.hexdigest()
    if num_rows == 0:
        raise ValueError(f"{location}: has no rows; give a manifest with at least one sketch")
    if is_parquet(location):
        extra_schema = parquet_extra_schema(location, file)
    else:
        extra_schema = pa.schema([(name, extra_type(kinds[name])) for name in sorted(kinds)])
    return ManifestSummary(
        num_rows=num_rows,
        fingerprint=digest.hexdigest(),
        extra_schema=extra_schema,
        repeats=find_repeats(id_hashes),
        num_bad=num_bad,
        bad_examples=tuple(bad_examples),
        prefix_fingerprint=prefix_fingerprint,
        file=file.finish(),
    )


def find_repeats(id_hashes: bytearray) -> dict[int, int]:
    """Return, for each 16-byte hash that an earlier one equals, both positions."""
    hashes = np.frombuffer(id_hashes, np.uint64).reshape(-1, 2)
    # Equal ones become adjacent, in their order in the manifest.
    order = np.lexsort((np.arange(len(hashes)), hashes[:, 1], hashes[:, 0]))
    equal = (hashes[order[1:]] == hashes[order[:-1]]).all(axis=1)
    repeats: dict[int, int] = {}
    for place in np.flatnonzero(equal).tolist():
        earlier = int(order[place])
        repeats[int(order[place + 1])] = repeats.get(earlier, earlier)
    return repeats


def read_rows(
    location: str, summary: ManifestSummary, wanted: np.ndarray | None = None
) -> Iterator[Row]:
    """Yield the rows in order, extras in their types, later rows of a repeated id as failed.

    Args:
        wanted: bool (num_rows,), the rows to yield; the others cost next to nothing.
    """
    for row in parse_rows(location, wanted):
        if not is_parquet(location):
            row = replace(row, extra=cast_extra(row.extra, summary.extra_schema))
        if (first := summary.repeats.get(row.index)) is not None:
            row = replace(
                row, error=f"id {row.id!r} is already used by row {first + 1}; ids must be unique"
            )
        yield row


def parse_rows(
    location: str,
    wanted: np.ndarray | None = None,
    *,
    reserved: Iterable[str] = (),
    file: HashedFile | None = None,
) -> Iterator[Row]:
    """Yield the rows of a manifest, all or those wanted, as they stand in the file.

    Args:
        reserved: column names that the manifest may not have.
        file: the manifest, if it is open already.

    Raises:
        ValueError: a column that is needed is in no row at all, or there is one that must not be;
            known at the end, since in JSONL a row that lacks one is just a bad row.
    """
    columns: list[str] = []
    for index, fields in read_table(location, columns, wanted, file):
        if isinstance(fields, str):
            yield Row(index=index, error=fields)
        else:
            yield parse_row(index, fields)
    if wanted is None and columns:
        check_columns(location, columns, reserved)


def check_columns(location: str, columns: list[str], reserved: Iterable[str]) -> None:
    """Raise ValueError with all that is wrong with a manifest's columns, if anything is."""
    counts = Counter(columns)
    problems = [f"has column {name!r} {n} times" for name, n in counts.items() if n > 1]
    problems += [
        f"has no column {' or '.join(names)}"
        for names in NEEDED_COLUMNS
        if counts.keys().isdisjoint(names)
    ]
    ways = []
    if problems:
        ways.append(
            "a manifest has each column once, and needs id, sketch (or sketch_bytes) and "
            "prompt (or prompts)"
        )
    if clash := sorted((counts.keys() - KNOWN_COLUMNS) & set(reserved)):
        problems += [f"column {name!r} is a reserved name" for name in clash]
        ways.append("rename reserved columns, whose names the metadata uses itself")
    if problems:
        raise ValueError(
            f"{location}: {'; '.join(problems)} (found: {', '.join(columns)}); {'; '.join(ways)}"
        )


def read_table(
    location: str,
    columns: list[str],
    wanted: np.ndarray | None = None,
    file: HashedFile | None = None,
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield each row's position and its fields, or a sentence on why a line has none.

    Args:
        columns: gains the columns' names; where one is there twice, no row is read.
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
                for place, fields in enumerate(batch.to_pylist(), start=index):
                    if wanted is None or wanted[place]:
                        yield place, fields
            index += len(batch)


def is_parquet(location: str) -> bool:
    return split_query(location)[0].endswith((".parquet", ".pq"))


def open_parquet(location: str, file: HashedFile | None = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(open_file(location) if file is None else file)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{location}: not a readable Parquet file: {error}") from error


def parquet_extra_schema(location: str, file: HashedFile) -> pa.Schema:
    with open_parquet(location, file) as table:
        fields = [field for field in table.schema_arrow if field.name not in KNOWN_COLUMNS]
    # Dictionaries are read as their values.
    types = {
        field.name: field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in fields
    }
    return pa.schema(list(types.items()))


def read_jsonl(
    stream: io.BufferedReader, columns: list[str], wanted: np.ndarray | None
) -> Iterator[tuple[int, dict[str, Any] | str]]:
    index = -1
    for number, line in enumerate(stream, start=1):
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        index += 1
        if wanted is not None and not wanted[index]:
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
            if wanted is not None and not wanted[index]:
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


def extra_kind(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "string"
    if isinstance(value, float):
        return "float"
    return "string"


def extra_type(kinds: set[str]) -> pa.DataType:
    """Return the type that holds every value seen: exactly, or as text."""
    kinds = kinds - {"null"}
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds == {"int"}:
        return pa.int64()
    if kinds and kinds <= {"int", "float"}:
        return pa.float64()
    return pa.string()


def cast_extra(extra: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return every extra column of the manifest, null where the row has none."""
    return {field.name: cast_value(extra.get(field.name), field.type) for field in schema}


def cast_value(value: Any, kind: pa.DataType) -> Any:
    if extra_kind(value) == "null":
        return None
    if kind == pa.float64():
        return float(value)
    if kind == pa.string() and not isinstance(value, str):
        return json.dumps(value, sort_keys=True)
    if kind == pa.string():
        return value if is_text(value) else repr(value)
    return value

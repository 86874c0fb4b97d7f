"""Manifests: tables of sketches and prompts, in Parquet, JSONL or CSV.

A manifest is read as a stream, twice: once to plan (count, hash each row and the file, find
repeated ids, fix the types of extra columns), once to feed the shards, where each row must be the
one that was planned. A bad row is read as a row with an `error`; only what spoils the whole
manifest (no such file, no `id` column, a reserved name, rows that have changed) is raised.
"""

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from flipsketch.corpus.parquet_rows import DamagedRow
from flipsketch.corpus.parquet_table import ParquetTable, is_parquet
from flipsketch.corpus.row import KNOWN_COLUMNS, Row, id_hash, parse_row, row_digest
from flipsketch.corpus.row_digests import digest_of, fingerprint_rows
from flipsketch.corpus.row_licenses import count_row
from flipsketch.corpus.tables import read_table
from flipsketch.storage.folder import open_file
from flipsketch.storage.hashed_file import HashedFile
from flipsketch.storage.sealed import SEAL, check_bytes, to_json
from flipsketch.storage.text import (
    MAX_CONTENT,
    describe_error,
    is_text,
    one_line,
    quote_briefly,
)

EXAMPLES = 5
# One of each.
NEEDED_COLUMNS = (("id",), ("sketch", "sketch_bytes"), ("prompt", "prompts"))
RESTORE = (
    "the manifest has changed since then, and nothing was made of the change; restore it and rerun "
    "the same command to resume (if it has only gained rows at its end, add --extend), or give "
    "another --output"
)


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
    licenses: dict[str, int] | None = None
    """Good rows by the license that they name for their sketch, "" of those that name none; None
    where it was not counted, by earlier versions."""
    digests: bytes = b""
    """The rows' digests, flat, 32 bytes each; kept in a file of their own."""
    digest: Callable[[Row], bytes] = row_digest
    """Returns a row's digest."""

    def to_json(self) -> bytes:
        fields = {**vars(self), "repeats": list(self.repeats.items())}
        del fields["digests"], fields["digest"]
        if self.licenses is None:
            # One of an earlier version keeps its bytes.
            del fields["licenses"]
        schema = self.extra_schema.serialize().to_pybytes()
        fields["extra_schema"] = base64.b64encode(schema).decode()
        return to_json(fields)

    @staticmethod
    def from_json(text: bytes) -> "ManifestSummary":
        """Raises ValueError: it is not what `to_json` has written."""
        if check_bytes(text) == "broken":
            raise ValueError("is not as it was written: it is damaged, or was edited by hand")
        try:
            fields = json.loads(text)
            fields = {name: value for name, value in fields.items() if name not in SEAL}
            serialized = base64.b64decode(fields["extra_schema"], validate=True)
            summary = ManifestSummary(
                **{
                    **fields,
                    "extra_schema": pa.ipc.read_schema(pa.py_buffer(serialized)),
                    "repeats": dict(fields["repeats"]),
                    "bad_examples": tuple(fields["bad_examples"]),
                }
            )
            is_summary = summary.has_types()
        # What is read of a file that anybody may have edited raises whatever it leads to.
        except Exception as error:
            raise ValueError(f"is no summary of a manifest ({describe_error(error)})") from error
        if not is_summary:
            raise ValueError("is no summary of a manifest (a value is of a type it cannot have)")
        return summary

    def has_types(self) -> bool:
        """Tell whether all values are of the types, and in the ranges, that planning gives them."""
        rows = [row for pair in self.repeats.items() for row in pair]
        licenses = self.licenses or {}
        counts = self.num_rows, self.num_bad, *rows, *licenses.values()
        texts = self.fingerprint, self.file, *licenses
        return (
            all(type(count) is int for count in counts)
            and all(isinstance(text, str) for text in (*texts, *self.bad_examples))
            and isinstance(self.prefix_fingerprint, str | None)
            and isinstance(self.licenses, dict | None)
            and self.num_rows > 0
            and 0 <= self.num_bad <= self.num_rows
            and all(0 <= row < self.num_rows for row in rows)
        )


def summarize_manifest(
    location: str,
    reserved: Iterable[str] = (),
    prefix_rows: int = 0,
    find_error: Callable[[Row], str | None] = lambda row: row.error,
) -> ManifestSummary:
    """Read a manifest once, in memory that does not grow with it but for 48 bytes a row.

    Args:
        reserved: column names that the output needs for itself.
        prefix_rows: after how many rows to take the fingerprint of a beginning.
        find_error: why a row counts as bad; by default what is wrong with it by itself.

    Raises:
        ValueError, OSError: the manifest as a whole cannot be used.
    """
    digests, id_hashes = bytearray(), bytearray()
    kinds: dict[str, set[str]] = {}
    num_rows = num_bad = 0
    bad_examples: list[str] = []
    licenses = Counter[str]()
    file = HashedFile(open_file(location))
    for row in parse_rows(location, reserved=reserved, file=file):
        num_rows += 1
        if (problem := find_error(row)) is not None:
            num_bad += 1
            if num_bad <= EXAMPLES:
                bad_examples.append(f"row {row.index + 1}: {problem}")
        elif row.license_error is None:
            count_row(licenses, row)
        digests += row_digest(row)
        for name, value in row.extra.items():
            kinds.setdefault(name, set()).add(extra_kind(value))
        # A row without an id repeats none: its own position stands in.
        id_hashes += id_hash(row.id) if row.id else row.index.to_bytes(16, "big")
    if num_rows == 0:
        raise ValueError(f"{location}: has no rows; give a manifest with at least one sketch")
    if is_parquet(location):
        extra_schema = parquet_extra_schema(location, file)
    else:
        extra_schema = pa.schema([(name, extra_type(kinds[name])) for name in sorted(kinds)])
    return ManifestSummary(
        num_rows=num_rows,
        fingerprint=fingerprint_rows(digests),
        extra_schema=extra_schema,
        repeats=find_repeats(id_hashes),
        num_bad=num_bad,
        bad_examples=tuple(bad_examples),
        licenses=dict(licenses),
        prefix_fingerprint=fingerprint_rows(digests, prefix_rows)
        if 0 < prefix_rows <= num_rows
        else None,
        file=file.finish(),
        digests=bytes(digests),
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

    Raises:
        ValueError: a row is not the one that was planned, or is not there any more.
    """
    if wanted is None:
        wanted = np.ones(summary.num_rows, bool)
    left = np.flatnonzero(wanted).tolist()[::-1]
    rows = parse_rows(location, wanted)
    while left:
        try:
            row = next(rows, None)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ValueError(
                f"{location}: row {left[-1] + 1} cannot be read any more: {error}; {RESTORE}"
            ) from error
        if row is None:
            raise ValueError(
                f"{location}: ends before row {left[-1] + 1}, and had {summary.num_rows} rows when "
                f"it was planned; {RESTORE}"
            )
        left.pop()
        yield finish_row(location, summary, row)


def finish_row(location: str, summary: ManifestSummary, row: Row) -> Row:
    """Return a row as the shards have it.

    Raises:
        ValueError: it is not the one that was planned.
    """
    digest = summary.digest(row)
    if digest != digest_of(summary.digests, row.index):
        what = f"the id {row.id!r:.80}" if row.id else f"an error: {row.error:.80}"
        raise ValueError(
            f"{location}: row {row.index + 1} is not the one that was planned (found a row with "
            f"{what}); {RESTORE}"
        )
    if not is_parquet(location):
        row = replace(row, extra=cast_extra(row.extra, summary.extra_schema))
    error = row.error
    if (first := summary.repeats.get(row.index)) is not None:
        used = f"id {quote_briefly(row.id)} is already used by row {first + 1}"
        error = f"{used}; ids must be unique"
    return replace(row, error=error, digest=digest)


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
            row = parse_row(index, fields)
            damage = fields.error if isinstance(fields, DamagedRow) else None
            yield row if damage is None else replace(row, error=damage)
    if wanted is None and columns:
        check_columns(location, columns, reserved)


def check_columns(location: str, columns: list[str], reserved: Iterable[str]) -> None:
    """Raise ValueError with all that is wrong with a manifest's columns, if anything is."""
    counts = Counter(columns)
    twice = {name: n for name, n in counts.items() if n > 1}
    problems = [f"has column {quote_briefly(name)} {n} times" for name, n in twice.items()]
    del problems[EXAMPLES:]
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
        found = one_line(", ".join(columns), MAX_CONTENT)
        raise ValueError(f"{location}: {'; '.join(problems)} (found: {found}); {'; '.join(ways)}")


def parquet_extra_schema(location: str, file: HashedFile) -> pa.Schema:
    schema = ParquetTable(location, file).table.schema_arrow
    fields = [field for field in schema if field.name not in KNOWN_COLUMNS]
    # Dictionaries are read as their values.
    types = {
        field.name: field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in fields
    }
    return pa.schema(list(types.items()))


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

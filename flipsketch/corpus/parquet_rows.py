"""Rows of Arrow as Python's objects: what they take, and what Python cannot hold of them."""

from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flipsketch.storage.text import one_line

NANOSECONDS = pa.time64("ns")
# Of an object, but for a text's length.
VALUE_BYTES = 64


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


def python_bytes(array: pa.Array) -> int:
    """Return about how many bytes an array takes as Python's objects."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = array.dictionary
        if not is_binary(lengths.type):
            return VALUE_BYTES * len(array)
        lengths = pc.binary_length(lengths).take(array.indices)
        return VALUE_BYTES * len(array) + (pc.sum(lengths).as_py() or 0)
    if isinstance(array, pa.ExtensionArray):
        return python_bytes(array.storage)
    if pa.types.is_map(kind):
        first, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        entries = (array.keys[first:end], array.items[first:end])
        return VALUE_BYTES * len(array) + sum(map(python_bytes, entries))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return VALUE_BYTES * len(array) + python_bytes(array.flatten())
    if pa.types.is_struct(kind):
        return VALUE_BYTES * len(array) + sum(map(python_bytes, array.flatten()))
    return VALUE_BYTES * len(array) + (array.nbytes if is_binary(kind) else 0)


def is_binary(kind: pa.DataType) -> bool:
    checks = (
        *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary),
        *(pa.types.is_string, pa.types.is_large_string),
        *(pa.types.is_binary_view, pa.types.is_string_view),
    )
    return any(check(kind) for check in checks)

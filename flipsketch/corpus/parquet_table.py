"""Parquet tables of unknown origin, row by row, in memory that is bounded whatever they unpack to.

A page of a few bytes may unpack to gigabytes, a dictionary repeats a long value in every row for
nothing, and a row of a nested column may have all of its values. So the pages' headers are read
before the pages, and as few rows at a time as could be that large.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.corpus.parquet_pages import Page, longest_value, read_pages
from flipsketch.corpus.parquet_rows import python_bytes, to_rows
from flipsketch.storage.folder import open_file
from flipsketch.storage.hashed_file import HashedFile
from flipsketch.storage.location import split_query

MAX_ROWS = 10_000_000
MAX_COLUMNS = 1000
MAX_GROUP_BYTES = 4 * 1024**3
MAX_PAGE_BYTES = 256 * 1024**2
USUAL_RATIO = 8
# Pages that are open at once: one of each column, and its dictionary.
MAX_OPEN_BYTES = 512 * 1024**2
# Of a nested column in a row group: its rows may be of any length.
MAX_NESTED_VALUES = 32 * 1024**2
# What they may unpack to at once; else they are read as a dictionary, which takes longer.
NESTED_BYTES = 1024**3
MAX_ROW_BYTES = 256 * 1024**2
# What is read at a time may take so much, in Arrow's memory and in Python's.
BATCH_ROWS, BATCH_BYTES = 1024, 64 * 1024**2
# Texts in a dictionary that are as long as this are taken to stand in every row.
LONG_VALUE_BYTES = 256 * 1024
SMALLER = "write it with smaller row groups and pages, and rows of a moderate size, or split it"


def is_parquet(location: str) -> bool:
    return split_query(location)[0].endswith((".parquet", ".pq"))


class ParquetTable:
    """One Parquet file."""

    def __init__(self, location: str, file: HashedFile | None = None) -> None:
        """
        Args:
            file: the file, if it is open already; it stays open.

        Raises:
            OSError: there is no such file.
            ValueError: it is not Parquet, or more than anything that is read.
        """
        self.location = location
        self.source = open_file(location) if file is None else file
        # Of a file that is hashed as it is read the headers are read beneath.
        self.bytes = self.source.file if isinstance(self.source, HashedFile) else self.source
        self.table = self.open()
        self.num_unpacked = 0
        self.metadata = self.table.metadata
        groups = range(self.metadata.num_row_groups)
        num_rows = sum(self.metadata.row_group(group).num_rows for group in groups)
        self.refuse("rows", num_rows, MAX_ROWS, "split it")
        self.refuse("columns", self.metadata.num_columns, MAX_COLUMNS, "leave some out")
        schema = self.metadata.schema
        self.leaves = [schema.column(number) for number in range(len(schema))]

    def open(self, **options: Any) -> pq.ParquetFile:
        with self.named():
            return pq.ParquetFile(self.source, **options)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Say of what Arrow finds wrong with a file which file it is."""
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                # Not the file's fault, but that of the disk or server.
                raise
            raise ValueError(f"{self.location}: not a readable Parquet file: {error}") from error

    @property
    def columns(self) -> list[str]:
        return self.table.schema_arrow.names

    def rows(self, wanted: np.ndarray | None) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each row's position and its fields, of all rows or of those wanted.

        Raises:
            ValueError: they cannot be read, or unpack to more than is read.
        """
        index = 0
        for group in range(self.metadata.num_row_groups):
            num_rows = self.metadata.row_group(group).num_rows
            if wanted is not None and not wanted[index : index + num_rows].any():
                index += num_rows
                continue
            # In one thread, which reads the columns in the order of the file, as its hash needs.
            num_batch, repeating = self.batch_rows(group)
            self.num_unpacked = 0
            # What a nested column repeats is counted before it is unpacked.
            table = self.open(read_dictionary=repeating) if repeating else self.table
            with self.named():
                for batch in table.iter_batches(
                    batch_size=num_batch, row_groups=[group], use_threads=False
                ):
                    for piece in self.split(batch, index, wanted):
                        yield from piece
                    index += len(batch)

    def batch_rows(self, group: int) -> tuple[int, list[str]]:
        """Return how many rows of a row group can be read at a time, and the nested columns whose
        values may unpack to too much all the same.

        Raises:
            ValueError: not even one row can be read.
        """
        row_group, where = self.metadata.row_group(group), f"row group {group + 1}: "
        self.refuse(f"{where}bytes unpacked", row_group.total_byte_size, MAX_GROUP_BYTES)
        num_group = num_repeated = num_open = num_row = 0
        repeating = []
        for number, leaf in enumerate(self.leaves):
            chunk, column = row_group.column(number), f"{where}column {leaf.path!r:.80}: "
            pages = self.pages(chunk, column)
            data = [page for page in pages if not page.is_dictionary]
            largest = max(map(swollen_bytes, data), default=0)
            dictionary = sum(swollen_bytes(page) for page in pages if page.is_dictionary)
            self.refuse(
                f"{column}bytes of a page unpacked", max(largest, dictionary), MAX_PAGE_BYTES
            )
            num_group += sum(page.num_bytes for page in pages)
            num_open += largest + dictionary
            num_value = self.value_bytes(leaf, pages)
            if num_value >= LONG_VALUE_BYTES and not any(page.has_prefixes for page in data):
                num_repeated += num_value * sum(page.num_values for page in data)
            if leaf.max_repetition_level:
                # A row may have all of the values.
                num_values = sum(page.num_values for page in data)
                self.refuse(f"{column}values", num_values, MAX_NESTED_VALUES)
                if num_values * num_value > NESTED_BYTES and leaf.physical_type == "BYTE_ARRAY":
                    repeating.append(leaf.path)
            else:
                average = [page.num_bytes // max(1, page.num_values) for page in data]
                num_row += max([num_value, *average])
        self.refuse(f"{where}bytes unpacked", max(num_group, num_repeated), MAX_GROUP_BYTES)
        self.refuse(f"{where}bytes of pages unpacked at once", num_open, MAX_OPEN_BYTES)
        self.refuse(f"{where}bytes of a row", num_row, MAX_ROW_BYTES)
        return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, num_row))), repeating

    def pages(self, chunk: pq.ColumnChunkMetaData, where: str) -> list[Page]:
        try:
            return list(read_pages(self.bytes, chunk))
        except (ValueError, OverflowError) as error:
            raise ValueError(
                f"{self.location}: not a readable Parquet file: {where}{error}"
            ) from error

    def value_bytes(self, leaf: pq.ColumnSchema, pages: list[Page]) -> int:
        """Return how many bytes a value may have that next to nothing in a page repeats."""
        if leaf.physical_type != "BYTE_ARRAY":
            return max(8, leaf.length or 0)
        longest = [longest_value(self.bytes, page) for page in pages if page.is_dictionary]
        # A value may begin as the one before, and have as many bytes as all before it.
        longest += [page.num_bytes for page in pages if page.has_prefixes]
        return max(longest, default=0)

    def split(
        self, batch: pa.RecordBatch, index: int, wanted: np.ndarray | None
    ) -> Iterator[Iterator[tuple[int, dict[str, Any]]]]:
        """Yield the wanted rows of a batch, as few at a time as Python's objects have room."""
        if wanted is not None and not wanted[index : index + len(batch)].any():
            return
        num_bytes = sum(map(python_bytes, batch.columns))
        if num_bytes <= BATCH_BYTES or len(batch) == 1:
            self.refuse(f"row {index + 1}: bytes unpacked", num_bytes, MAX_ROW_BYTES)
            # Of long values, which may be repeated at next to no cost.
            if num_bytes > LONG_VALUE_BYTES * len(batch):
                self.num_unpacked += num_bytes
            self.refuse("bytes unpacked of a row group", self.num_unpacked, MAX_GROUP_BYTES)
            yield (
                (place, fields)
                for place, fields in enumerate(to_rows(batch), start=index)
                if wanted is None or (place < len(wanted) and wanted[place])
            )
            return
        middle = len(batch) // 2
        yield from self.split(batch[:middle], index, wanted)
        yield from self.split(batch[middle:], index + middle, wanted)

    def refuse(self, what: str, found: int, most: int, remedy: str = SMALLER) -> None:
        if found > most:
            raise ValueError(
                f"{self.location}: too large to be read: {what}: {found:,}, and at most {most:,} "
                f"are allowed; {remedy}"
            )


def swollen_bytes(page: Page) -> int:
    """Return the bytes of a page if they are many times those in the file: a file of large sketches
    has large pages too, and no more memory is needed for these than the file is long."""
    return page.num_bytes if page.num_bytes > USUAL_RATIO * page.num_packed else 0

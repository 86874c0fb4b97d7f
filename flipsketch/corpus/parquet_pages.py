"""What the pages of a Parquet file unpack to, by their headers: nothing is unpacked to find out.

The file's footer says less, and need not be true; a page's header says how much memory a reader
takes for it. Headers are in Thrift's compact protocol (parquet.thrift of Apache Parquet).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DICTIONARY_PAGE = 2
DELTA_BYTE_ARRAY = 7
# Headers are short, but for statistics that an old writer may have put there; Arrow's own limit.
HEADER_BYTES, MAX_HEADER_BYTES = 512, 16 * 1024 * 1024
MAX_DEPTH = 8
# Arrow's names of those that Parquet has.
CODECS = ("snappy", "zstd", "gzip", "lz4_raw", "brotli")

# Thrift's types in a struct, of those whose size depends on their type alone.
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
INTEGERS = (4, 5, 6)


@dataclass(frozen=True)
class Page:
    is_dictionary: bool
    num_bytes: int
    """Unpacked."""
    num_values: int
    """Nulls included."""
    place: int
    """Of its content in the file, packed."""
    num_packed: int
    has_prefixes: bool
    """Values are noted by what they have in common with the one before."""


class Cut(Exception):
    """A header goes on after the bytes that were read."""


class Header:
    """The fields of one page's header, from its bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def byte(self) -> int:
        if self.place >= len(self.content):
            raise Cut
        self.place += 1
        return self.content[self.place - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise ValueError("a number of its header has no end")

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def skip(self, num_bytes: int) -> None:
        self.place += num_bytes
        if self.place > len(self.content):
            raise Cut

    def value(self, kind: int, depth: int, *, in_list: bool = False) -> Any:
        """Return a number or the fields of a struct; pass over what is neither."""
        if kind in (TRUE, FALSE):
            return self.byte() if in_list else kind == TRUE
        if kind == BYTE:
            return self.byte()
        if kind in INTEGERS:
            return self.integer()
        if kind == DOUBLE:
            return self.skip(8)
        if kind == BINARY:
            return self.skip(self.varint())
        if kind in (LIST, SET):
            head = self.byte()
            count = head >> 4 if head >> 4 < 15 else self.varint()
            for _ in range(count):
                self.value(head & 15, depth + 1, in_list=True)
            return None
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"its header has a field of type {kind}")

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return a struct's fields by their numbers."""
        if depth > MAX_DEPTH:
            raise ValueError("its header is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            fields[number] = self.value(head & 15, depth)
        return fields


def read_pages(file: Any, chunk: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """Yield the pages of a column in a row group.

    Args:
        file: the Parquet file, with `read_at`.

    Raises:
        ValueError: they are not pages of Parquet.
    """
    starts = [chunk.data_page_offset]
    # A writer without dictionaries may have left a zero there.
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        starts.append(chunk.dictionary_page_offset)
    place = min(starts)
    end = place + chunk.total_compressed_size
    while place < end:
        fields, num_header = read_header(file, place, end)
        packed, unpacked = fields.get(3), fields.get(2)
        # Of pages with data, of dictionaries, and of the second format.
        kinds = [
            (fields[number], fields[number].get(encoding))
            for number, encoding in ((5, 2), (7, 2), (8, 4))
            if isinstance(fields.get(number), dict)
        ]
        counts, encoding = kinds[0] if kinds else ({1: 0}, None)
        if not isinstance(packed, int) or not isinstance(unpacked, int):
            raise ValueError(f"the page at byte {place} has no size")
        if packed < 0 or unpacked < 0 or place + num_header + packed > end:
            raise ValueError(f"the page at byte {place} goes beyond its column")
        num_values = counts.get(1)
        if not isinstance(num_values, int) or num_values < 0:
            raise ValueError(f"the page at byte {place} does not say how many values it has")
        place += num_header
        is_dictionary, has_prefixes = fields.get(1) == DICTIONARY_PAGE, encoding == DELTA_BYTE_ARRAY
        yield Page(is_dictionary, unpacked, num_values, place, packed, has_prefixes)
        place += packed


def longest_value(file: Any, page: Page) -> int:
    """Return the bytes of the longest value in a dictionary of texts, which is unpacked for it; if
    it cannot be, those of all."""
    packed = file.read_at(page.num_packed, page.place)
    # By trial, since pyarrow ends the process when it is asked for a codec that it does not know.
    for codec in (None, *CODECS):
        try:
            content = packed
            if codec is not None:
                content = pa.Codec(codec).decompress(packed, page.num_bytes, asbytes=True)
        except (ValueError, OSError, pa.ArrowException):
            continue
        if (longest := longest_in(content, page)) is not None:
            return longest
    return page.num_bytes


def longest_in(content: bytes, page: Page) -> int | None:
    """Return the length of the longest of a page's values; None if these are not its values."""
    longest = place = count = 0
    while place < len(content):
        # Each value stands after its length.
        num_bytes = int.from_bytes(content[place : place + 4], "little")
        longest = max(longest, num_bytes)
        place += 4 + num_bytes
        count += 1
    is_whole = (place, count) == (page.num_bytes, page.num_values)
    return longest if is_whole else None


def read_header(file: Any, place: int, end: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the page's header at a place, and its length in bytes."""
    num_bytes = HEADER_BYTES
    while True:
        header = Header(file.read_at(min(num_bytes, end - place), place))
        try:
            return header.struct(), header.place
        except Cut:
            if num_bytes >= min(MAX_HEADER_BYTES, end - place):
                raise ValueError(f"the page at byte {place} has no whole header") from None
            num_bytes *= 16

"""Files that prove themselves: each has its own SHA-256 in it, so that one changed bit is found.

The hash is taken of the whole file with 64 zeros in the hash's place. In Parquet it stands in the
footer, in JSON among the document's keys, in text in a comment at the end; each stays a valid file
of its kind. Files of earlier versions have none.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.storage.folder import File, Folder

ZEROS = "0" * 64
# Said twice, so that a file in which one of the two is damaged is not taken for an older one.
SEAL = {"sealed_by": "file_sha256", "file_sha256": ZEROS}
# As Parquet's footer (Thrift's compact protocol: a string follows its length), JSON and comments
# in HTML or Markdown write the two.
HASH = re.compile(
    rb"\x0bfile_sha256\x18\x40([0-9a-f]{64})"
    rb'|"file_sha256": "([0-9a-f]{64})"'
    rb"|<!-- file_sha256: ([0-9a-f]{64})"
)
MARK = re.compile(
    rb'\x09sealed_by\x18\x0bfile_sha256|"sealed_by": "file_sha256"|sealed_by: file_sha256 -->'
)
COMMENT = f"<!-- file_sha256: {ZEROS}, sealed_by: file_sha256 -->\n"
BLOCK_BYTES = 1 << 20
# Of a footer at least its end, where the hash is, even if its length is damaged.
MIN_FOOTER_BYTES = 64 * 1024
MAGIC = b"PAR1"

Seal = Literal["whole", "broken", "none"]


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    """Return a table as a sealed Parquet file; readers check its pages as well."""
    out = io.BytesIO()
    rows = options.pop("row_group_size", None)
    options = {"compression": "zstd", "write_page_checksum": True, **options}
    with pq.ParquetWriter(out, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=rows)
        # Not in the schema, which would have it a second time, encoded.
        writer.add_key_value_metadata(SEAL)
    return seal(out.getvalue())


def to_json(document: dict[str, Any], **options: Any) -> bytes:
    """Return a sealed JSON document, one line more than its text."""
    return seal((json.dumps({**document, **SEAL}, **options) + "\n").encode())


def to_text(text: str) -> bytes:
    """Return a sealed HTML or Markdown file."""
    return seal((text.removesuffix("\n") + "\n" + COMMENT).encode())


def seal(content: bytes) -> bytes:
    """Fill in the hash of a file that has zeros in its place."""
    start, end = find_hash(content)
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:start] + digest + content[end:]


def find_hash(content: bytes) -> tuple[int, int]:
    """Return where the digits of a file's own hash are; the last, as user's texts come first."""
    *_, found = HASH.finditer(content)
    return found.span(found.lastindex or 0)


def check_bytes(content: bytes) -> Seal:
    """Tell whether a file is as it was written; none of those of earlier versions can tell."""
    if not HASH.search(content):
        return "broken" if MARK.search(content) else "none"
    start, end = find_hash(content)
    unsealed = content[:start] + ZEROS.encode() + content[end:]
    is_whole = hashlib.sha256(unsealed).hexdigest().encode() == content[start:end]
    return "whole" if is_whole else "broken"


def check_parquet(folder: Folder, name: str) -> Seal:
    """As `check_bytes`, of a Parquet file of any size, which is read once and never parsed.

    Raises:
        OSError: it cannot be read.
    """
    with folder.open(name) as file:
        size = file.size()
        first, last = file.read_at(4, 0), file.read_at(8, max(0, size - 8))
        if first != MAGIC or last[4:] != MAGIC:
            return "broken"
        num_tail = max(int.from_bytes(last[:4], "little") + 8, MIN_FOOTER_BYTES)
        offset = max(0, size - num_tail)
        tail = file.read_at(size - offset, offset)
        if not HASH.search(tail):
            return "broken" if MARK.search(tail) else "none"
        start, end = find_hash(tail)
        digest = hashlib.sha256()
        for block in read_blocks(file, offset + start):
            digest.update(block)
        digest.update(ZEROS.encode() + tail[end:])
        return "whole" if digest.hexdigest().encode() == tail[start:end] else "broken"


def read_blocks(file: File, num_bytes: int) -> Iterator[bytes]:
    for start in range(0, num_bytes, BLOCK_BYTES):
        yield file.read_at(min(BLOCK_BYTES, num_bytes - start), start)

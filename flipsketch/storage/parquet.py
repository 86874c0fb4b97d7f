"""Reading of the Parquet files in a folder, on a disk or in a store."""

import pyarrow as pa
import pyarrow.parquet as pq

from flipsketch.storage.folder import Folder


def read_footer(folder: Folder, name: str) -> pq.FileMetaData:
    return folder.read_with(name, pq.read_metadata)


def read_table(folder: Folder, name: str, columns: list[str] | None = None) -> pa.Table:
    """Return the columns of a file; raises ValueError or OSError if its pages are damaged."""
    # From a store as a whole: its readers would wait where no signal reaches them.
    with folder.open(name) as file:
        source = file if folder.is_local else pa.BufferReader(file.read())
        return pq.read_table(source, columns=columns, page_checksum_verification=True)


def read_known_columns(folder: Folder, name: str, columns: list[str]) -> pa.Table:
    """Return those of the columns that a file has, as `read_table` does."""
    with folder.open(name) as file:
        source = file if folder.is_local else pa.BufferReader(file.read())
        return pq.ParquetFile(source, page_checksum_verification=True).read(columns)

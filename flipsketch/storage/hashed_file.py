"""A file that is hashed while it is read, so that it need not be read again for its hash."""

import hashlib
import io
from typing import Any

import pyarrow as pa

BLOCK_BYTES = 1 << 20


class HashedFile(io.RawIOBase):
    """Bytes go into the hash in their order, as they are read; where a reader leaps ahead (to the
    footer of a Parquet file, say), what it has skipped follows later, or at the end. Closing leaves
    the file beneath open, for `finish` closes that."""

    def __init__(self, file: pa.NativeFile) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.num_hashed = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        start = self.file.tell()
        content = self.file.read(len(buffer))
        buffer[: len(content)] = content
        if 0 < start - self.num_hashed <= BLOCK_BYTES:
            # Magic bytes, and what a writer has left between columns.
            self.file.seek(self.num_hashed)
            self.add(self.file.read(start - self.num_hashed))
            self.file.seek(start + len(content))
        if start <= self.num_hashed:
            self.add(content[self.num_hashed - start :])
        return len(content)

    def add(self, content: bytes) -> None:
        self.digest.update(content)
        self.num_hashed += len(content)

    def finish(self) -> str:
        """Return the hash of the whole file."""
        self.file.seek(self.num_hashed)
        while content := self.file.read(BLOCK_BYTES):
            self.add(content)
        self.file.close()
        return self.digest.hexdigest()

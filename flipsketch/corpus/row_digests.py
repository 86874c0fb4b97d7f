"""The digests of the rows that a plan was made of: which row is which, whatever the manifest says
later.

They lie in one file beside the plan, flat, 32 bytes a row in the manifest's order. The file proves
itself: its SHA-256 is the plan's fingerprint of the manifest, and that of a beginning is the
fingerprint of so many rows.
"""

import hashlib
import logging
from collections.abc import Iterable

import numpy as np

from flipsketch.corpus.plan import Plan
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

ROWS_FILE = "rows.sha256"
DIGEST_BYTES = 32


def digest_of(digests: bytes, row: int) -> bytes:
    return digests[DIGEST_BYTES * row : DIGEST_BYTES * (row + 1)]


def fingerprint_rows(digests: bytes | bytearray, num_rows: int | None = None) -> str:
    """Return the fingerprint of all rows, or of the first few."""
    end = len(digests) if num_rows is None else DIGEST_BYTES * num_rows
    return hashlib.sha256(memoryview(digests)[:end]).hexdigest()


def read_digests(folder: Folder, plan: Plan) -> bytes | None:
    """Return the digests of a plan's rows; None if the folder does not have them: an older run, or
    one that was killed at its beginning."""
    content = folder.read(ROWS_FILE)
    if content is None or fingerprint_rows(content) != plan.rows_fingerprint:
        return None
    return content


def write_digests(folder: Folder, plan: Plan, digests: bytes) -> None:
    assert fingerprint_rows(digests) == plan.rows_fingerprint, "the rows are those of the plan"
    if read_digests(folder, plan) is None:
        folder.publish(ROWS_FILE, digests)


def has_wrong_digests(folder: Folder, plan: Plan) -> bool:
    """Tell whether the digests are not those of the plan's rows; older runs have none at all."""
    return folder.read(ROWS_FILE) is not None and read_digests(folder, plan) is None


def shard_digest(digests: Iterable[bytes]) -> str:
    """Return what a shard's footer says of the rows that the shard was made of."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def planned_digest(plan: Plan, shard: int, digests: bytes) -> str:
    """Return what a shard's footer must say if it was made of the plan's rows."""
    every = np.frombuffer(digests, np.dtype((np.void, DIGEST_BYTES)))
    return hashlib.sha256(every[plan.part_of(shard).rows_in(shard)].tobytes()).hexdigest()

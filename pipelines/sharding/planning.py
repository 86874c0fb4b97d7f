"""Which rows are in which shard, and which shards are missing: the same for every job."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice
from operator import attrgetter

import numpy as np

from flipsketch.corpus.manifest import ManifestSummary, read_rows, summarize_manifest
from flipsketch.corpus.parts import in_ranges
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.row_digests import DIGEST_BYTES, read_digests
from flipsketch.corpus.shard import (
    ShardFacts,
    read_failures,
)
from flipsketch.storage.folder import Folder, hash_file
from pipelines.execution.work import Shard

# A few minutes of work on a GPU, and what a kill costs at most.
ROWS_PER_SHARD = 64

log = logging.getLogger(__name__)

# What planning found in the manifest, so that a resume need not read all of it again.
SUMMARY_FILE = "manifest.json"
MIN_SHARDS_PER_WORKER = 4


def choose_rows_per_shard(num_rows: int, workers: int, most: int, batch_size: int = 1) -> int:
    """Return so many rows that each worker gets several shards.

    Args:
        most: a few minutes of work: what a kill costs.
    """
    rows = max(1, min(most, num_rows // (MIN_SHARDS_PER_WORKER * workers)))
    # Whole batches, so that few are cut short.
    return rows - rows % batch_size if rows > batch_size else rows


def read_summary(
    location: str,
    folder: Folder,
    before: Plan | None,
    reserved: list[str],
    find_error: Callable[[Row], str | None] = attrgetter("error"),
) -> ManifestSummary:
    """Return what there is to know of a manifest: from the planning of the run `before` if the file
    is still the same, else by reading all of it.

    Args:
        find_error: as of `summarize_manifest`; it sees all rows where there is no run `before`.
    """
    known = read_known_summary(folder) if before else None
    if before is not None and known is not None and known.file == hash_file(location):
        digests = read_digests(folder, before)
        is_complete = len(digests or b"") == DIGEST_BYTES * known.num_rows
        if digests and is_complete and before.rows_fingerprint == known.fingerprint:
            return replace(known, digests=digests)
    prefix_rows = before.num_rows if before else 0
    return summarize_manifest(location, reserved, prefix_rows, find_error)


def read_known_summary(folder: Folder) -> ManifestSummary | None:
    found = folder.read(SUMMARY_FILE)
    try:
        return ManifestSummary.from_json(found) if found else None
    except ValueError as error:
        log.warning("%s/%s: %s; all rows are read instead", folder, SUMMARY_FILE, error)
        return None


def write_summary(folder: Folder, summary: ManifestSummary) -> None:
    content = replace(summary, prefix_fingerprint=None).to_json()
    if folder.read(SUMMARY_FILE) != content:
        folder.publish(SUMMARY_FILE, content)


def missing_shards(
    manifest: str,
    summary: ManifestSummary,
    plan: Plan,
    done: Collection[int],
    asked: range | None = None,
) -> Iterator[Shard]:
    """Yield the shards that are not committed, with their rows, reading the manifest as it goes.

    Args:
        asked: shards that are to be made now; by default all.
    """
    for number, part in enumerate(plan.parts):
        shards = part.shards if asked is None else [i for i in part.shards if i in asked]
        missing = [index for index in shards if index not in done]
        if not missing:
            continue
        wanted, tried_again = np.zeros((2, summary.num_rows), bool)
        for index in missing:
            wanted[part.rows_in(index)] = True
        for later in plan.parts[number + 1 :]:
            if later.kind == "retry":
                tried_again[later.rows[:]] = True
        rows = read_rows(manifest, summary, wanted)
        for index in missing:
            yield (
                index,
                [
                    # Else a row might come out well here too, and its clip stand in two tars.
                    replace(row, error="tried again in a later shard")
                    if tried_again[row.index]
                    else row
                    for row in islice(rows, len(part.rows_in(index)))
                ],
            )


def unread_rows(plan: Plan, shards: dict[int, ShardFacts]) -> list[int]:
    """Return the positions in the manifest of the rows that failed since a disk or server did not
    deliver their files, but for those that the plan tries again already."""
    unread: set[int] = set()
    for part in plan.parts:
        if part.kind == "retry":
            unread -= {*map(int, part.rows[:])}
        for index in part.shards:
            if index in shards and (text := shards[index].unread):
                unread |= set(in_ranges(text, part.rows_in(index)).tolist())
    return sorted(unread)


def retryable_rows(folder: Folder, shards: list[ShardFacts]) -> list[int]:
    """Return the positions in the manifest of the failed rows that may come out well this time."""
    failures = read_failures(folder, shards)
    return sorted(row for row, failure in failures.items() if failure.key is not None)

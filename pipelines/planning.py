"""Which rows are in which shard, and which shards are missing: the same for every job."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from flipsketch.manifest import ManifestSummary, read_rows, summarize_manifest
from flipsketch.plan import Plan
from flipsketch.shard import ShardFacts, read_failures
from flipsketch.storage import Folder, hash_file
from pipelines.pool import Shard

log = logging.getLogger(__name__)

# What planning found in the manifest, so that a resume need not read all of it again.
SUMMARY_FILE = "manifest.json"
# A few minutes of work on a GPU, and what a kill costs at most.
MAX_ROWS_PER_SHARD = 64
MIN_SHARDS_PER_WORKER = 4


def choose_rows_per_shard(num_rows: int, workers: int, batch_size: int) -> int:
    rows = max(1, min(MAX_ROWS_PER_SHARD, num_rows // (MIN_SHARDS_PER_WORKER * workers)))
    # Whole batches, so that few are cut short.
    return rows - rows % batch_size if rows > batch_size else rows


def read_summary(
    location: str, folder: Folder, before: Plan | None, reserved: list[str]
) -> ManifestSummary:
    """Return what there is to know of a manifest: from the planning of the run `before` if the file
    is still the same, else by reading all of it."""
    found = folder.read(SUMMARY_FILE) if before else None
    if found is not None:
        document = json.loads(found)
        if document["file_sha256"] == hash_file(location):
            return ManifestSummary.from_json(document["summary"].encode())
    return summarize_manifest(location, reserved, prefix_rows=before.num_rows if before else 0)


def write_summary(location: str, folder: Folder, manifest: ManifestSummary) -> None:
    document = {
        "file_sha256": hash_file(location),
        "summary": replace(manifest, prefix_fingerprint=None).to_json().decode(),
    }
    content = json.dumps(document).encode()
    if folder.read(SUMMARY_FILE) != content:
        folder.publish(SUMMARY_FILE, content)


def missing_shards(
    manifest: str,
    summary: ManifestSummary,
    plan: Plan,
    folder: Folder,
    done: dict[int, ShardFacts],
) -> Iterator[Shard]:
    """Yield the shards that are not committed, with their rows, reading the manifest as it goes."""
    for part in plan.parts:
        shards = range(part.first_shard, part.first_shard + part.num_shards)
        missing = [index for index in shards if index not in done]
        if not missing:
            continue
        if part.kind == "retry":
            earlier = [facts for facts in done.values() if facts.index < part.first_shard]
            positions = retryable_rows(folder, earlier)
        else:
            positions = np.arange(part.first_row, part.first_row + part.num_rows)
        wanted = np.zeros(summary.num_rows, bool)
        for index in missing:
            first = (index - part.first_shard) * part.rows_per_shard
            wanted[positions[first : first + part.rows_per_shard]] = True
        rows = read_rows(manifest, summary, wanted)
        for index in missing:
            yield index, list(islice(rows, part.num_rows_in(index)))


def retryable_rows(folder: Folder, shards: list[ShardFacts]) -> np.ndarray:
    """Return the positions in the manifest of the failed rows that may come out well this time."""
    failures = read_failures(folder, shards)
    return np.array(
        sorted(row for row, failure in failures.items() if failure.key is not None), np.int64
    )

"""Whether a shard is still what was committed: its tar's bytes, its samples, its rows."""

import hashlib
from collections import Counter
from typing import Any

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.sample import locate_samples
from flipsketch.corpus.shard import ShardFacts, metadata_name, read_metadata, tar_name
from flipsketch.storage.folder import Folder


def verify_shard(folder: Folder, plan: Plan, facts: ShardFacts, keys: Counter[str]) -> list[str]:
    """Return what is wrong with a shard; count its samples' keys."""
    rows = read_metadata(folder, facts.index).to_pylist()
    good = [row for row in rows if row["status"] == "ok"]
    keys.update(row["key"] for row in good)
    expected = plan.part_of(facts.index).rows_in(facts.index).tolist()
    problems = []
    if (len(good), len(rows) - len(good)) != (facts.ok, facts.failed):
        problems.append(
            f"{metadata_name(facts.index)}: {len(good)} ok and {len(rows) - len(good)} failed "
            f"rows, but {facts.ok} and {facts.failed} were counted"
        )
    if [row["manifest_row"] for row in rows] != expected:
        problems.append(f"{metadata_name(facts.index)}: its rows are not those of the plan")
    name = tar_name(facts.index, plan.tars)
    tar = folder.read(name) if facts.ok else b""
    if tar is None:
        return [*problems, f"{name}: is missing"]
    if facts.ok and hashlib.sha256(tar).hexdigest() != facts.tar_sha256:
        return [*problems, f"{name}: its bytes are not those that were committed"]
    return problems + compare_samples(name, tar, good)


def compare_samples(name: str, tar: bytes, rows: list[dict[str, Any]]) -> list[str]:
    """Return the samples that are not where the rows say, or of which no row says anything."""
    found = locate_samples(tar) if tar else {}
    expected = {row["key"]: (row["tar_offset"], row["tar_length"]) for row in rows}
    return [
        f"{name}: sample {key} at {found.get(key)}, its row says {expected.get(key)} "
        f"(offset and length in bytes)"
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
    ]

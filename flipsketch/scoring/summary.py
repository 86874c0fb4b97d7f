"""Summary of a corpus's scores: means, near-duplicates, and the clips of each prompt."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flipsketch.corpus.shard import read_metadata
from flipsketch.scoring.scores import CHECKPOINTS, SCORES, SCORES_SCHEMA
from flipsketch.scoring.store import read_scores
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

# Comparing all pairs among more clips would take too long.
MOST_COMPARED = 200_000


@dataclass(frozen=True)
class ScoreSummary:
    facts: dict[str, Any]
    """num_clips, num_failed, num_near_duplicates (None if not searched for), the scorers, and for
    each of `scores` the mean, standard error, least and most; a flag's mean is the share of clips
    that have it."""
    prompts: list[dict[str, Any]]
    """For each prompt: rows, clips, and the means of its CLIP scores."""


def summarize_scores(
    folder: Folder, shards: list[int], duplicate_cosine: float | None
) -> ScoreSummary:
    """Summarize the scores of some shards of a corpus.

    Args:
        duplicate_cosine: least cosine similarity of near-duplicates; None to skip the search.
    """
    columns = ["key", "error", *SCORES, *CHECKPOINTS]
    tables = [read_scores(folder, index, columns) for index in shards]
    table = pa.concat_tables(tables) if tables else SCORES_SCHEMA.empty_table()
    scored = table.filter(pc.is_null(table["error"]))
    checkpoints = scored.select(CHECKPOINTS).slice(0, 1)
    facts = {
        "num_clips": len(table),
        "num_failed": len(table) - len(scored),
        "num_near_duplicates": count_duplicates(folder, shards, len(scored), duplicate_cosine),
        "duplicate_cosine": duplicate_cosine,
        "scorers": next(iter(checkpoints.to_pylist()), {}),
        "scores": {name: describe(scored[name]) for name in SCORES},
    }
    return ScoreSummary(facts, cover_prompts(folder, shards, scored))


def describe(column: pa.ChunkedArray) -> dict[str, float | None] | None:
    """Return mean, standard error (None for one clip), minimum and maximum of a score; None if no
    clip has it."""
    values = column.drop_null().to_numpy().astype(np.float64)
    if len(values) == 0:
        return None
    return {
        "mean": float(values.mean()),
        "standard_error": float(values.std(ddof=1) / len(values) ** 0.5)
        if len(values) > 1
        else None,
        "least": float(values.min()),
        "most": float(values.max()),
    }


def count_duplicates(
    folder: Folder, shards: list[int], num: int, cosine: float | None
) -> int | None:
    if cosine is None:
        return None
    if num > MOST_COMPARED:
        log.warning("skipped the search for near-duplicates: more than %d clips", MOST_COMPARED)
        return None
    features = [
        vector
        for index in shards
        for vector in read_scores(folder, index, ["features"])["features"].drop_null().to_numpy()
    ]
    # Imported here, as PyTorch takes seconds to import and not every run needs it.
    from flipsketch.scoring.duplicates import find_duplicates

    return int((find_duplicates(np.stack(features), cosine) >= 0).sum()) if features else 0


def cover_prompts(folder: Folder, shards: list[int], scored: pa.Table) -> list[dict[str, Any]]:
    """Return the number of rows and clips of each prompt, and the means of its CLIP scores."""
    means = ["s2v_consistency", "t2v_alignment"]
    named = scored.select(["key", *means]).to_pylist()
    of_key = {row["key"]: [row[name] for name in means] for row in named}
    keys: dict[str, list[str | None]] = defaultdict(list)
    rows: dict[int, tuple[str, str | None]] = {}
    for index in shards:
        found = read_metadata(folder, index, ["manifest_row", "key", "prompt", "status"])
        for row in found.to_pylist():
            # A row that a later shard retried counts as that shard has it.
            rows[row["manifest_row"]] = row["prompt"], row["key"] if row["status"] == "ok" else None
    for prompt, key in rows.values():
        keys[prompt].append(key)
    return [
        {
            "prompt": prompt,
            "rows": len(own),
            "clips": sum(key is not None for key in own),
            **dict(zip(means, mean_of([of_key[key] for key in own if key in of_key]), strict=True)),
        }
        for prompt, own in keys.items()
    ]


def mean_of(values: list[list[float]]) -> list[float | None]:
    return np.mean(values, axis=0).tolist() if values else [None, None]


def to_markdown(summary: ScoreSummary) -> str:
    """Return a Markdown table of the means."""
    lines = ["| score | mean | standard error | least | most |", "|---|---|---|---|---|"]
    for name, values in summary.facts["scores"].items():
        if values is not None:
            numbers = " | ".join(
                "-" if value is None else f"{value:.4f}" for value in values.values()
            )
            lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines)

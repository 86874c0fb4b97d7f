"""The scores of a corpus, a Parquet file beside each shard's metadata, joined with it by key."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flipsketch.corpus.passport import SCORER_LICENSE
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts
from flipsketch.corpus.verify import CHANGED, Problem, checked, scores_remedy
from flipsketch.scoring.scores import SCORES_SCHEMA
from flipsketch.storage.folder import Folder
from flipsketch.storage.parquet import read_footer, read_table
from flipsketch.storage.sealed import check_bytes, check_parquet, to_json, to_parquet

SUMMARY_FILE, PROMPTS_FILE = "scores/summary.json", "scores/prompts.jsonl"


def scores_name(index: int) -> str:
    return f"scores/{index:05d}.parquet"


def scored_shards(folder: Folder) -> list[int]:
    """Return the indices of the shards that have scores, from one listing."""
    names = folder.list("scores")
    return sorted(int(name[:-8]) for name in names if re.fullmatch(r"\d{5,}\.parquet", name))


@dataclass(frozen=True)
class ScoreFacts:
    """What the footer of a file of scores says."""

    index: int
    scorers: str
    """Fingerprint of the checkpoints."""
    tar_sha256: str
    """Hash of the tar that was scored."""
    num_rows: int
    failed: int


def write_scores(
    folder: Folder, index: int, rows: list[dict[str, Any]], fingerprint: str, tar_sha256: str
) -> ScoreFacts:
    """Put a shard's scores in place, whole, and return what is to know of them."""
    num_failed = sum(row.get("error") is not None for row in rows)
    facts = ScoreFacts(index, fingerprint, tar_sha256, len(rows), num_failed)
    footer = {"scorers": fingerprint, "tar_sha256": tar_sha256, "failed": str(num_failed)}
    schema = SCORES_SCHEMA
    if not any(row.get(SCORER_LICENSE) for row in rows):
        # Copies of scores by an earlier version stay what they are.
        schema = schema.remove(schema.get_field_index(SCORER_LICENSE))
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata(footer))
    folder.publish(scores_name(index), to_parquet(table))
    return facts


def read_score_facts(folder: Folder, index: int) -> ScoreFacts:
    footer = read_footer(folder, scores_name(index))
    found = {name.decode(): value.decode() for name, value in footer.metadata.items()}
    return ScoreFacts(
        index=index,
        scorers=found["scorers"],
        tar_sha256=found["tar_sha256"],
        num_rows=footer.num_rows,
        failed=int(found["failed"]),
    )


def read_scores(folder: Folder, index: int, columns: list[str] | None = None) -> pa.Table:
    """Return some columns of a shard's scores, or all of them."""
    table = read_table(folder, scores_name(index), columns)
    if columns is None and SCORER_LICENSE not in table.column_names:
        # As of an earlier version, so that shards scored by both make one table.
        place = SCORES_SCHEMA.get_field_index(SCORER_LICENSE)
        field = SCORES_SCHEMA.field(place)
        return table.add_column(place, field, pa.nulls(len(table), field.type))
    return table


def write_score_summary(folder: Folder, facts: dict[str, Any], prompts: list[dict]) -> None:
    """Write the summary of all scores and that of each prompt; the first proves the second too."""
    lines = "".join(json.dumps(prompt) + "\n" for prompt in prompts).encode()
    folder.publish(PROMPTS_FILE, lines)
    digest = hashlib.sha256(lines).hexdigest()
    folder.publish(SUMMARY_FILE, to_json({**facts, "prompts_sha256": digest}, indent=1))


def verify_scores(
    folder: Folder, plan: Plan, index: int, shard: ShardFacts | None
) -> list[Problem]:
    """Return what is wrong with the scores of a shard."""
    name, remedy = scores_name(index), scores_remedy(plan)

    def check() -> list[Problem]:
        if check_parquet(folder, name) == "broken":
            return [Problem(name, CHANGED, remedy)]
        facts, num_rows = read_score_facts(folder, index), len(read_scores(folder, index))
        if shard is not None and (facts.tar_sha256, num_rows) != (shard.tar_sha256, shard.ok):
            return [Problem(name, "scores other clips than the corpus has", remedy)]
        return []

    return [
        replace(problem, remedy=remedy) if problem.is_damaged else problem
        for problem in checked(name, check)
    ]


def verify_score_summary(folder: Folder, plan: Plan) -> list[Problem]:
    """Return what is wrong with the summaries; those of earlier versions cannot tell."""
    remedy = "add --repair to move it aside, then run jobs/evaluate.py to make it again"

    def check() -> list[Problem]:
        summary, prompts = folder.read(SUMMARY_FILE), folder.read(PROMPTS_FILE)
        if summary is None or (seal := check_bytes(summary)) == "none":
            return []
        if seal == "broken":
            return [Problem(SUMMARY_FILE, CHANGED, remedy)]
        if hashlib.sha256(prompts or b"").hexdigest() != json.loads(summary)["prompts_sha256"]:
            return [Problem(PROMPTS_FILE, CHANGED, remedy, is_damaged=prompts is not None)]
        return []

    return checked(SUMMARY_FILE, check)

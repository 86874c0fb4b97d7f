"""How far a run is and whether what it wrote is sound. Reads only: works while a job runs."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.shard import (
    ShardFacts,
    metadata_name,
    read_failures,
    read_shards,
    tar_name,
)
from flipsketch.corpus.verify import verify_shard
from flipsketch.scoring.store import scored_shards, verify_scores
from flipsketch.storage.folder import Folder, open_folder
from pipelines.sharding.summary import REASONS_SHOWN


@dataclass(frozen=True, kw_only=True)
class StatusConfig:
    corpus: str
    """Folder of the run."""
    verify: bool = False
    """Read every tar and compare it with its hash, its samples with the metadata, the metadata with
    the plan, and the scores, if there are any, with the tars."""
    json: bool = False
    """Print JSON, for scripts."""


@dataclass
class Status:
    planned: int
    """Shards in the plan."""
    done: int = 0
    missing: int = 0
    in_doubt: list[str] = field(default_factory=list)
    """Files that no whole shard of this plan accounts for."""
    scored: int = 0
    """Shards with scores."""
    planned_rows: int = 0
    ok: int = 0
    failed: int = 0
    prompts_cut: int = 0
    """Rows with a prompt longer than the text encoder takes."""
    rows_per_s: float | None = None
    """Between the first commit and the last."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why rows failed, most frequent first."""
    problems: list[str] = field(default_factory=list)
    """What --verify found wrong."""


def print_status(config: StatusConfig) -> int:
    """Print the state of a run; return 1 if anything is in doubt or wrong, else 0.

    Raises:
        ValueError: there is no run in the folder.
    """
    folder = open_folder(config.corpus)
    plan = read_plan(folder)
    if plan is None:
        raise ValueError(f"{folder}: no run.json, so no run has begun here")
    status = read_status(folder, plan, verify=config.verify)
    print(json.dumps(asdict(status), indent=1) if config.json else describe(status, config.verify))
    return 1 if status.in_doubt or status.problems else 0


def read_status(folder: Folder, plan: Plan, *, verify: bool = False) -> Status:
    shards, doubts = read_shards(folder, plan)
    status = Status(
        planned=plan.num_shards,
        done=len(shards),
        missing=plan.num_shards - len(shards),
        in_doubt=doubts,
        planned_rows=plan.num_rows,
        ok=sum(facts.ok for facts in shards.values()),
        failed=sum(facts.failed - facts.superseded for facts in shards.values()),
        prompts_cut=sum(facts.prompts_cut for facts in shards.values()),
        rows_per_s=commit_rate(folder, list(shards.values())),
    )
    failures = read_failures(folder, list(shards.values())).values()
    status.reasons = dict(Counter(failure.error for failure in failures).most_common())
    with_tar = {tar_name(facts.index, plan.tars) for facts in shards.values() if facts.ok}
    for name in folder.list(plan.tars):
        if f"{plan.tars}/{name}" not in with_tar:
            status.in_doubt.append(f"{plan.tars}/{name}: belongs to no committed shard")
    if verify:
        keys: Counter[str] = Counter()
        for facts in shards.values():
            status.problems += verify_shard(folder, plan, facts, keys)
        for index in scored_shards(folder):
            status.scored += 1
            status.problems += verify_scores(folder, index, shards.get(index))
        status.problems += [f"key {key} names {n} samples" for key, n in keys.items() if n > 1]
    return status


def commit_rate(folder: Folder, shards: list[ShardFacts]) -> float | None:
    """Return rows per second over the run so far, by the ages of the commits."""
    if len(shards) < 2:
        return None
    paths = [folder.join(metadata_name(facts.index)) for facts in shards]
    found = folder.call(lambda: folder.filesystem.get_file_info(paths), "metadata", "listing")
    times = [file.mtime_ns for file in found]
    seconds = (max(times) - min(times)) / 1e9
    # What the first commit holds was made before the clock began.
    first = shards[times.index(min(times))]
    rows = sum(facts.ok + facts.failed for facts in shards) - first.ok - first.failed
    return rows / seconds if seconds else None


def describe(status: Status, verified: bool) -> str:
    rate = "" if status.rows_per_s is None else f", {status.rows_per_s:.2f} rows/s between commits"
    lines = [
        f"shards: {status.done} of {status.planned} done, {status.missing} missing{rate}",
        f"rows:   {status.ok} ok and {status.failed} failed of {status.planned_rows}",
    ]
    if status.prompts_cut:
        lines.append(f"cut:    {status.prompts_cut} prompts were longer than the model takes")
    shown = list(status.reasons.items())[:REASONS_SHOWN]
    lines += [f"failed: {count} x {reason}" for reason, count in shown]
    if len(status.reasons) > len(shown):
        lines.append(f"failed: {len(status.reasons) - len(shown)} other reasons (--json has all)")
    if status.missing:
        lines.append("not finished: rerun the same command to resume")
    again = "rerun the same command to make it again"
    lines += [f"in doubt: {entry}; {again}" for entry in status.in_doubt]
    lines += [f"wrong: {problem}" for problem in status.problems]
    if verified and not status.problems and not status.in_doubt:
        what = "tar, sample and row" + (" and score" if status.scored else "")
        lines.append(f"verified: every {what} of the {status.done} shards is as committed")
    return "\n".join(lines)

"""How far a run is and whether what it wrote is sound; the way back where it is not.

Without --repair it only reads, and works while a job runs.
"""

import json
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace

from flipsketch.corpus.kinds import CURATE, PLAN_COPY, PLAN_FILE
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.repair import repair_plan, set_aside
from flipsketch.corpus.shard import (
    TAR_IS_GONE,
    ShardFacts,
    metadata_name,
    read_failures,
    read_shards,
)
from flipsketch.corpus.verify import (
    Problem,
    find_old_copy,
    find_strangers,
    remake_command,
    verify_pages,
    verify_run_files,
    verify_shard,
)
from flipsketch.scoring.store import scored_shards, verify_score_summary, verify_scores
from flipsketch.storage.errors import printable
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import describe_error
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.planning import unread_rows
from pipelines.sharding.summary import REASONS_SHOWN

# A tar is followed by its metadata within moments, or by those of a slow disk or store.
ON_ITS_WAY_S = 600
STRANGERS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class StatusConfig:
    corpus: str
    """Folder of the run."""
    verify: bool = False
    """Read every file of the run and compare it with its hash, the samples with the metadata, the
    metadata with the plan, and the scores, if there are any, with the tars. Each problem is a line
    with the file, the reason and the remedy."""
    repair: bool = False
    """Verify, move what is damaged into the run's folder _damaged, and put back a damaged run.json
    from its copy; then rerun the command that is printed to make the rest again. Nothing is
    deleted, and nothing is done while a job runs."""
    remake: int = 0
    """Number of committed clips to make again, chosen at random, from run.json and the rows alone,
    and to compare: exactly on the same kind of device with the same versions, else within a
    tolerance. Nothing is written."""
    seed: int | None = None
    """Seed of that choice; by default another one each time, which is printed."""
    manifest: str | None = None
    """For --remake: where the corpus's manifest is now, if it has moved; of training shards, where
    the animations are."""
    model: str | None = None
    """For --remake: where the model is now, if it has moved."""
    lora: str | None = None
    """For --remake: where the adapter is now, if it has moved."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    json: bool = False
    """Print JSON, for scripts."""

    def __post_init__(self) -> None:
        if self.remake < 0:
            raise ValueError(f"remake must be a number of clips, got {self.remake}")
        if self.remake and self.repair:
            raise ValueError("--remake compares with what --repair moves aside; give one of them")


@dataclass
class Status:
    planned: int
    """Shards in the plan."""
    done: int = 0
    missing: int = 0
    on_its_way: list[str] = field(default_factory=list)
    """Tars that a running job has written, and whose metadata it has yet to write."""
    in_doubt: list[str] = field(default_factory=list)
    """Files that no whole shard of this plan accounts for."""
    scored: int = 0
    """Shards with scores."""
    planned_rows: int = 0
    ok: int = 0
    failed: int = 0
    unread: int = 0
    """Failed rows whose disk or server did not deliver their files; the same command tries them
    again."""
    prompts_cut: int = 0
    """Rows with a prompt longer than the text encoder takes."""
    rows_per_s: float | None = None
    """Between the first commit and the last."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why rows failed, most frequent first."""
    problems: list[str] = field(default_factory=list)
    """What --verify found wrong."""
    notes: list[str] = field(default_factory=list)
    """What --verify found that harms nothing: files of others, and edited pages."""
    repaired: list[str] = field(default_factory=list)
    """What --repair has done."""


def print_status(config: StatusConfig) -> int:
    """Print the state of a run; return 1 if anything is in doubt or wrong, else 0.

    Raises:
        ValueError: there is no run in the folder.
    """
    folder = open_folder(config.corpus)
    if config.repair:
        return repair(folder, config)
    try:
        plan, problems = read_plan(folder), []
    except ValueError as error:
        if not config.verify or (plan := read_plan(folder, name=PLAN_COPY)) is None:
            raise
        reason = describe_error(error).removeprefix(f"{folder}/{PLAN_FILE}: ").rpartition("; ")[0]
        problems = [f"{PLAN_FILE}: {reason}; add --repair to put back its copy, {PLAN_COPY}"]
    if plan is None:
        raise ValueError(f"{folder}: no run.json, so no run has begun here")
    if config.remake:
        # Here, as PyTorch takes seconds to import.
        from pipelines.remake import RemakeConfig, remake

        audit = RemakeConfig(
            num_clips=config.remake,
            seed=config.seed,
            manifest=config.manifest,
            model=config.model,
            lora=config.lora,
            sources=config.sources,
        )
        return remake(folder, plan, audit, config.json)
    status = read_status(folder, plan, verify=config.verify)
    status.problems = problems + status.problems
    shown = printable(describe(status, config.verify))
    print(json.dumps(asdict(status), indent=1) if config.json else shown)
    return 1 if status.in_doubt or status.problems else 0


def repair(folder: Folder, config: StatusConfig) -> int:
    """Move aside what is damaged, and print what makes it again; return 1 if anything is left that
    cannot be repaired, else 0.

    Raises:
        ValueError: a job runs, or there is no plan to repair by.
    """
    with folder.locked(), lock_scores(folder):
        done = repair_plan(folder)
        plan = read_plan(folder)
        assert plan is not None, "it was just repaired"
        found, left = find_damage(folder, plan), []
        for problem in found:
            if problem.is_damaged:
                target = set_aside(folder, problem.file)
                done.append(f"moved {problem.file} -> {target}: {problem.reason}")
            else:
                left.append(str(problem))
    status = read_status(folder, plan)
    status.problems, status.repaired = left, done
    print(json.dumps(asdict(status), indent=1) if config.json else describe(status, False))
    if not config.json and done:
        print("\n".join(list_commands(folder, plan, found)))
    return 1 if left else 0


def lock_scores(folder: Folder) -> AbstractContextManager[None]:
    """Return the lock of those who score, who may do so while more of a corpus is made."""
    has_scores = folder.list("scores")
    return replace(folder, path=folder.join("scores")).locked() if has_scores else nullcontext()


def find_damage(folder: Folder, plan: Plan) -> list[Problem]:
    """Return each file that is damaged once, and what else is wrong."""
    shards, doubts = read_shards(folder, plan)
    doubted = [doubt.partition(": ") for doubt in doubts if not doubt.endswith(TAR_IS_GONE)]
    problems = [Problem(name, reason) for name, _, reason in doubted]
    problems += find_problems(folder, plan, shards) + verify_pages(folder, plan)
    return list({problem.file: problem for problem in reversed(problems)}.values())[::-1]


def list_commands(folder: Folder, plan: Plan, found: list[Problem]) -> list[str]:
    """Return which commands make again what was moved aside, in their order."""
    files = [problem.file for problem in found if problem.is_damaged]
    pages = [name for name in files if name == "report.html"]
    scores = [name for name in files if name.startswith("scores/")]
    lines = []
    if len(files) > len(pages) + len(scores) or (scores and plan.kind is CURATE):
        lines.append(f"then rerun: {remake_command(plan)}")
    if scores and plan.kind is not CURATE:
        lines.append(f"then run: jobs/evaluate.py --corpus {folder.location}, as it was scored")
    if pages:
        lines.append(f"then run: jobs/report.py --corpus {folder.location}")
    return lines


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
        unread=len(unread_rows(plan, shards)),
        prompts_cut=sum(facts.prompts_cut for facts in shards.values()),
        rows_per_s=commit_rate(folder, list(shards.values())),
    )
    status.reasons = count_reasons(folder, shards)
    # What is in doubt is so with its tar.
    known = {doubt.partition(":")[0] for doubt in doubts}
    known |= {metadata_name(facts.index) for facts in shards.values() if facts.ok}
    for name in folder.list(plan.tars):
        file, stem = f"{plan.tars}/{name}", name.removesuffix(".tar")
        if stem != name and f"metadata/{stem}.parquet" not in known:
            if is_young(folder, file):
                status.on_its_way.append(file)
            else:
                status.in_doubt.append(f"{file}: belongs to no committed shard")
    if verify:
        status.scored = len(scored_shards(folder))
        status.problems = [str(problem) for problem in find_problems(folder, plan, shards)]
        status.notes = [
            str(problem) for problem in (*find_old_copy(folder), *verify_pages(folder, plan))
        ]
        strangers = list(find_strangers(folder, plan))
        status.notes += [f"{name}: not of this run, and ignored" for name in strangers]
    return status


def count_reasons(folder: Folder, shards: dict[int, ShardFacts]) -> dict[str, int]:
    """Return why rows failed, most frequent first; shards that cannot be read tell nothing."""
    found: Counter[str] = Counter()
    try:
        found.update(
            failure.error for failure in read_failures(folder, [*shards.values()]).values()
        )
    # --verify says which file it is.
    except Exception as error:
        found[
            f"not known, since metadata cannot be read ({describe_error(error)}); see --verify"
        ] += 1
    return dict(found.most_common())


def is_young(folder: Folder, name: str) -> bool:
    """Tell whether a file was written moments ago, so that a running job may not be done yet."""
    written = folder.filesystem.get_file_info(folder.join(name)).mtime_ns
    return written is not None and time.time() - written / 1e9 < ON_ITS_WAY_S


def find_problems(folder: Folder, plan: Plan, shards: dict[int, ShardFacts]) -> list[Problem]:
    """Return all that is wrong with what a run wrote."""
    keys: Counter[str] = Counter()
    problems = verify_run_files(folder, plan)
    sound = {}
    for index, facts in shards.items():
        found = verify_shard(folder, plan, facts, keys)
        problems += found
        if metadata_name(index) not in {problem.file for problem in found}:
            sound[index] = facts
    for index in scored_shards(folder):
        problems += verify_scores(folder, plan, index, sound.get(index))
    problems += verify_score_summary(folder, plan)
    problems += [
        Problem(
            "metadata",
            f"key {key} names {n} samples",
            "give each row an id of its own and make the corpus again",
            is_damaged=False,
        )
        for key, n in keys.items()
        if n > 1
    ]
    return problems


def commit_rate(folder: Folder, shards: list[ShardFacts]) -> float | None:
    """Return rows per second over the run so far, by the ages of the commits."""
    if len(shards) < 2:
        return None
    paths = [folder.join(metadata_name(facts.index)) for facts in shards]
    times = [file.mtime_ns for file in folder.filesystem.get_file_info(paths)]
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
    if status.unread:
        lines.append(
            f"unread: {status.unread} of the failed rows, whose disk or server did not deliver; "
            f"rerun the same command to try them again"
        )
    if status.missing:
        lines.append("not finished: rerun the same command to resume")
    lines += [
        f"on its way: {file}: a job has just written it, and its metadata are to follow"
        for file in status.on_its_way
    ]
    again = "rerun the same command to make it again"
    lines += [f"in doubt: {entry}; {again}" for entry in status.in_doubt]
    lines += [f"wrong: {problem}" for problem in status.problems]
    lines += [f"note: {note}" for note in status.notes[:STRANGERS_SHOWN]]
    if len(status.notes) > STRANGERS_SHOWN:
        lines.append(f"note: {len(status.notes) - STRANGERS_SHOWN} others (--json has all)")
    lines += [f"repaired: {line}" for line in status.repaired]
    if verified and not status.problems and not status.in_doubt:
        what = "tar, sample and row" + (" and score" if status.scored else "")
        lines.append(f"verified: every {what} of the {status.done} shards is as committed")
    return "\n".join(lines)

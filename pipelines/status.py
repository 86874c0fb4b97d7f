"""How far a run is and whether what it wrote is sound; the way back where it is not.

Without --repair it only reads, and works while a job runs.
"""

import json
import re
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from shlex import quote

from flipsketch.corpus.damaged import set_aside
from flipsketch.corpus.kinds import CURATE, PLAN_COPY, PLAN_FILE
from flipsketch.corpus.parts import count_shards
from flipsketch.corpus.plan import Plan, plan_remedy, read_plan
from flipsketch.corpus.repair import repair_plan
from flipsketch.corpus.shard import (
    OTHER_PLAN,
    TAR_IS_GONE,
    ShardFacts,
    find_on_their_way,
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
from flipsketch.scoring.store import (
    scored_shards,
    scores_name,
    verify_score_summary,
    verify_scores,
)
from flipsketch.storage.errors import printable
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import describe_error
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.planning import unread_rows
from pipelines.sharding.summary import REASONS_SHOWN

STRANGERS_SHOWN = 20
STRAY = "is of no clips of the plan"


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
    from its copy. What has to be made again is then missing: the commands that make it are printed,
    and the exit code is 1. Nothing is deleted, and nothing is done while a job runs."""
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
        if self.seed is not None and self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.remake and self.repair:
            raise ValueError("--remake compares with what --repair moves aside; give one of them")
        if not self.remake:
            for name in ("seed", "manifest", "model", "lora"):
                if getattr(self, name) is not None:
                    raise ValueError(f"--{name} is for --remake; give that too, or leave it out")


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
    piloted: int = 0
    """Rows of a pilot, with which the run began; the same command without it makes the others."""
    is_at_pilot: bool = False
    """The run has made no shard of other rows yet."""
    pilot_missing: int = 0
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
    commands: list[str] = field(default_factory=list)
    """What makes again what --repair moved aside or found missing, in this order."""


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
        reason = describe_error(error).removeprefix(f"{folder}/{PLAN_FILE}: ")
        reason = reason.removesuffix(f"; {plan_remedy(folder)}")
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
    """Move aside what is damaged, and print what makes it again; return 0 if all is whole then,
    else 1.

    Raises:
        ValueError: a job runs, or there is no plan to repair by.
    """
    with folder.locked(), lock_scores(folder):
        done = repair_plan(folder)
        plan = read_plan(folder)
        assert plan is not None, "it was just repaired"
        found = find_damage(folder, plan)
        for problem in found:
            if problem.is_damaged:
                target = set_aside(folder, problem.file)
                done.append(f"moved {problem.file} -> {target}: {problem.reason}")
        status = read_status(folder, plan, may_run=False)
        status.problems = [str(problem) for problem in found if not problem.is_damaged]
        status.repaired = done
        status.commands = list_commands(folder, plan, status, found)
    shown = printable(describe(status, False))
    print(json.dumps(asdict(status), indent=1) if config.json else shown)
    return 1 if status.problems or status.commands else 0


def lock_scores(folder: Folder) -> AbstractContextManager[None]:
    """Return the lock of those who score, who may do so while more of a corpus is made."""
    has_scores = folder.list("scores")
    return replace(folder, path=folder.join("scores")).locked() if has_scores else nullcontext()


def find_damage(folder: Folder, plan: Plan) -> list[Problem]:
    """Return each file that is damaged once, and what else is wrong."""
    shards, doubts = read_shards(folder, plan)
    doubted = [doubt.partition(": ") for doubt in doubts if not doubt.endswith(TAR_IS_GONE)]
    problems = [Problem(name, reason) for name, _, reason in doubted]
    problems += [
        Problem(f"{plan.tars}/{name}", STRAY)
        for name in folder.list(plan.tars)
        if re.fullmatch(r"\d{5,}\.tar", name)
        and (int(name[:-4]) >= plan.num_shards or holds_none(shards.get(int(name[:-4]))))
    ]
    problems += find_problems(folder, plan, shards) + verify_pages(folder, plan)
    return list({problem.file: problem for problem in reversed(problems)}.values())[::-1]


def holds_none(facts: ShardFacts | None) -> bool:
    """Tell whether a shard is committed, and has no clip that a tar could hold."""
    return facts is not None and facts.ok == 0


def list_commands(folder: Folder, plan: Plan, status: Status, found: list[Problem]) -> list[str]:
    """Return what makes again what was moved aside or is missing, in their order."""
    files = {
        one.file
        for one in found
        if one.reason not in (STRAY, OTHER_PLAN) and (one.is_damaged or one.reason == "is missing")
    }
    pages = {name for name in files if name == "report.html"}
    scores = {name for name in files if name.startswith("scores/")} | lost_scores(folder, plan)
    is_chosen = plan.kind is CURATE
    place = quote(folder.location)
    lines = []
    if files - pages - scores or status.missing or status.in_doubt or (scores and is_chosen):
        lines.append(f"then rerun: {remake_command(plan)}")
    if scores and not is_chosen:
        job = f"python jobs/evaluate.py --corpus {place}"
        lines.append(f"then run, with the scorers as before: {job}")
    if pages:
        lines.append(f"then run: python jobs/report.py --corpus {place}")
    return lines


def lost_scores(folder: Folder, plan: Plan) -> set[str]:
    """Return the scores that shards lack though others have theirs."""
    scored = set(scored_shards(folder))
    shards = read_shards(folder, plan)[0] if scored else {}
    return {scores_name(facts.index) for facts in shards.values() if facts.ok} - {
        scores_name(index) for index in scored
    }


def read_status(
    folder: Folder, plan: Plan, *, verify: bool = False, may_run: bool = True
) -> Status:
    """Return how far a run is, and with `verify` all that is wrong with it.

    Args:
        may_run: a job may be at work there.
    """
    shards, doubts = read_shards(folder, plan)
    num_pilot = count_shards(plan.pilots)
    status = Status(
        planned=plan.num_shards,
        done=len(shards),
        missing=plan.num_shards - len(shards),
        in_doubt=doubts,
        planned_rows=plan.num_rows,
        piloted=sum(len(part.rows) for part in plan.pilots),
        is_at_pilot=max(shards, default=-1) < num_pilot,
        pilot_missing=len({*range(num_pilot)} - {*shards}),
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
    tars = [name for name in folder.list(plan.tars) if name.endswith(".tar")]
    alone = [name for name in tars if f"metadata/{name[:-4]}.parquet" not in known]
    on_their_way = find_on_their_way(folder, plan, alone) if may_run else set()
    for name in alone:
        file = f"{plan.tars}/{name}"
        if name in on_their_way:
            status.on_its_way.append(file)
        else:
            status.in_doubt.append(f"{file}: belongs to no committed shard: its metadata are lost")
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


def say_how_to_resume(status: Status) -> str:
    if not (status.piloted and status.is_at_pilot):
        return "rerun the same command to resume"
    if status.pilot_missing:
        return "rerun the same command for the rest of its pilot, or without --pilot for all rows"
    return "its pilot is done; rerun the same command without --pilot for the other rows"


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
        lines.append(f"not finished: {say_how_to_resume(status)}")
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
    lines += status.commands
    if verified and not status.problems and not status.in_doubt:
        what = "tar, sample and row" + (" and score" if status.scored else "")
        lines.append(f"verified: every {what} of the {status.done} shards is as committed")
    return "\n".join(lines)

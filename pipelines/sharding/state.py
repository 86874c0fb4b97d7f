"""What a run's folder says: how far it is, why rows failed, and what is wrong with its files."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flipsketch.corpus.notes import describe_notes
from flipsketch.corpus.parts import count_shards
from flipsketch.corpus.plan import UNKNOWN, Plan
from flipsketch.corpus.reasons import group_failures
from flipsketch.corpus.restrictions import (
    describe_licenses,
    describe_terms,
    list_conflicts,
    list_restrictions,
)
from flipsketch.corpus.shard import (
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
    verify_pages,
    verify_run_files,
    verify_shard,
)
from flipsketch.scoring.store import scored_shards, verify_score_summary, verify_scores
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import MAX_CONTENT, count, describe_error, one_line
from pipelines.sharding.licenses import foresee_licenses, list_licenses
from pipelines.sharding.planning import read_known_summary, unread_rows
from pipelines.sharding.summary import REASONS_SHOWN

STRANGERS_SHOWN = 20


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
    sketch_notes: dict[str, int] = field(default_factory=dict)
    """Rows whose sketches were repaired, lack a part, or look wrong, by what was noted."""
    license: str = UNKNOWN
    """Of the corpus, as its user names it."""
    licenses: list[dict[str, str]] = field(default_factory=list)
    """Of each part of its clips (the sketch, the model and so on): part, license, and whether it
    allows commercial use and training other models: yes, no or unknown."""
    restrictions: list[str] = field(default_factory=list)
    """Which of the licenses are not known to allow commercial use, or contradict the corpus's."""
    rows_per_s: float | None = None
    """Between the first commit and the last."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why rows failed, most frequent first, each with one of them as an example."""
    failures: list[dict[str, Any]] = field(default_factory=list)
    """The same, with what is said there apart: the reason, the rows, and the example's row number,
    id, sketch and error."""
    problems: list[str] = field(default_factory=list)
    """What --verify found wrong."""
    notes: list[str] = field(default_factory=list)
    """What --verify found that harms nothing: files of others, and edited pages."""
    repaired: list[str] = field(default_factory=list)
    """What --repair has done."""
    commands: list[str] = field(default_factory=list)
    """What makes again what --repair moved aside or found missing, in this order."""


def read_status(
    folder: Folder, plan: Plan, *, verify: bool = False, may_run: bool = True
) -> Status:
    """Return how far a run is, and with `verify` all that is wrong with it.

    Args:
        may_run: a job may be at work there.
    """
    shards, doubts = read_shards(folder, plan)
    num_pilot = count_shards(plan.pilots)
    licenses = list_licenses(plan, list(shards.values()))
    if not shards and (summary := read_known_summary(folder)) is not None:
        # Of nothing that is made yet the manifest tells.
        licenses = foresee_licenses(plan, summary.licenses)
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
        sketch_notes=dict(sum((facts.notes for facts in shards.values()), Counter[str]())),
        license=plan.licence,
        licenses=[describe_terms(*pair) for pair in licenses],
        restrictions=list_restrictions(licenses) + list_conflicts(plan.licence, licenses),
        rows_per_s=commit_rate(folder, list(shards.values())),
    )
    status.reasons, status.failures = find_failures(folder, shards)
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


def find_failures(
    folder: Folder, shards: dict[int, ShardFacts]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return `reasons` and `failures` of a status; shards that cannot be read tell nothing."""
    try:
        groups = group_failures(read_failures(folder, [*shards.values()]).values())
    # --verify says which file it is.
    except Exception as error:
        return {
            f"not known, since metadata cannot be read ({describe_error(error)}); see --verify": 1
        }, []
    return {group.with_example: group.num_rows for group in groups}, [
        group.to_json() for group in groups
    ]


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
    own = one_line(status.license, MAX_CONTENT)
    pairs = [(one["part"], one["license"]) for one in status.licenses]
    lines.append(f"terms:  license {own}; {describe_licenses(pairs)}")
    lines += [f"terms:  {restriction}" for restriction in status.restrictions]
    if status.prompts_cut:
        lines.append(f"cut:    {status.prompts_cut} prompts were longer than the model takes")
    if status.sketch_notes:
        lines.append(f"notes:  {describe_notes(status.sketch_notes)}; see sketch_notes")
    shown = list(status.reasons.items())[:REASONS_SHOWN]
    lines += [f"failed: {count(number, 'row')}: {reason}" for reason, number in shown]
    if len(status.reasons) > len(shown):
        others = count(len(status.reasons) - len(shown), "other reason")
        lines.append(f"failed: {others} (--json has all)")
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

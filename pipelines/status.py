"""How far a run is and whether what it wrote is sound; the way back where it is not.

Without --repair it only reads, and works while a job runs.
"""

import json
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from shlex import quote

from flipsketch.corpus.damaged import set_aside
from flipsketch.corpus.kinds import CURATE, PLAN_COPY, PLAN_FILE
from flipsketch.corpus.plan import Plan, plan_remedy, read_plan
from flipsketch.corpus.repair import repair_plan
from flipsketch.corpus.shard import OTHER_PLAN, TAR_IS_GONE, ShardFacts, read_shards
from flipsketch.corpus.verify import Problem, remake_command, verify_pages
from flipsketch.scoring.store import scored_shards, scores_name
from flipsketch.storage.errors import printable
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import describe_error
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.state import Status, describe, find_problems, read_status

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
    motion_adapter: str | None = None
    """For --remake: where the motion adapter is now, if it has moved."""
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
            for name in ("seed", "manifest", "model", "lora", "motion_adapter"):
                if getattr(self, name) is not None:
                    raise ValueError(f"--{name} is for --remake; give that too, or leave it out")


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
            motion_adapter=config.motion_adapter,
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

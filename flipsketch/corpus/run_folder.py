"""The folder of a run: begin a run there or resume one, and delete what an earlier run wrote."""

import os
import re
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from flipsketch.corpus.kinds import PLAN_FILE, RunKind
from flipsketch.corpus.plan import Plan, read_plan, renew_copy, write_plan
from flipsketch.media.config import AS_IS
from flipsketch.storage.folder import Folder

# What a plan means that does not have these settings.
EARLIER = asdict(AS_IS)


def begin_run(
    folder: Folder, plan: Plan, *, overwrite: bool = False, prefix_fingerprint: str | None = None
) -> Plan:
    """Write the plan, or return the existing one if this one resumes it.

    Args:
        overwrite: first delete what an earlier run wrote here, and nothing else.
        prefix_fingerprint: of as many rows as the run in the folder has, from the beginning of
            this plan's manifest; the rows after them are then added to the run.

    Raises:
        ValueError: another plan's run, or other files, are in the folder.
    """
    before = read_plan(folder)
    if before is None:
        refuse_strange_files(folder)
    if before is not None and overwrite:
        delete_run(folder, before.kind)
    elif before is not None:
        if not check_resumes(folder, before, plan, prefix_fingerprint):
            renew_copy(folder)
            return before
        plan = before.add(
            kind="extend",
            num_rows=plan.num_rows - before.num_rows,
            manifest_fingerprint=plan.manifest_fingerprint,
        )
    folder.make()
    write_plan(folder, plan)
    return plan


def check_resumes(
    folder: Folder, before: Plan, plan: Plan, prefix_fingerprint: str | None = None
) -> bool:
    """See that a plan is of the run in the folder, and return whether it extends it.

    Args:
        prefix_fingerprint: as of `begin_run`.

    Raises:
        ValueError: it is another plan's run.
    """
    refuse_other_kind(folder, before, plan.kind)
    refuse_older_format(folder, before)
    # The manifest's rows are compared with those of the last extension, all else with the
    # settings that the run began with.
    rows = {"num_rows": before.num_rows, "manifest_fingerprint": before.manifest_fingerprint}
    num_new = plan.num_rows - before.num_rows
    extends = num_new > 0 and prefix_fingerprint == before.manifest_fingerprint
    refuse_changes(
        folder,
        before,
        {**before.settings, **rows},
        plan.settings | rows if extends else plan.settings,
        may_extend=num_new > 0 and prefix_fingerprint is None,
    )
    return extends


def read_run(folder: Folder, kind: RunKind) -> Plan | None:
    """Return the plan of the run of some kind in a folder, None if there is no run.

    Raises:
        ValueError: the plan cannot be read, or is of a run of another kind.
    """
    plan = read_plan(folder)
    if plan is not None:
        refuse_other_kind(folder, plan, kind)
    return plan


def begin_training(folder: Folder, plan: Plan, *, overwrite: bool = False) -> Plan:
    """As `begin_run`, of a run that trains; its log is the latest command's.

    Raises:
        ValueError: another plan's run, or other files, are in the folder.
    """
    before = read_plan(folder, trains=True)
    if before is None:
        refuse_strange_files(folder)
    elif overwrite:
        delete_run(folder, before.kind)
    else:
        refuse_changes(folder, before, before.settings, plan.settings)
        plan = replace(plan, chosen=before.chosen)
    folder.make()
    write_plan(folder, plan)
    return plan


def refuse_strange_files(folder: Folder) -> None:
    if not folder.is_empty():
        raise ValueError(
            f"{folder}: holds files but no {PLAN_FILE}, so it is not the folder of a run; give an "
            f"empty or a new one"
        )


def refuse_other_kind(folder: Folder, before: Plan, kind: RunKind) -> None:
    if before.kind is not kind:
        raise ValueError(
            f"{folder}: holds a run of another kind ({before.kind.name}, not {kind.name}); give "
            f"another --output, or add --overwrite to delete what it made"
        )


def refuse_older_format(folder: Folder, before: Plan) -> None:
    if before.format == before.kind.format:
        return
    raise ValueError(
        f"{folder}: holds a run of format {before.format}, and this version writes format "
        f"{before.kind.format}, whose samples hold the sketch and the manifest's columns as well; "
        f"samples of two formats do not make one corpus. The run can still be read, scored "
        f"and curated. To finish it, use the version that began it; to make all of it in the new "
        f"format, give another --output, or --overwrite to delete the old run"
    )


def refuse_changes(
    folder: Folder,
    plan: Plan,
    before: dict[str, Any],
    now: dict[str, Any],
    *,
    may_extend: bool = False,
) -> None:
    """Raise ValueError if settings differ, with the ways out.

    Args:
        may_extend: the manifest has gained rows, and was not to extend the run.
    """
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not changed:
        return
    there = {name: before.get(name, EARLIER.get(name)) for name in changed}
    ways = ["Run with the same settings to resume it"]
    if named := [name for name in changed if name in plan.chosen]:
        ways.append(f"leave out {', '.join(named)}, which was chosen for you then")
    if may_extend and set(changed) <= {"num_rows", "manifest_fingerprint"}:
        ways.append(
            "if the manifest has only gained rows at its end, add --extend (which refuses when any "
            "earlier row has changed or is gone)"
        )
    ways.append("give another --output, or add --overwrite to delete what it made and start again")
    raise ValueError(
        "\n".join(
            [
                f"{folder}: holds a run with other settings, and a folder takes only one run:",
                *(f"  {name}: {there[name]!r} there, {now.get(name)!r} now" for name in changed),
                "; ".join(ways) + ".",
            ]
        )
    )


def refuse_lost_folder(folder: Folder, fingerprint: str) -> None:
    """See that a folder still is that of the run, before anything more is put there.

    Args:
        fingerprint: of the run's plan.

    Raises:
        ValueError: it was moved or deleted, or another run has taken its place.
    """
    content = folder.read(PLAN_FILE)
    if content is None:
        found = f"it has no {PLAN_FILE}"
    elif fingerprint.encode() in content:
        return
    else:
        found = f"its {PLAN_FILE} is that of another run"
    raise ValueError(
        f"{folder}: is no longer the folder of this run: {found}, so it was moved, deleted or "
        f"replaced while the run wrote to it; nothing more is written. Put the folder back, if it "
        f"was moved, and rerun the same command to resume; else the command starts again"
    )


def delete_run(folder: Folder, kind: RunKind) -> None:
    """Delete an earlier run's files: commits first and the plan last, so that a kill half-way
    leaves a run that is merely less complete."""
    for name, pattern in kind.files.items():
        files = [file for file in folder.list(name) if re.fullmatch(pattern, file)]
        for file in sorted(files, key=PLAN_FILE.__eq__):
            folder.delete(f"{name}/{file}" if name else file)
        if folder.is_local and name:
            # A folder to which somebody else has added something is kept.
            with suppress(OSError):
                os.rmdir(folder.join(name))

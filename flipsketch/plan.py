"""The plan of a run: what determines its pixels and layout, written first and held to on resume."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from flipsketch.storage import Folder

FORMAT_VERSION = 1
PLAN_FILE = "run.json"
# What a run writes, and so what `--overwrite` may delete.
OWN_FILES = {"metadata": r"\d{5,}\.parquet", "clips": r"\d{5,}\.tar", "": r"README\.md|run\.json"}


@dataclass(frozen=True)
class Plan:
    settings: dict[str, Any]
    """Compared on resume: format, fingerprints, sampling, batch size, dtype, threads, layout."""
    chosen: tuple[str, ...] = ()
    """Settings that were chosen for the user; a resume that does not name them takes them."""
    log: dict[str, Any] = field(default_factory=dict)
    """Noted only: executor, workers, device, versions, command."""

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> bytes:
        document = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "chosen": sorted(self.chosen),
            "log": self.log,
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def read_plan(folder: Folder) -> Plan | None:
    """Return the plan of the run in a folder, None if there is none.

    Raises:
        ValueError: the file is no plan.
    """
    content = folder.read(PLAN_FILE)
    if content is None:
        return None
    try:
        document = json.loads(content)
        return Plan(document["settings"], tuple(document["chosen"]), document["log"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}/{PLAN_FILE}: not a plan of this project ({error}); move the folder away, or "
            f"give another one"
        ) from error


def begin_run(folder: Folder, plan: Plan, *, overwrite: bool = False) -> Plan:
    """Write the plan, or return the one that is already there if this one goes on with it.

    Args:
        overwrite: first delete what an earlier run wrote here, and nothing else.

    Raises:
        ValueError: another plan's run, or other files, are in the folder.
    """
    before = read_plan(folder)
    if before is None and not folder.is_empty():
        raise ValueError(
            f"{folder}: holds files but no {PLAN_FILE}, so it is not the folder of a run; give an "
            f"empty or a new one"
        )
    if before is not None and not overwrite:
        refuse_changes(folder, before.settings, plan.settings)
        return before
    if before is not None:
        delete_run(folder)
    folder.publish(PLAN_FILE, plan.to_json())
    return plan


def refuse_changes(folder: Folder, before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [
        f"  {name}: {before.get(name)!r} there, {now.get(name)!r} now"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise ValueError(
            "\n".join(
                [
                    f"{folder}: holds a run with another plan, and clips of two plans do not mix:",
                    *changed,
                    "Run with the same settings to go on with it, give another --output, or say "
                    "--overwrite to delete its clips and start again.",
                ]
            )
        )


def delete_run(folder: Folder) -> None:
    """Delete an earlier run's files: commits first and the plan last, so that a kill half-way
    leaves a run that is merely less complete."""
    for name, pattern in OWN_FILES.items():
        files = [file for file in folder.list(name) if re.fullmatch(pattern, file)]
        for file in sorted(files, key=PLAN_FILE.__eq__):
            folder.delete(f"{name}/{file}" if name else file)

"""Corpora of one manifest side by side: their names, and which of their rows belong together."""

from dataclasses import dataclass
from typing import Any

from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.storage.folder import Folder, open_folder


@dataclass(frozen=True)
class Corpus:
    folder: Folder
    plan: Plan
    label: str
    """The method, or the folder's name where the methods do not tell the corpora apart."""


def open_corpora(*paths: str) -> list[Corpus]:
    """Raises ValueError: one of the folders has no corpus."""
    folders = [open_folder(path) for path in paths]
    plans = []
    for folder in folders:
        if (plan := read_plan(folder)) is None:
            raise ValueError(f"{folder}: no run.json, so not the folder of a corpus")
        plans.append(plan)
    methods = [plan.method for plan in plans]
    names = [folder.path.rstrip("/").rpartition("/")[2] for folder in folders]
    labels = next(
        (found for found in (methods, names) if len(set(found)) == len(found)), list(paths)
    )
    return [Corpus(*parts) for parts in zip(folders, plans, labels, strict=True)]


def check_pair(row: dict[str, Any], other: dict[str, Any], folder: Folder) -> None:
    """Raise ValueError unless two rows of one id have the same sketch and prompt.

    Args:
        folder: of the other row.
    """
    for name in ("sketch_sha256", "prompts"):
        if row.get(name) != other.get(name):
            raise ValueError(
                f"{folder}: its row {row['id']!r} has another {name.partition('_')[0]} than the "
                f"first corpus; only corpora of one manifest can be shown side by side"
            )

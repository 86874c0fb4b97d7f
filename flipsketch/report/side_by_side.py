"""Corpora of one manifest side by side: their names, and which of their rows belong together."""

import os
from dataclasses import dataclass
from typing import Any

from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import quote_briefly


@dataclass(frozen=True)
class Corpus:
    folder: Folder
    plan: Plan
    label: str
    """The method, or the folder's name where the methods do not tell the corpora apart."""


def open_corpora(*paths: str) -> list[Corpus]:
    """Raises ValueError: one of the folders has no corpus, or is given twice."""
    folders = [open_folder(path) for path in paths]
    places = [
        os.path.realpath(folder.path) if folder.is_local else str(folder) for folder in folders
    ]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise ValueError(
                f"{folders[number]}: is given twice; give other corpora to compare with"
            )
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
    for name, what in (("sketch_sha256", "another sketch"), ("prompts", "other prompts")):
        if row.get(name) != other.get(name):
            raise ValueError(
                f"{folder}: its row {quote_briefly(row['id'])} has {what} than the "
                f"first corpus; only corpora of one manifest can be shown side by side"
            )

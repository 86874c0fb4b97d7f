"""Captions: a table of names and prompts for drawings that come without."""

import logging
import re
from typing import Any

from flipsketch.corpus.tables import read_table
from flipsketch.storage.text import MAX_CONTENT, is_text, one_line, quote_briefly

log = logging.getLogger(__name__)

# Live-Sketch names its output after a copy of its input that it has scaled.
SCALED = re.compile(r"_scaled\d*$")


def read_captions(location: str) -> dict[str, str]:
    """Return prompts by name from a *.tsv, *.csv, *.jsonl or *.parquet with `name` and `prompt`.

    Rows that lack either are skipped with a warning.

    Raises:
        OSError, ValueError: the table cannot be read, or gives a name two prompts.
    """
    captions: dict[str, str] = {}
    rows: dict[str, int] = {}
    columns: list[str] = []
    index = -1
    for index, fields in read_table(location, columns):
        if isinstance(fields, str):
            log.warning("%s: skipped: %s", location, fields)
            continue
        name, prompt = read_text(fields.get("name")), read_text(fields.get("prompt"))
        if not (name and prompt):
            log.warning("%s: row %d has no name and prompt in UTF-8; skipped", location, index + 1)
            continue
        name = plain_name(name)
        if captions.setdefault(name, prompt) != prompt:
            raise ValueError(
                f"{location}: row {index + 1} gives {quote_briefly(name)} another prompt than row "
                f"{rows[name] + 1}; a name can have one prompt only"
            )
        rows.setdefault(name, index)
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise ValueError(f"{location}: has column {quote_briefly(twice[0])} twice; keep one")
    if missing := {"name", "prompt"} - set(columns) if columns else set():
        raise ValueError(
            f"{location}: has no column {min(missing)} (found: "
            f"{one_line(', '.join(sorted(columns)), MAX_CONTENT)}); captions need name and prompt"
        )
    if index < 0:
        raise ValueError(f"{location}: has no rows; captions need name and prompt")
    return captions


def read_text(value: Any) -> str:
    """Return a text as one line; empty if it is not a text."""
    return " ".join(value.split()) if isinstance(value, str) and is_text(value) else ""


def find_caption(captions: dict[str, str], name: str) -> str | None:
    """Return the prompt of an animation: by its path, or by the last part of it."""
    name = plain_name(name)
    return captions.get(name, captions.get(name.rpartition("/")[2]))


def plain_name(name: str) -> str:
    return SCALED.sub("", name.removesuffix(".svg"))

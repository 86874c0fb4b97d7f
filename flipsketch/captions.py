"""Captions: a table of names and prompts for drawings that come without."""

import logging
import re

from flipsketch.manifest import read_table
from flipsketch.row import is_text

log = logging.getLogger(__name__)

# Live-Sketch names its output after a copy of its input that it has scaled.
SCALED = re.compile(r"_scaled\d*$")


def read_captions(location: str) -> dict[str, str]:
    """Return prompts by name from a *.tsv, *.csv, *.jsonl or *.parquet with `name` and `prompt`.

    A row that lacks either is left out with a warning.

    Raises:
        OSError, ValueError: the table cannot be read, or gives a name two prompts.
    """
    captions: dict[str, str] = {}
    rows: dict[str, int] = {}
    columns: set[str] = set()
    for index, fields in read_table(location):
        if isinstance(fields, str):
            log.warning("%s: left out: %s", location, fields)
            continue
        columns |= fields.keys()
        name, prompt = fields.get("name"), fields.get("prompt")
        if not (isinstance(name, str) and isinstance(prompt, str) and name and is_text(prompt)):
            log.warning("%s: row %d has no name and prompt; left out", location, index + 1)
            continue
        name, prompt = plain_name(name), " ".join(prompt.split())
        if captions.setdefault(name, prompt) != prompt:
            raise ValueError(
                f"{location}: row {index + 1} gives {name!r} another prompt than row "
                f"{rows[name] + 1}; give each name one"
            )
        rows.setdefault(name, index)
    if missing := {"name", "prompt"} - columns:
        raise ValueError(
            f"{location}: has no column {min(missing)} (found: {', '.join(sorted(columns))}); "
            f"captions need name and prompt"
        )
    return captions


def find_caption(captions: dict[str, str], name: str) -> str | None:
    """Return the prompt of an animation: by its path, or by the last part of it."""
    name = plain_name(name)
    return captions.get(name, captions.get(name.rpartition("/")[2]))


def plain_name(name: str) -> str:
    return SCALED.sub("", name.removesuffix(".svg"))

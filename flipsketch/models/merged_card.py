"""The card of a merged model: what it was made of, and the licenses of all of that."""

import logging
from pathlib import Path
from typing import Any

from flipsketch.models.cards import CARD, model_licence
from flipsketch.storage.text import one_line

log = logging.getLogger(__name__)

TEMPLATE = """---
{metadata}---

# Merged model

The weights of several, added up by `jobs/merge_lora.py`; the licenses of all of them hold.

| part | from | license |
|---|---|---|
{rows}
{original}"""


def write_merged_card(folder: Path, parts: dict[str, tuple[str, Path]]) -> None:
    """Write README.md in the folder of a merged model, in place of the one of the model it is of.

    Args:
        parts: by what they are, the model first: their places as they were given, and their local
            folders.
    """
    # Imported late: they are needed once, at the end.
    import yaml
    from huggingface_hub import metadata_load

    licenses = {part: model_licence(source) for part, (_, source) in parts.items()}
    card, text = folder / CARD, ""
    metadata: dict[str, Any] = {}
    if card.is_file():
        text = card.read_text(errors="replace")
        try:
            metadata = dict(metadata_load(card) or {})
        # What is no metadata is text, which is kept below.
        except (yaml.YAMLError, ValueError, TypeError) as error:
            log.warning("%s: its metadata cannot be read: %s", card, error)
    # One that nobody has stated is named too: what it allows is not known.
    metadata["license"] = ", ".join(dict.fromkeys(licenses.values()))
    original = text.rpartition("\n---\n")[2].strip() if text.startswith("---") else text.strip()
    rows = [
        f"| {part} | {cell(place)} | {cell(licenses[part])} |" for part, (place, _) in parts.items()
    ]
    content = TEMPLATE.format(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True),
        rows="\n".join(rows),
        original=f"\nThe card of the model:\n\n{original}\n" if original else "",
    )
    card.write_text(content)


def cell(text: str) -> str:
    """Return text as it can stand in a table."""
    return one_line(text, 200).replace("|", "\\|")

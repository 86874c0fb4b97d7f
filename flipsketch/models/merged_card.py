"""The card of a merged model: what it was made of, and the licenses of all of that."""

from pathlib import Path

from flipsketch.models.cards import license_field, model_licence, read_parts
from flipsketch.models.hub import CARD
from flipsketch.storage.text import one_line

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
    # Imported late: it is needed once, at the end.
    import yaml

    licenses = {part: model_licence(source) for part, (_, source) in parts.items()}
    metadata, original = read_parts(folder / CARD)
    # One that nobody has stated is named too: what it allows is not known.
    metadata["license"] = license_field(licenses.values())
    rows = [
        f"| {part} | {cell(place)} | {cell(licenses[part])} |" for part, (place, _) in parts.items()
    ]
    content = TEMPLATE.format(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True),
        rows="\n".join(rows),
        original=f"\nThe card of the model:\n\n{original}\n" if original else "",
    )
    (folder / CARD).write_text(content, encoding="utf-8")


def cell(text: str) -> str:
    """Return text as it can stand in a table."""
    return one_line(text, 200).replace("|", "\\|")

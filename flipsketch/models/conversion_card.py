"""The card of a converted model: from which files it was made, under which license, and what the
card of the original said."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from flipsketch.models.cards import license_field, list_cards, model_licence, read_parts
from flipsketch.models.hub import CARD, find_snapshot
from flipsketch.storage.text import count, one_line

log = logging.getLogger(__name__)

TEMPLATE = """---
{metadata}---

Weights of `{source}`{commit} as safetensors, converted by `jobs/convert_model.py` without a change
of any number. License: {license}.

| file | bytes | SHA-256 | tensors |
|---|---|---|---|
{rows}
{original}"""


@dataclass(frozen=True)
class Converted:
    """A pickled file of weights that was read."""

    path: Path
    num_tensors: int
    num_bytes: int
    sha256: str


def describe(path: Path, weights: dict[str, Tensor]) -> Converted:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    read = Converted(path, len(weights), path.stat().st_size, digest)
    size = read.num_bytes / 1e6
    log.info("%s: %s, %.1f MB", path, count(read.num_tensors, "tensor"), size)
    return read


def write_card(
    folder: Path, place: str, source: Path, converted: list[Converted], model_license: str | None
) -> None:
    """Write README.md in a converted model's folder.

    Args:
        place: what was converted, as it was given.
        source: its local folder.
        model_license: that of the model, where its card does not tell.
    """
    # Imported late: it is needed once, at the end.
    import yaml

    stated = model_licence(source, model_license)
    if stated == "unknown":
        log.warning("%s: no card states a license; give it with --model-license", place)
    card = next((card for card in list_cards(source) if card.is_file()), None)
    metadata, original = read_parts(card)
    metadata["license"] = license_field([stated])
    rows = [
        f"| `{each.path.relative_to(source).as_posix()}` | {each.num_bytes:,} | `{each.sha256}` | "
        f"{each.num_tensors:,} |"
        for each in converted
    ]
    snapshot = find_snapshot(source)
    content = TEMPLATE.format(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True),
        source=one_line(place, 200),
        commit=f" (commit `{snapshot.name}`)" if snapshot else "",
        license=one_line(stated, 200),
        rows="\n".join(rows),
        original=f"\nThe card of the original:\n\n{original}\n" if original else "",
    )
    (folder / CARD).write_text(content, encoding="utf-8")

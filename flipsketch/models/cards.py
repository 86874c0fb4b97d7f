"""What the card of a model says of its license: in its metadata, in its text, in its repository."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flipsketch.models.files import PIPELINE_FILE
from flipsketch.models.hub import CARD, find_snapshot
from flipsketch.storage.text import MAX_CONTENT, one_line

log = logging.getLogger(__name__)

OTHER = "other"


def model_licence(folder: Path, stated: str | None = None) -> str:
    """Return the license of a model or an adapter: what the card in its folder states, or else that
    of its repository, or else what the user states, or 'unknown'.

    Args:
        stated: by the user.
    """
    found = next(filter(None, map(read_license, list_cards(folder))), None)
    return choose_license(folder, found, stated, "--model-license") or "unknown"


def choose_license(folder: Path, found: str | None, stated: str | None, flag: str) -> str | None:
    """Return the license that a card states, or else the one that the user states, who is warned
    that a flag is not used.

    Args:
        found: in the card of the folder or of its repository.
        flag: by which the user states one.
    """
    # The Hub's word for a license that has no identifier there.
    if found == OTHER:
        return stated or found
    if stated and found and stated.lower() != found.lower():
        log.warning(
            "%s: its card states the license %s, so %s %s is not used; if you have it under "
            "another license, say so in the card of a copy",
            *(folder, one_line(found, MAX_CONTENT), flag, one_line(stated, MAX_CONTENT)),
        )
    return found or stated


def read_statements(folder: Path, stated: str | None = None) -> tuple[str, str, str]:
    """Return all that is said of a model's license: `model_licence`, the text of its card, which
    may name others, and its name on the Hub, empty where that is not known.

    Args:
        stated: by the user.
    """
    card = next((card for card in list_cards(folder) if card.is_file()), None)
    text = "" if card is None else card.read_text(encoding="utf-8", errors="replace")
    return model_licence(folder, stated), text, hub_name(folder)


def list_cards(folder: Path) -> list[Path]:
    """Return where the card of a model may be: in its folder, and in its repository's root."""
    return [one / CARD for one in (folder, find_repository(folder)) if one is not None]


def hub_name(folder: Path) -> str:
    """Return the name on the Hub of what a folder of its client's cache has, else nothing."""
    found = re.search(r"/models--([^/]+?)--([^/]+)/snapshots/", folder.absolute().as_posix())
    return f"{found[1]}/{found[2]}" if found else ""


def find_repository(folder: Path) -> Path | None:
    """Return the root of the model repository that a folder is in, if that is known: of the Hub's
    cache, a download or a clone from the Hub, a pipeline that it is a part of, or the training that
    made it."""
    for above in folder.absolute().parents:
        is_snapshot = find_snapshot(above) == above
        is_download = (above / ".cache" / "huggingface").is_dir()
        # A pipeline, or a training run.
        is_whole = any((above / name).is_file() for name in (PIPELINE_FILE, "run.json"))
        is_part = above == folder.absolute().parent and is_whole
        if is_snapshot or is_download or is_part or is_clone(above):
            return above
    return None


def is_clone(folder: Path) -> bool:
    """Tell whether a folder is a clone of a model of the Hub: others have licenses of other things,
    of code or of data."""
    try:
        text = (folder / ".git" / "config").read_text(errors="replace")
    except OSError:
        return False
    return bool(re.search(r"(huggingface\.co|hf\.co)[:/](?!datasets/|spaces/)", text))


def read_parts(card: Path | None) -> tuple[dict[str, Any], str]:
    """Return a card's metadata, and its text without them; both are empty if there is no card."""
    # Imported late, as in `read_license`.
    from huggingface_hub import metadata_load
    from yaml import YAMLError

    if card is None or not card.is_file():
        return {}, ""
    text = card.read_text(encoding="utf-8", errors="replace")
    try:
        metadata = dict(metadata_load(card) or {})
    except (YAMLError, ValueError, TypeError) as error:
        log.warning("%s: its metadata cannot be read: %s", card, error)
        return {}, text.strip()
    # Up to the first such line: others are rules between sections.
    return metadata, (text.partition("\n---\n")[2] if metadata else text).strip()


def read_license(card: Path) -> str | None:
    """Return the license that a card's metadata state, if they do; with those of the clips that the
    weights were trained on, where a card of training states them."""
    # Imported late: a dry run and a wrong flag need nothing of it.
    from huggingface_hub import metadata_load
    from yaml import YAMLError

    try:
        data = (metadata_load(card) if card.is_file() else None) or {}
    except (YAMLError, ValueError) as error:
        log.warning("%s: its license cannot be read: %s", card, error)
        return None
    licence = data.get("license")
    if isinstance(licence, bool):
        # YAML takes some words for truth values.
        licence = read_license_line(card)
    if licence in (OTHER, [OTHER]):
        licence = data.get("license_name") or data.get("license_link") or licence
    if not licence:
        return None
    named = [licence, data.get("data_license") or []]
    texts = [str(one) for each in named for one in (each if isinstance(each, list) else [each])]
    return ", ".join(dict.fromkeys(texts))


def license_field(licenses: Iterable[str]) -> str | list[str]:
    """Return licenses as the metadata of a card have them: one, or a list of several, each once."""
    named: list[str] = []
    for text in licenses:
        parts = text.split(", ")
        # Names of several; what has spaces is somebody's own sentence.
        named += [text] if any(" " in part for part in parts) else parts
    named = list(dict.fromkeys(named))
    return named[0] if len(named) == 1 else named


def read_license_line(card: Path) -> str:
    line = re.search(r"^license:\s*(\S+)", card.read_text(), re.MULTILINE)
    return line[1] if line else ""

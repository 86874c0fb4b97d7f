"""What people are told of licenses before, while and after clips are made."""

from collections.abc import Sequence

from flipsketch.corpus.licenses import NOT_STATED, find_terms, resolve_license
from flipsketch.storage.text import MAX_CONTENT, count, one_line

PartLicense = tuple[str, str]
"""A part of clips, such as "model" or "sketch", and the text that names its license."""
MOST_SHOWN = 8
# How a license is named that nobody has stated.
REMEDIES = {
    "sketch": "name it with --license, or in a column license of the manifest",
    "animation": "name it with --license",
    "model": "name it with --model-license, or in the card of its folder",
    "training data": "name it with --license, by the command that made the clips",
}
CARD = "name it in a card, README.md, in its folder"


def describe_licenses(licenses: Sequence[PartLicense]) -> str:
    """Return parts and their licenses as one line."""
    shown = [f"{part} {one_line(text, MAX_CONTENT)}" for part, text in licenses[:MOST_SHOWN]]
    return ", ".join(shown) + name_others(len(licenses), " and {}")


def describe_terms(part: str, license: str) -> dict[str, str]:
    """Return a part, its license, and what that allows, for scripts."""
    terms = resolve_license(license)
    allowed = {"commercial": terms.commercial, "train_others": terms.train_others}
    return {"part": part, "license": license, **allowed}


def list_restrictions(licenses: Sequence[PartLicense]) -> list[str]:
    """Return a sentence on each part whose license is not known to allow commercial use."""
    found = [text for pair in licenses if (text := describe_restriction(*pair))]
    others = name_others(len(found), "{} do not allow commercial use, or are not known to")
    return [*found[:MOST_SHOWN], *filter(None, [others])]


def describe_restriction(part: str, license: str) -> str | None:
    terms, named = resolve_license(license), one_line(license, MAX_CONTENT)
    if terms == NOT_STATED:
        remedy = REMEDIES.get(part, CARD)
        return f"the license of the {part} is unknown, so nothing is known to be allowed; {remedy}"
    if terms.commercial == "no":
        return f"the {part} is for non-commercial use only ({named}), and so is what it makes"
    if terms.commercial == "unknown":
        # Of several, those with an address may be the ones that are known to allow it.
        where = terms.source if find_terms(terms.name) else "it"
        return (
            f"whether the license of the {part} ({named}) allows commercial use is not known; "
            f"read {where}"
        )
    return None


def name_others(number: int, text: str) -> str:
    """Return that there are more than are shown, if there are."""
    return text.format(count(number - MOST_SHOWN, "other license")) if number > MOST_SHOWN else ""

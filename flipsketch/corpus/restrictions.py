"""What people are told of licenses before, while and after clips are made."""

import re
from collections.abc import Iterable, Sequence

from flipsketch.corpus.licenses import NOT_STATED, Terms, find_terms, resolve_license
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
# Chooses clips, and has no part in what they show.
SCORER = "scorer"
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


def list_conflicts(own: str, licenses: Iterable[PartLicense]) -> list[str]:
    """Return a sentence on each part whose license the one of the corpus contradicts, or that
    forbids to share clips at all.

    Args:
        own: license of the corpus, which its user gives it.
    """
    terms = resolve_license(own)
    parts = [(part, resolve_license(license)) for part, license in licenses if part != SCORER]
    found = [text for part, each in parts if (text := describe_conflict(own, terms, part, each))]
    alike = {family: part for part, each in parts for family in share_alike(each)}
    if len(alike) > 1:
        found.append(
            f"no license satisfies all of {', '.join(sorted(alike))}: each has to be kept by what "
            "is made of its part, so clips that are made of several must not be shared"
        )
    more = name_others(len(found), "{} contradict that of the corpus")
    return [*dict.fromkeys(found[:MOST_SHOWN]), *filter(None, [more])]


def describe_conflict(own: str, terms: Terms, part: str, made_of: Terms) -> str | None:
    corpus, named = one_line(own, MAX_CONTENT), one_line(made_of.name, MAX_CONTENT)
    if made_of.forbids_sharing:
        return f"clips made of the {part} ({named}) must not be shared: its license forbids it"
    uses = {"commercial use": "commercial", "training other models": "train_others"}
    freed = [
        use
        for use, flag in uses.items()
        if getattr(terms, flag) == "yes" and getattr(made_of, flag) == "no"
    ]
    if freed:
        return (
            f"the license of the corpus ({corpus}) allows {' and '.join(freed)}, that of the "
            f"{part} ({named}) does not, and holds for the clips all the same"
        )
    kept = share_alike(made_of)
    if terms != NOT_STATED and kept - share_alike(terms):
        return (
            f"clips made of the {part} ({named}) have to be shared under its license, and that of "
            f"the corpus is {corpus}: name the license of the {part} with --license"
        )
    return None


def share_alike(terms: Terms) -> set[str]:
    """Return the licenses that have to be kept, without their versions: a later one will do."""
    if terms.share_alike != "yes":
        return set()
    each = [resolve_license(name) for name in terms.name.split(", ")]
    return {re.sub(r"-[\d.]+$", "", one.name) for one in each if one.share_alike == "yes"}


def name_others(number: int, text: str) -> str:
    """Return that there are more than are shown, if there are."""
    return text.format(count(number - MOST_SHOWN, "other license")) if number > MOST_SHOWN else ""

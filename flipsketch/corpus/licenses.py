"""What a license says of clips: commercial use, training other models, attribution, share-alike.

The table `data/licenses.toml` has the known ones, with sources. What it does not have is unknown,
and unknown is never taken for allowed.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from flipsketch.corpus.license_names import ADDRESS, key_of, plain_text
from flipsketch.storage.text import one_line, shorten

Flag = Literal["yes", "no", "unknown"]
Use = Literal["commercial", "train-others"]
USES: tuple[Use, ...] = get_args(Use)
UNKNOWN: Flag = "unknown"
NAME_CHARS = 80
# A license is named in a few words; what is longer is a text, of which no name can be read.
MOST_CHARS = 1000
# In a wheel, and in a checkout.
TABLES = (
    Path(__file__).with_name("licenses.toml"),
    Path(__file__).parents[2] / "data/licenses.toml",
)

# Stands for a license that nobody has named.
NOT_NAMED = {
    "",
    UNKNOWN,
    "-",
    "?",
    "none",
    "null",
    "noassertion",
    "n/a",
    "n.a.",
    "n.a",
    "na",
    "tbd",
}
NOT_NAMED |= {"not named", "not stated", "not specified", "not applicable", "unspecified"}
# Between several that all hold.
COMMA = re.compile(r"\s*[,;](?!\s*v(?:ersion|\.|\d))\s*", re.IGNORECASE)
OR = re.compile(r"\s+or\s+", re.IGNORECASE)
AND = re.compile(r"\s*&\s*|\s+[+/]\s+|(?<=\w)[+/](?=\w)|\s+and\s+", re.IGNORECASE)
OR_AND = re.compile(f"{OR.pattern}|{AND.pattern}", re.IGNORECASE)
# Of what has an address among them.
SPACED_AND = re.compile(r"\s+(?:and|[&+/])\s+", re.IGNORECASE)
# What a text adds to a license to make it less.
DENIAL = re.compile(r"\b(no|not|none|non|never|neither|nor|without|except|but)\b", re.IGNORECASE)
RESTRICTION = re.compile(
    r"\bnon[\s-]*commercial|\bnc\b|\bno[\s-]*deriv|\bresearch\b|\bacademic\b|\bpersonal\b"
    r"|\bnot?\b[^.]*\bcommercial|\beducational\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Terms:
    name: str
    """The license's; of one that is not known, what was said."""
    commercial: Flag = UNKNOWN
    """Whether clips may be used commercially."""
    train_others: Flag = UNKNOWN
    """Whether other models may be trained on clips."""
    attribution: Flag = UNKNOWN
    """Whether those who share clips have to name the source."""
    share_alike: Flag = UNKNOWN
    """Whether clips have to be shared under the same license."""
    source: str = ""
    """Address of the text that says so; none of a license that is not known."""
    note: str = ""

    @property
    def flags(self) -> tuple[Flag, Flag, Flag, Flag]:
        return self.commercial, self.train_others, self.attribution, self.share_alike

    def of(self, use: Use) -> Flag:
        return {"commercial": self.commercial, "train-others": self.train_others}[use]

    @property
    def forbids_sharing(self) -> bool:
        """Whether what is made of the work must not be shared."""
        return bool(re.search(r"\bCC-BY(-NC)?-ND\b|^All rights reserved$", self.name))

    @property
    def is_known(self) -> bool:
        return bool(self.source)


NOT_STATED = Terms("not stated")


@functools.lru_cache(maxsize=1024)
def resolve_license(text: str | None) -> Terms:
    """Return the terms of a license by its name: of SPDX, the Hub, or as people write it, or by its
    address.

    Of several ("a, b", "a AND b") all hold; of alternatives ("a OR b") the one that allows most.
    """
    said = one_line(plain_text(shorten(text, 2 * MOST_CHARS)), MOST_CHARS) if text else ""
    # A list, as a table holds it whose other rows have texts.
    said = said[1:-1] if said.startswith("[") and said.endswith("]") else said
    if said.casefold() in NOT_NAMED:
        return NOT_STATED
    return find_terms(said) or resolve_several(said)


def resolve_several(said: str) -> Terms:
    unbracketed = re.sub(r"[()]", " ", said).strip()
    if ADDRESS.fullmatch(said):
        return Terms(one_line(said, NAME_CHARS))
    if ADDRESS.search(said):
        separators = [COMMA, OR, SPACED_AND]
    else:
        # Which belongs to which within brackets is not read: all hold, which allows no more.
        separators = [COMMA, OR, AND] if unbracketed == said else [COMMA, OR_AND]
    for separator in separators:
        parts = [part for part in separator.split(unbracketed) if part]
        if len(parts) > 1:
            is_choice = separator is OR and unbracketed == said
            return (choose_terms if is_choice else combine_several)(parts)
    return Terms(one_line(said, NAME_CHARS))


def combine_several(parts: list[str]) -> Terms:
    return combine_terms(map(resolve_license, parts))


def choose_terms(alternatives: list[str]) -> Terms:
    """Return the terms of the alternative that allows most; nothing is allowed where one of them is
    no license at all: "MIT or not"."""
    terms = [resolve_license(said) for said in alternatives]
    best = max(terms, key=generosity)
    strange = [
        each
        for each, said in zip(terms, alternatives, strict=True)
        if not each.source and (DENIAL.search(said) or not re.search(r"licen[sc]e", said, re.I))
    ]
    return combine_terms([best, *strange]) if strange else best


def combine(parts: Mapping[str, Terms]) -> Terms:
    """Return the terms of what is made of several parts: what all of them allow, and all that any
    of them asks for.

    Args:
        parts: terms by what they are of, such as "model" and "sketch".
    """
    return combine_terms(parts.values())


def combine_terms(terms: Iterable[Terms]) -> Terms:
    terms = list(terms)

    def strictest(name: str, strict: Flag, lenient: Flag) -> Flag:
        flags = {getattr(each, name) for each in terms}
        return strict if strict in flags else lenient if flags == {lenient} else UNKNOWN

    return Terms(
        one_line(", ".join(dict.fromkeys(each.name for each in terms)), 2 * NAME_CHARS),
        commercial=strictest("commercial", "no", "yes"),
        train_others=strictest("train_others", "no", "yes"),
        attribution=strictest("attribution", "yes", "no"),
        share_alike=strictest("share_alike", "yes", "no"),
        source=" ".join(dict.fromkeys(each.source for each in terms if each.source)),
        note=" ".join(dict.fromkeys(each.note for each in terms if each.note)),
    )


def generosity(terms: Terms) -> list[bool]:
    """Return what alternatives are compared by: what they allow, then what they do not ask for."""
    allowed = [terms.of(use) == "yes" for use in USES]
    return [*allowed, terms.is_known, terms.share_alike == "no", terms.attribution == "no"]


def known_licenses(hub_name: str) -> tuple[str, ...]:
    """Return the licenses that a model of the Hub is known to have, whatever its card says."""
    return read_table()[1].get(hub_name.casefold(), ())


def all_licenses(stated: str, card: str, hub_name: str) -> str:
    """Return every license that a model is under, each once: "cc-by-nc-4.0, CC-BY-NC-ND-4.0".

    Args:
        stated: by the metadata of its card, or by its user.
        card: its text, which may name another.
        hub_name: of the model on the Hub, which the table may know more of.
    """
    stated = linked_license(stated, card) or stated
    names = [] if resolve_license(stated) == NOT_STATED else [stated]
    known = {key_of(name) for text in names for name in (text, *text.split(","))}
    for name in filter(None, [*stated_in_text(card).split(", "), *known_licenses(hub_name)]):
        if key_of(name) not in known:
            known.add(key_of(name))
            names.append(name)
    return ", ".join(names) or stated


def linked_license(stated: str, card: str) -> str | None:
    """Return the license whose address stands in a card's metadata beside a name that nobody knows,
    if that is what is stated."""
    metadata = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    found = dict(re.findall(r"^(license\w*):[ ]*(.*?)\s*$", metadata[1] if metadata else "", re.M))
    name, link = (found.get(f"license_{what}", "").strip("\"'") for what in ("name", "link"))
    is_named = found.get("license", "").strip("\"'[]") in ("other", name) and name == stated
    if not is_named or resolve_license(name).is_known or DENIAL.search(name):
        return None
    terms = find_terms(link)
    return terms.name if terms and not RESTRICTION.search(re.sub("[_-]", " ", name)) else None


def stated_in_text(card: str) -> str:
    """Return the licenses that lines such as "- **License:** [MIT](...)" of a card's text name,
    besides what its metadata says: those that are known, and what restricts a use."""
    text = re.sub(r"\A---\n.*?\n---\n", "", plain_lines(card), flags=re.DOTALL)
    lines = re.findall(r"^\W*licen[sc]e\W*?[:|]\W*(.{2,300})$", text, re.MULTILINE | re.IGNORECASE)
    names: list[str] = []
    for line in lines:
        links = re.findall(r"([^\]\[]+)\]\((\S+?)\)", line)
        rest = re.sub(r"\[?([^\]\[]+)\]\((\S+?)\)", " ", line) if links else line
        rest = " ".join(re.sub(r"[*_`|]+|\.$", " ", rest).split())
        for name, address in links:
            # The address of a license says its version, which its name may leave out.
            linked, named = find_terms(address), find_terms(name)
            if linked and named and linked.flags == named.flags:
                named = None
            names += [terms.name for terms in (linked, named) if terms]
            rest += "" if linked or named else f" {name}"
        if not links and (terms := find_terms(rest)):
            names.append(terms.name)
        elif RESTRICTION.search(rest):
            # Not a license that is known, and so it allows nothing.
            names.append(one_line(re.sub(r"[,;]", " ", rest), NAME_CHARS))
    return ", ".join(dict.fromkeys(names))


def plain_lines(text: str) -> str:
    return "\n".join(map(plain_text, text.splitlines()))


def find_terms(said: str) -> Terms | None:
    """Return the terms of one license, None if the table has none of that name."""
    table, _ = read_table()
    if terms := table.get(key_of(said)):
        return terms
    if "(" not in said:
        return None
    # A second name in brackets may only repeat the first: "CC Attribution 4.0 (CC BY 4.0)".
    names = [re.sub(r"\s*\(.*?\)\s*", " ", said), *re.findall(r"\((.*?)\)", said)]
    first, *others = [table.get(key_of(name)) for name in names]
    if first and others and all(other and other.flags == first.flags for other in others):
        return first
    # Or it goes on: "CC BY 4.0 (non-commercial)".
    return table.get(key_of(re.sub(r"[()]", " ", said)))


@functools.cache
def read_table() -> tuple[dict[str, Terms], dict[str, tuple[str, ...]]]:
    """Return the terms of each license by the keys of its names, and the licenses of models whose
    cards do not say all, by their names on the Hub."""
    path = next((path for path in TABLES if path.is_file()), TABLES[-1])
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    table: dict[str, Terms] = {}
    for entry in document["license"]:
        # Without a version last, since its address is the newest version's.
        for version in [*entry.get("versions", []), ""]:
            terms = read_entry(entry, version)
            also = [f"{name} {version}" for name in entry.get("also", [])]
            for name in [terms.name, terms.source, *also]:
                table.setdefault(key_of(name), terms)
    models = {
        name.casefold(): tuple(entry["licenses"])
        for entry in document["model"]
        for name in entry["names"]
    }
    return table, models


def read_entry(entry: dict[str, Any], version: str) -> Terms:
    """Return the terms of one version; without it those that all versions have in common."""
    flags = {field.name for field in fields(Terms)} & set(entry["terms"])
    assert len(flags) == len(entry["terms"]) == 4, entry["name"]
    assert set(entry["terms"].values()) <= set(get_args(Flag)), entry["name"]
    newest = version or next(reversed(entry.get("versions", [""])))
    return Terms(
        f"{entry['name']}-{version}" if version else entry["name"],
        **entry["terms"],
        source=entry["source"].format(version=newest),
        note=entry.get("note", ""),
    )

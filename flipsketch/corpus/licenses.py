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

from flipsketch.storage.text import one_line

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

OTHER_WORDS = (
    (r"creative-?commons", "cc"),
    (r"attribution", "by"),
    (r"non-?commercial", "nc"),
    (r"share-?alike", "sa"),
    (r"no-?deriv(ative)?s?(-works)?", "nd"),
    (r"(international|unported|generic|universal|deed|public-domain-dedication|legalcode)", ""),
    (r"licen[sc]ed?(-under)?|the|version|agreement", ""),
)


SPELLINGS = (
    (r"^cc-(0|zero)", "cc0"),
    (r"^(cc-[a-z-]*[a-z]|apache|[al]?gpl|mpl)(\d)", r"\1-\2"),
    (r"-(\d)$", r"-\1.0"),
    # Translated to the law of a country: "CC-BY-3.0-US" in SPDX.
    (r"^(cc-[a-z-]+-\d\.\d)-[a-z]{2,3}$", r"\1"),
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
    def is_known(self) -> bool:
        return bool(self.source)


NOT_STATED = Terms("not stated")


@functools.lru_cache(maxsize=1024)
def resolve_license(text: str | None) -> Terms:
    """Return the terms of a license by its name: of SPDX, the Hub, or as people write it, or by its
    address.

    Of several ("a, b", "a AND b") all hold; of alternatives ("a OR b") the one that allows most.
    """
    said = one_line(text, MOST_CHARS) if text else ""
    # A list, as a table holds it whose other rows have texts.
    said = said[1:-1] if said.startswith("[") and said.endswith("]") else said
    if said.casefold() in ("", UNKNOWN, "none", "noassertion", "not named"):
        return NOT_STATED
    return find_terms(said) or resolve_several(said)


def resolve_several(said: str) -> Terms:
    # Which belongs to which within brackets is not read: all hold, which allows no more.
    unbracketed = re.sub(r"[()]", " ", said)
    if unbracketed == said and len(alternatives := re.split(r"\s+or\s+", said, flags=re.I)) > 1:
        return max(map(resolve_license, alternatives), key=generosity)
    parts = re.split(r"\s*[,;&+/]\s*|\s+(?:and|or)\s+", unbracketed.strip(), flags=re.I)
    if len(parts) < 2 or "://" in said:
        return Terms(one_line(said, NAME_CHARS))
    return combine_terms([resolve_license(part) for part in parts])


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
    names = [] if resolve_license(stated) == NOT_STATED else [stated]
    known = {key_of(name) for text in names for name in (text, *text.split(","))}
    for name in filter(None, [*stated_in_text(card).split(", "), *known_licenses(hub_name)]):
        if key_of(name) not in known:
            known.add(key_of(name))
            names.append(name)
    return ", ".join(names) or stated


def stated_in_text(card: str) -> str:
    """Return the known licenses that lines such as "- **License:** [MIT](...)" of a card's text
    name, besides what its metadata says."""
    text = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    lines = re.findall(r"^\W*licen[sc]e\W*?[:|]\W*(.{2,300})$", text, re.MULTILINE | re.IGNORECASE)
    names = []
    for line in lines:
        linked = re.match(r"\W*([^\]\[]+)\]\((\S+)\)", line)
        # The address of a license says its version, which its name may leave out.
        said = [linked[2], linked[1]] if linked else [re.sub(r"[*_`|]+|\.$", "", line).strip()]
        names += [terms.name for one in said if (terms := find_terms(one))][:1]
    return ", ".join(dict.fromkeys(names))


def find_terms(said: str) -> Terms | None:
    """Return the terms of one license, None if the table has none of that name."""
    table, _ = read_table()
    if terms := table.get(key_of(said)):
        return terms
    # A second name in brackets may only repeat the first: "CC Attribution 4.0 (CC BY 4.0)".
    names = [re.sub(r"\s*\(.*?\)\s*", " ", said), *re.findall(r"\((.*?)\)", said)]
    first, *others = [table.get(key_of(name)) for name in names]
    if first and others and all(other and other.flags == first.flags for other in others):
        return first
    return None


def key_of(said: str) -> str:
    """Return what two ways of writing one license have in common: "CC BY 4.0" and
    "https://creativecommons.org/licenses/by/4.0/" are both "cc-by-4.0"."""
    key = said.strip().casefold().rstrip(".,;")
    if "://" in key or key.startswith("www."):
        return key_of_address(key)
    key = re.sub(r"[\s_,:]+", "-", re.sub(r"[\"'™©]", "", key))
    for pattern, word in OTHER_WORDS:
        key = re.sub(rf"(?<![a-z0-9]){pattern}(?![a-z])", word, key)
    key = re.sub(r"(?<=gpl)-?v(?=\d)|(?<![a-z0-9])v(?=\d)", "-", key)
    key = re.sub(r"-(only|or-(any-)?later)$|(?<=\d)\+$", "", re.sub(r"-{2,}", "-", key)).strip("-")
    for pattern, written in SPELLINGS:
        key = re.sub(pattern, written, key)
    return key


def key_of_address(address: str) -> str:
    address = re.sub(r"^(\w+://)?(www\.)?", "", address).rstrip("/")
    if found := re.match(r"creativecommons\.org/licenses/([a-z-]+)/([\d.]+)", address):
        return f"cc-{found[1]}-{found[2]}"
    if found := re.match(r"creativecommons\.org/publicdomain/(zero|mark)/", address):
        return {"zero": "cc0-1.0", "mark": "public-domain"}[found[1]]
    if found := re.match(r"(?:opensource|spdx)\.org/licenses?/([\w.+-]+?)(\.html)?$", address):
        return key_of(found[1])
    return re.sub(r"\.(txt|html?|php|md)$", "", address)


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

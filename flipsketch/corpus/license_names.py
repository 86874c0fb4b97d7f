"""What two ways of writing the name of one license have in common.

Only what is wholly understood gets the key of a license: any other word stays in the key, which no
license then has.
"""

import re
import unicodedata

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
    (r"^cc-(0|zero)(?![a-z])", "cc0"),
    (r"^(cc-[a-z-]*[a-z]|apache|[al]?gpl|mpl)(\d)", r"\1-\2"),
    (r"-(\d)$", r"-\1.0"),
)
# In the order in which Creative Commons names them.
ELEMENTS = ("by", "nc", "nd", "sa")
# The laws that each version was translated to: the last of them, 4.0, is one for all.
PORTS = {
    "1.0": "fi il nl",
    "2.0": "at au be br ca cl de es fr hr it jp kr nl pl tw uk za",
    "2.1": "au es jp",
    "2.5": "ar au bg br ca ch cn co dk es hr hu il in it mk mt mx my nl pe pl pt scotland se si "
    "tw za",
    "3.0": "am at au az br ca ch cl cn cr cz de ec ee eg es fr ge gr gt hk hr ie igo it lu nl no "
    "nz ph pl pr pt ro rs sg th tw ug us ve vn za",
}
# Of Norway in an address; among words it may deny the license.
NORWAY = "no"
# By its name, a slash, and a path: "creativecommons.org/licenses/by/4.0".
ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|www\.|(?:[a-z0-9-]+\.)+[a-z]{2,}/)\S+", re.IGNORECASE
)
CC_ADDRESS = re.compile(
    r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(?:/([a-z]+))??"
    r"(?:/?(?:/deed|/legalcode)(?:[.-][a-z_-]+)?)?"
)
CC_PUBLIC = re.compile(
    r"creativecommons\.org/publicdomain/(zero|mark)(?:/1\.0)?"
    r"(?:(?:/deed|/legalcode)(?:[.-][a-z_-]+)?)?"
)
NAMED_IN_ADDRESS = re.compile(
    r"(?:(?:opensource|spdx|gnu)\.org|choosealicense\.com)/licenses?/(?:old-licenses/)?([\w.+-]+)"
)


def plain_text(said: str) -> str:
    """Return text with the usual hyphens and spaces in place of all their kinds."""
    said = unicodedata.normalize("NFKC", said)
    said = "".join(
        "-" if unicodedata.category(char) == "Pd" or char == "\u2212" else char
        for char in said
        # Marks without a width, such as soft hyphens.
        if unicodedata.category(char) != "Cf"
    )
    return " ".join(said.split())


def key_of(said: str) -> str:
    """Return what two ways of writing one license have in common: "CC BY 4.0" and
    "https://creativecommons.org/licenses/by/4.0/" are both "cc-by-4.0"."""
    key = plain_text(said).casefold().strip(" <>").rstrip(".,;")
    if ADDRESS.fullmatch(key):
        return key_of_address(key)
    key = re.sub(r"[\s_,:/]+", "-", re.sub(r"[\"'™©]", "", key))
    for pattern, word in OTHER_WORDS:
        key = re.sub(rf"(?<![a-z0-9]){pattern}(?![a-z])", word, key)
    key = re.sub(r"(?<=gpl)-?v(?=\d)|(?<![a-z0-9])v(?=\d)", "-", key)
    key = re.sub(r"-(only|or-(any-)?later)$|(?<=\d)\+$", "", re.sub(r"-{2,}", "-", key)).strip("-")
    for pattern, written in SPELLINGS:
        key = re.sub(pattern, written, key)
    return key_of_commons(key) or key


def key_of_commons(key: str) -> str | None:
    """Return the key of a license of Creative Commons, whose elements may stand anywhere: of
    "cc-by-4.0-nc" it is "cc-by-nc-4.0". None if there is a word that is not understood."""
    first, *words = key.split("-")
    words = [re.sub(r"^(\d)$", r"\1.0", word) for word in words if word != "public"]
    versions = {word for word in words if re.fullmatch(r"\d\.\d", word)}
    elements = [name for name in ELEMENTS if name in words]
    others = [word for word in words if word not in versions and word not in elements]
    if first != "cc" or "by" not in elements or len(versions) > 1 or NORWAY in others:
        return None
    version = next(iter(versions), "")
    if others and not (len(others) == 1 and others[0] in PORTS.get(version, "").split()):
        return None
    # There is no 2.1 but these.
    port = others if version == "2.1" else []
    return "-".join(["cc", *elements, *filter(None, [version]), *port])


def key_of_address(address: str) -> str:
    address = re.sub(r"^(\w+://)?(www\.)?", "", address)
    address = re.sub(r"[?#].*$", "", address).rstrip("/")
    if found := CC_ADDRESS.fullmatch(address):
        elements, version, port = found.groups()
        if port is not None and port not in PORTS.get(version, "").split():
            return address
        known = port if port != NORWAY else None
        return key_of_commons("-".join(filter(None, ["cc", elements, version, known]))) or address
    if found := CC_PUBLIC.fullmatch(address):
        return {"zero": "cc0-1.0", "mark": "public-domain"}[found[1]]
    address = re.sub(r"(\.en)?\.(txt|html?|php|md)$", "", address)
    if found := NAMED_IN_ADDRESS.fullmatch(address):
        return key_of(found[1])
    return address

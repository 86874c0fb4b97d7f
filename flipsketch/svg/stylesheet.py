"""The rules of an SVG's `style` elements that apply to a still picture on a light screen.

`@media` is decided as by a browser with a window of 1280 x 800 pixels and no wish for a dark page:
sketches are drawn on white paper. Fonts, imports, keyframes and other at-rules are passed over:
nothing is fetched, and an animated drawing is drawn as it is without its animation.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

MAX_STYLE = 1 << 19
"""Characters of all `style` elements, fonts and images apart."""
MAX_RULES = 20_000
MAX_DEPTH = 8
# A page of base64 has no braces in it. Cut out first, since tokens take longer than a search.
FONT_FACE = re.compile(r"@font-face\s*\{[^{}]*\}", re.IGNORECASE)
DATA = re.compile(r"""url\(\s*["']?data:[^)"']*["']?\s*\)""", re.IGNORECASE)
# What a semicolon may be part of, and what a declaration may be other than a name and a value.
QUOTED = re.compile(r"'[^';\\]*'|\"[^\";\\]*\"")
UNPLAIN = re.compile(r"""['"\\{[/!@<]|\([^()]*;""")
TYPES = ("", "text/css")
WINDOW = {"width": 1280.0, "height": 800.0, "device-width": 1280.0, "device-height": 800.0}
FEATURES = {
    "prefers-color-scheme": "light",
    "prefers-reduced-motion": "reduce",
    "prefers-contrast": "no-preference",
    "orientation": "landscape",
    "hover": "hover",
    "pointer": "fine",
    "scripting": "none",
    "update": "fast",
    "display-mode": "browser",
    "forced-colors": "none",
    "inverted-colors": "none",
}

Declaration = tuple[str, str, bool]  # name, value, whether it is !important


class Rule(NamedTuple):
    prelude: list[Any]
    """Tokens of the selectors."""
    declarations: list[Declaration]
    namespaces: dict[str | None, str]


def read_rules(root: Element) -> list[Rule]:
    """Return the rules in order, from all `style` elements, also those in `defs`."""
    texts = []
    for element in root.iter("style"):
        kind = element.get("type", "").partition(";")[0].strip().lower()
        if kind in TYPES and matches_media(element.get("media", "")):
            texts.append(DATA.sub("none", FONT_FACE.sub("", element.text or "")))
    if not any(text.strip() for text in texts):
        return []
    if (length := sum(map(len, texts))) > MAX_STYLE:
        raise ValueError(
            f"the SVG's style has {length:,} characters, the limit is {MAX_STYLE:,}; simplify it"
        )
    import tinycss2

    rules: list[Rule] = []
    for text in texts:
        nodes = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        namespaces: dict[str | None, str] = {}
        for rule in flatten(nodes, namespaces, 0):
            rules.append(rule)
            if len(rules) > MAX_RULES:
                raise ValueError(f"the SVG has more than {MAX_RULES:,} style rules; simplify it")
    return rules


def flatten(nodes: list[Any], namespaces: dict[str | None, str], depth: int) -> Iterator[Rule]:
    """Yield the rules of a sheet, those in at-rules that hold included."""
    import tinycss2

    for node in nodes:
        if node.type == "qualified-rule":
            declarations = list(read_declarations(node.content))
            if declarations:
                yield Rule(node.prelude, declarations, namespaces)
        elif node.type == "at-rule" and node.lower_at_keyword == "namespace":
            words = [token for token in node.prelude if token.type in ("ident", "string", "url")]
            if words:
                prefix = words[0].value if words[0].type == "ident" else None
                namespaces[prefix] = words[-1].value
        elif node.type == "at-rule" and node.content is not None and depth < MAX_DEPTH:
            prelude = tinycss2.serialize(node.prelude).strip()
            if holds(node.lower_at_keyword, prelude):
                inner = tinycss2.parse_rule_list(
                    node.content, skip_comments=True, skip_whitespace=True
                )
                yield from flatten(inner, namespaces, depth + 1)


def holds(keyword: str, prelude: str) -> bool:
    """Return whether the rules in an at-rule apply."""
    if keyword == "media":
        return matches_media(prelude)
    if keyword == "supports":
        # What is asked for is nearly always there, and then there is no other way to draw it.
        return not prelude.lower().startswith("not")
    return keyword == "layer"


def matches_media(text: str) -> bool:
    """Return whether a list of media queries, such as `screen and (min-width: 20em)`, holds."""
    queries = text.lower().split(",")
    return not text.strip() or any(matches_query(query) for query in queries)


def matches_query(query: str) -> bool:
    head, *conditions = re.split(r"\band\b", query.strip())
    word = head.strip().removeprefix("only ").strip()
    is_not = word.startswith("not ")
    word = word.removeprefix("not ").strip()
    if word.startswith("("):
        conditions.insert(0, word)
    elif word not in ("screen", "all", "print", "speech", "tty", "tv", "handheld", "projection"):
        return False
    is_true = word in ("screen", "all") or word.startswith("(")
    is_true = is_true and all(matches_feature(condition.strip()) for condition in conditions)
    return is_true != is_not


def matches_feature(condition: str) -> bool:
    if not (condition.startswith("(") and condition.endswith(")")):
        return False
    name, _, value = condition[1:-1].partition(":")
    name, value = name.strip(), value.strip()
    limit, _, side = name.partition("-")
    if limit in ("min", "max") and side in WINDOW:
        from flipsketch.svg.units import read_length

        try:
            length = read_length(value)
        except ValueError:
            return False
        return WINDOW[side] >= length if limit == "min" else WINDOW[side] <= length
    if not value:
        return name in WINDOW or FEATURES.get(name, "none") not in ("none", "no-preference")
    return FEATURES.get(name) == value


def read_declarations(content: Any) -> Iterator[Declaration]:
    """Yield the declarations of a block, given as text or as tokens; malformed ones are left out.

    Text that is plain is split without the tokens, which take ten times as long.
    """
    if isinstance(content, str) and not UNPLAIN.search(QUOTED.sub("", content)):
        for text in content.split(";"):
            name, colon, value = text.partition(":")
            if colon and name.strip():
                yield lower_name(name.strip()), value.strip(), False
        return
    import tinycss2

    for node in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if node.type == "declaration":
            value = tinycss2.serialize(node.value).strip()
            yield lower_name(node.name), value, bool(node.important)


def lower_name(name: str) -> str:
    """Names of variables keep their case."""
    return name if name.startswith("--") else name.lower()

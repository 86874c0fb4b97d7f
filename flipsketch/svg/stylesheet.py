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
MAX_BRACKETS = 64
BRACKET = re.compile(r"[()\[\]{}]")
COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
STRING = re.compile(r"['\"\\]")
UNPLAIN_SHEET = re.compile(r"['\"\\@]|<!--|-->|/\*")
# A page of base64 has no braces in it. Cut out first, since tokens take longer than a search.
FONT_FACE = re.compile(r"@font-face\s*\{[^{}]*\}", re.IGNORECASE)
DATA = re.compile(r"""url\(\s*["']?data:[^()"']*["']?\s*\)""", re.IGNORECASE)
# What a semicolon may be part of, and what a declaration may be other than a name and a value.
QUOTED = re.compile(r"'[^';\\]*'|\"[^\";\\]*\"")
UNPLAIN = re.compile(r"""['"\\{[@<]|\([^()]*;|/\*""")
IMPORTANT = re.compile(r"!\s*important$", re.IGNORECASE)
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
    prelude: str | list[Any]
    """Text or tokens of the selectors."""
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
    rules: list[Rule] = []
    for text in texts:
        text = without_comments(text)
        rules += read_plain_rules(text) if not UNPLAIN_SHEET.search(text) else read_sheet(text)
    if len(rules) > MAX_RULES:
        raise ValueError(f"the SVG has more than {MAX_RULES:,} style rules; simplify it")
    return rules


def read_plain_rules(text: str) -> Iterator[Rule]:
    """Yield the rules of a sheet that has nothing but selectors and declarations.

    They are split without tokens, which take ten times as long.
    """
    for part in text.split("}"):
        prelude, brace, content = part.partition("{")
        if "{" in content:
            # Rules within a rule.
            yield from read_sheet(part + "}" * content.count("{"))
        elif brace:
            yield Rule(prelude.strip(), list(read_declarations(content)), {})


def read_sheet(text: str) -> Iterator[Rule]:
    import tinycss2

    check_depth(text)
    nodes = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    yield from flatten(nodes, {}, 0)


def check_depth(text: str) -> None:
    """Raise ValueError for brackets in brackets at more levels than the library can follow."""
    depth = 0
    for found in BRACKET.finditer(text):
        depth = depth + 1 if found[0] in "([{" else max(0, depth - 1)
        if depth > MAX_BRACKETS:
            raise ValueError(f"the SVG's style has more than {MAX_BRACKETS} brackets in each other")


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


def read_declarations(content: str | list[Any]) -> Iterator[Declaration]:
    """Yield the declarations of a block, from text or tokens; malformed ones are left out."""
    if isinstance(content, str):
        content = without_comments(content)
        if is_plain(content):
            yield from split_declarations(content)
            return
        check_depth(content)
    import tinycss2

    for node in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if node.type == "declaration":
            value = tinycss2.serialize(node.value).strip()
            yield lower_name(node.name), value, bool(node.important)


def split_declarations(text: str) -> Iterator[Declaration]:
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        important = IMPORTANT.search(value) if "!" in value else None
        if important is not None:
            value = value[: important.start()].rstrip()
        if name and value:
            yield lower_name(name), value, important is not None


def is_plain(text: str) -> bool:
    """Return whether each semicolon of a text ends a declaration."""
    return not UNPLAIN.search(QUOTED.sub("", text))


def without_comments(text: str) -> str:
    is_plain_comment = "/*" in text and not STRING.search(text)
    return COMMENT.sub(" ", text) if is_plain_comment else text


def lower_name(name: str) -> str:
    """Names of variables keep their case."""
    return name if name.startswith("--") else name.lower()

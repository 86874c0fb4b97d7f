"""The rules of an SVG's `style` elements that apply to a still picture on a light screen.

`@media` is decided as by a browser with a window of 1280 x 800 pixels and no wish for a dark page:
sketches are drawn on white paper. Fonts, imports, keyframes and other at-rules are passed over:
nothing is fetched, and an animated drawing is drawn as it is without its animation.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from flipsketch.svg.units import read_length

MAX_STYLE = 1 << 19
"""Characters of all `style` elements, fonts and images apart."""
MAX_RULES = 20_000
MAX_DEPTH = 8
MAX_BRACKETS = 64
MAX_SELECTOR = 10_000
"""Characters of a selector within others: each level may say them several times."""
BRACKET = re.compile(r"[()\[\]{}]")
COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
STRING = re.compile(r"['\"\\]")
UNPLAIN_SHEET = re.compile(r"['\"\\@]|<!--|-->|/\*|\{[^{}]*\{")
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
    "orientation": "landscape",
    "hover": "hover",
    "pointer": "fine",
}

Declaration = tuple[str, str, bool]  # name, value, whether it is !important


class Rule(NamedTuple):
    prelude: str
    """Its selectors."""
    declarations: list[Declaration]


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
    for text in map(without_comments, texts):
        is_plain_sheet = not UNPLAIN_SHEET.search(text)
        rules += read_plain_rules(text) if is_plain_sheet else read_nested_rules(text)
    if len(rules) > MAX_RULES:
        raise ValueError(f"the SVG has more than {MAX_RULES:,} style rules; simplify it")
    return rules


def read_plain_rules(text: str) -> Iterator[Rule]:
    """Yield the rules of a sheet that has nothing but selectors and declarations.

    They are split without tokens, which take ten times as long.
    """
    stray = ""
    for part in text.split("}"):
        prelude, brace, content = part.partition("{")
        if brace:
            yield Rule(stray + prelude.strip(), list(read_declarations(content)))
        # A brace too many belongs to the next selector, which is malformed then.
        stray = "" if brace else part + "}"


def read_nested_rules(text: str) -> Iterator[Rule]:
    """Yield the rules of a sheet that may have at-rules, and rules within rules."""
    import tinycss2

    check_depth(text)
    nodes = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    yield from flatten(nodes, "", 0)


def flatten(nodes: list[Any], outer: str, depth: int) -> Iterator[Rule]:
    """Yield the rules of a sheet, or of what is in a rule with the selector `outer`."""
    import tinycss2

    declarations = [declaration for node in nodes for declaration in declared(node)]
    if declarations and outer:
        yield Rule(outer, declarations)
    if depth > MAX_DEPTH:
        return
    for node in nodes:
        if node.type == "qualified-rule":
            prelude = tinycss2.serialize(node.prelude).strip()
            prelude = nest(prelude, outer) if outer else prelude
            if len(prelude) < MAX_SELECTOR:
                yield from flatten(contents(node), prelude, depth + 1)
        elif node.type == "at-rule" and node.content is not None:
            if holds(node.lower_at_keyword, tinycss2.serialize(node.prelude).strip()):
                yield from flatten(contents(node), outer, depth + 1)


def contents(node: Any) -> list[Any]:
    import tinycss2

    nodes: list[Any] = tinycss2.parse_blocks_contents(
        node.content, skip_comments=True, skip_whitespace=True
    )
    return nodes


def declared(node: Any) -> Iterator[Declaration]:
    import tinycss2

    if node.type == "declaration":
        value = tinycss2.serialize(node.value).strip()
        yield lower_name(node.name), value, bool(node.important)


def nest(prelude: str, outer: str) -> str:
    """Return the selector of a rule within another: `&` stands for the other's."""
    parent = f":is({outer})"
    return prelude.replace("&", parent) if "&" in prelude else f"{parent} {prelude}"


def check_depth(text: str) -> None:
    """Raise ValueError for brackets in brackets at more levels than the library can follow."""
    depth = 0
    for found in BRACKET.finditer(text):
        depth = depth + 1 if found[0] in "([{" else max(0, depth - 1)
        if depth > MAX_BRACKETS:
            raise ValueError(f"the SVG's style has more than {MAX_BRACKETS} brackets in each other")


def holds(keyword: str, prelude: str) -> bool:
    """Return whether the rules in an at-rule apply."""
    if keyword == "media":
        return matches_media(prelude)
    # What is asked for is nearly always there, and then there is no other way to draw it. Layers
    # count in the order of their rules: no drawing has been seen that has any.
    return keyword == "layer" or (keyword == "supports" and not prelude.lower().startswith("not"))


def matches_media(text: str) -> bool:
    """Return whether a list of media queries, such as `screen and (min-width: 20em)`, holds."""
    queries = re.split(r",|\bor\b", text.lower())
    return not text.strip() or any(matches_query(query) for query in queries)


def matches_query(query: str) -> bool:
    head, *conditions = re.split(r"\band\b", query.strip())
    word = head.strip().removeprefix("only ").strip()
    is_not = word.startswith("not ")
    word = word.removeprefix("not ").strip()
    if word.startswith("("):
        word, conditions = "all", [word, *conditions]
    is_true = word in ("screen", "all") and all(map(matches_feature, conditions))
    return is_true != is_not


def matches_feature(condition: str) -> bool:
    """Return whether a feature in parentheses, such as `(min-width: 20em)`, is as asked for."""
    name, _, value = (part.strip() for part in condition.strip("() ").partition(":"))
    limit, _, side = name.partition("-")
    if limit not in ("min", "max") or side not in WINDOW:
        return name in FEATURES and value in ("", FEATURES[name])
    try:
        length = read_length(value)
    except ValueError:
        return False
    return length <= WINDOW[side] if limit == "min" else length >= WINDOW[side]


def read_declarations(content: str) -> Iterator[Declaration]:
    """Yield the declarations of a block, malformed ones are left out."""
    content = without_comments(content)
    if is_plain(content):
        yield from split_declarations(content)
        return
    check_depth(content)
    import tinycss2

    for node in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        yield from declared(node)


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

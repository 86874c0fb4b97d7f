"""A plain SVG's paint: attributes, class rules and `style`, over inherited properties.

What this would read wrong is an error; cascade.py knows all of CSS.
"""

import re
from collections.abc import Iterable

from flipsketch.svg.colour import split_colour
from flipsketch.svg.geometry import diagonal, read_length

# Children inherit these; `display` and `opacity` are not inherited but act on a whole group.
INHERITED = (
    "color fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap "
    "stroke-linejoin stroke-miterlimit visibility"
).split()
PROPERTIES = {*INHERITED, "display", "opacity"}
# These change the picture, or may.
REFUSED = {
    *("stroke-dasharray", "transform", "transform-origin", "vector-effect", "paint-order"),
    *("filter", "clip-path", "mask", "marker", "background", "background-color"),
    *("translate", "rotate", "scale", "all", "mix-blend-mode"),
}
# Attributes of shapes that CSS may set too.
GEOMETRY = {"x", "y", "cx", "cy", "r", "rx", "ry", "d"}
SIDES = {"width", "height"}
KEYWORDS = {
    "fill-rule": {"nonzero", "evenodd"},
    "display": {"none", "inline", "block", "inline-block"},
    "stroke-linecap": {"butt", "round", "square"},
    "stroke-linejoin": {"miter", "round", "bevel", "arcs", "miter-clip"},
    "visibility": {"visible", "hidden", "collapse"},
}
NOT_PLAIN = re.compile(r"url\(|@|expression|\\|/\*|!", re.IGNORECASE)

Rules = dict[str, dict[str, tuple[int, str]]]  # class -> property -> (order in the file, value)


def read_style(attributes: dict[str, str], rules: Rules) -> dict[str, str]:
    """Return an element's own properties: attributes, over them class rules, then `style`."""
    ranked: dict[str, tuple[int, str]] = {}
    for name in set(attributes.get("class", "").split()):
        for property_name, rule in rules.get(name, {}).items():
            ranked[property_name] = max(rule, ranked.get(property_name, (-1, "")))
    return {
        **keep_properties(attributes.items()),
        **{name: value for name, (_, value) in ranked.items()},
        **read_declarations(attributes.get("style", ""), is_root="viewBox" in attributes),
    }


def read_rules(texts: Iterable[str]) -> Rules:
    """Return the class rules of all `style` elements."""
    rules: Rules = {}
    # A comment runs from each /* to the next */.
    text, *commented = "\n".join(texts).split("/*")
    text += "".join(part.partition("*/")[2] for part in commented)
    *pieces, rest = text.split("}")
    if rest.strip():
        pieces.append(rest)
    for order, rule in enumerate(pieces):
        selectors, _, declarations = rule.partition("{")
        if "{" in declarations:
            raise ValueError("the SVG's style has rules within rules")
        properties = read_declarations(declarations)
        for selector in map(str.strip, selectors.split(",")):
            if not re.fullmatch(r"\.[\w-]+", selector):
                raise ValueError(f"the SVG's style has {selector[:40]!r}")
            for name, value in properties.items():
                rules.setdefault(selector[1:], {})[name] = (order, value)
    return rules


def read_declarations(text: str, is_root: bool = False) -> dict[str, str]:
    if found := NOT_PLAIN.search(text):
        raise ValueError(f"the SVG's style contains {found[0]!r}")
    declarations = [declaration.partition(":") for declaration in text.split(";")]
    names = {name.strip().lower() for name, _, _ in declarations}
    # A root's size matters to the page that it stands in.
    if names & GEOMETRY or (names & SIDES and not is_root):
        raise ValueError("the SVG's style sets where a shape lies")
    return keep_properties((name, value) for name, _, value in declarations)


def keep_properties(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    properties = {}
    for name, value in pairs:
        name, value = name.strip().lower(), value.strip().lower()
        if name in REFUSED and value not in ("none", "normal"):
            raise ValueError(f"the SVG sets {name}")
        if name in KEYWORDS and value not in KEYWORDS[name]:
            raise ValueError(f"the SVG's {name} is {value[:40]!r}")
        if name in PROPERTIES:
            # Not what another rule says, so not what leaving it out would mean.
            if value == "inherit":
                raise ValueError(f"the SVG's {name} is 'inherit'")
            properties[name] = value
    return properties


def read_paint(
    style: dict[str, str], opacity: float, canvas: list[float]
) -> dict[str, str | float]:
    paint: dict[str, str | float] = {
        "fill-rule": style.get("fill-rule", "nonzero"),
        "stroke-linecap": style.get("stroke-linecap", "butt"),
        "stroke-linejoin": style.get("stroke-linejoin", "miter"),
        "stroke-miterlimit": read_length(style.get("stroke-miterlimit", "4")),
        "stroke-width": read_length(style.get("stroke-width", "1"), diagonal(canvas)),
    }
    if not (float(paint["stroke-width"]) >= 0 and float(paint["stroke-miterlimit"]) >= 1):
        raise ValueError("the SVG's stroke-width or stroke-miterlimit is too small")
    for name, default in ("fill", "#000000"), ("stroke", "none"):
        colour = style.get(name, default)
        if colour == "currentcolor":
            colour = style.get("color", "#000000")
        paint[name], alpha = split_colour(colour)
        if paint[name] != "none":
            paint[f"{name}-opacity"] = opacity * read_opacity(style.get(f"{name}-opacity")) * alpha
    return paint


def read_opacity(text: str | None) -> float:
    return min(1.0, max(0.0, read_length(text, 1.0))) if text else 1.0

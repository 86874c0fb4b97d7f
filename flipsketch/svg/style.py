"""SVG's paint as plain values: attributes, class rules and `style`, over inherited properties."""

import re
from collections.abc import Iterable

from PIL import ImageColor

from flipsketch.svg.geometry import diagonal, read_length

MAX_MITER = 10.0
# Children inherit these; `display` and `opacity` are not inherited but act on a whole group.
INHERITED = (
    "color fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap "
    "stroke-linejoin stroke-miterlimit visibility"
).split()
PROPERTIES = {*INHERITED, "display", "opacity"}
# These change the picture, so ignoring them would be a silent guess. A tiny dash on a long line
# keeps cairo busy for hours.
REFUSED = {"stroke-dasharray", "transform", "transform-origin"}
UNSAFE_STYLE = re.compile(r"url\(|@|expression|\\", re.IGNORECASE)

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
        **read_declarations(attributes.get("style", "")),
    }


def read_rules(texts: Iterable[str]) -> Rules:
    """Return the class rules of all `style` elements."""
    rules: Rules = {}
    # A comment runs from each /* to the next */.
    text, *commented = "\n".join(texts).split("/*")
    text += "".join(part.partition("*/")[2] for part in commented)
    for order, rule in enumerate(filter(str.strip, text.split("}"))):
        selectors, _, declarations = rule.partition("{")
        properties = read_declarations(declarations)
        for selector in map(str.strip, selectors.split(",")):
            if not re.fullmatch(r"\.[\w-]+", selector):
                raise ValueError(
                    f"the SVG's style has {selector[:40]!r}; only rules for classes "
                    "(.name {...}) are read: move the others into the elements"
                )
            for name, value in properties.items():
                rules.setdefault(selector[1:], {})[name] = (order, value)
    return rules


def read_declarations(text: str) -> dict[str, str]:
    if found := UNSAFE_STYLE.search(text):
        raise ValueError(f"the SVG's style contains {found[0]!r}; use plain values")
    declarations = (declaration.partition(":") for declaration in text.split(";"))
    return keep_properties((name, value) for name, _, value in declarations)


def keep_properties(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    properties = {}
    for name, value in pairs:
        name, value = name.strip().lower(), value.strip().lower()
        if name in REFUSED and value != "none":
            raise ValueError(f"the SVG sets {name}, which is not read; draw it as plain paths")
        if name in PROPERTIES and value != "inherit":
            properties[name] = value
    return properties


def read_paint(
    style: dict[str, str], opacity: float, canvas: list[float]
) -> dict[str, str | float]:
    paint: dict[str, str | float] = {
        "fill-rule": style.get("fill-rule", "nonzero"),
        "stroke-linecap": style.get("stroke-linecap", "butt"),
        "stroke-linejoin": style.get("stroke-linejoin", "miter"),
        "stroke-miterlimit": min(MAX_MITER, read_length(style.get("stroke-miterlimit", "4"))),
        "stroke-width": max(0.0, read_length(style.get("stroke-width", "1"), diagonal(canvas))),
    }
    for name, default in ("fill", "black"), ("stroke", "none"):
        colour = style.get(name, default)
        if colour == "currentcolor":
            colour = style.get("color", "black")
        alpha = opacity * read_opacity(style.get(f"{name}-opacity"))
        if colour in ("none", "transparent"):
            paint[name] = "none"
            continue
        # Pillow would take the last number for a level of 255.
        if match := re.fullmatch(r"rgba(\([^()]*),([^(),]*)\)", colour):
            colour, alpha = f"rgb{match[1]})", alpha * read_opacity(match[2])
        try:
            red, green, blue, *rest = (min(255, level) for level in ImageColor.getrgb(colour))
        except ValueError as error:
            raise ValueError(
                f"the SVG's {name} is {colour[:40]!r}; use #rrggbb, rgb(r, g, b), a name or none"
            ) from error
        paint[name] = f"#{red:02x}{green:02x}{blue:02x}"
        paint[f"{name}-opacity"] = alpha * (rest[0] / 255 if rest else 1.0)
    return paint


def read_opacity(text: str | None) -> float:
    return min(1.0, max(0.0, read_length(text, 1.0))) if text else 1.0

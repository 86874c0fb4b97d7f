"""A shape's computed paint: colours, references, and the form of the stroke."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from flipsketch.svg.definitions import Definitions
from flipsketch.svg.outlines import Attributes, plain_dashes
from flipsketch.svg.scope import INITIAL, Scope
from flipsketch.svg.viewport import read_side

STROKE_FORM = ("stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "stroke-dashoffset")
DrawChildren = Callable[[Element, Scope], list[Element]]


class PaintReader:
    def __init__(self, definitions: Definitions, draw_children: DrawChildren) -> None:
        self.definitions = definitions
        self.draw_children = draw_children
        self.known: dict[tuple[object, ...], Attributes | None] = {}

    def read(self, shape: Element, scope: Scope) -> Attributes | None:
        """Return a shape's paint; None if it is not painted."""
        key = (scope.viewport, *scope.properties.values())
        if key not in self.known:
            self.known[key] = self.compute(shape, scope)
        return self.known[key]

    def compute(self, shape: Element, scope: Scope) -> Attributes | None:
        properties, viewport = scope.properties, scope.viewport
        found: Attributes = {}
        for name in ("fill", "stroke"):
            opacity = read_fraction(properties[f"{name}-opacity"])
            colour, alpha = split_colour(properties[name])
            opacity *= alpha
            found[name] = colour if opacity > 0 else "none"
            if opacity < 1 and found[name] != "none":
                found[f"{name}-opacity"] = repr(opacity)
        width = viewport.read(properties["stroke-width"], "stroke-width")
        if width is not None and width <= 0:
            found["stroke"] = "none"
        if found["fill"] == found["stroke"] == "none":
            return None
        if found["fill"] != "none" and properties["fill-rule"] == "evenodd":
            found["fill-rule"] = "evenodd"
        if found["stroke"] != "none":
            found["stroke-width"] = repr(1.0 if width is None else width)
            for name in STROKE_FORM:
                if properties[name] != INITIAL[name]:
                    found[name] = properties[name]
            if dashes := plain_dashes(properties["stroke-dasharray"], viewport):
                found["stroke-dasharray"] = " ".join(map(repr, dashes))
        if properties["paint-order"] != "normal":
            found["paint-order"] = properties["paint-order"]
        return found


def read_fraction(text: str) -> float:
    value = read_side(text, 1.0)
    return 1.0 if value is None else min(1.0, max(0.0, value))


def split_colour(text: str) -> tuple[str, float]:
    """Return a colour as `#rrggbb` or `none`, and its opacity."""
    if text.startswith("rgba("):
        red, green, blue, alpha = text[5:].rstrip(")").split(",")
        return f"#{int(red):02x}{int(green):02x}{int(blue):02x}", float(alpha)
    return text, 1.0

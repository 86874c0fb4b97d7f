"""A shape's computed paint: colours, references, and the form of the stroke."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from flipsketch.svg.bounds import Bounds
from flipsketch.svg.colour import split_colour
from flipsketch.svg.definitions import URL, Definitions
from flipsketch.svg.outlines import Attributes, plain_dashes
from flipsketch.svg.paint_servers import NONE, read_server
from flipsketch.svg.properties import INITIAL
from flipsketch.svg.scope import Paint, Scope

STROKE_FORM = ("stroke-linecap", "stroke-linejoin", "stroke-miterlimit")
SERVERS = {"linearGradient", "radialGradient", "pattern"}


class PaintReader:
    def __init__(
        self,
        definitions: Definitions,
        bounds: Bounds,
        draw_children: Callable[[Element, Scope], list[Element]],
    ) -> None:
        self.definitions = definitions
        self.bounds = bounds
        self.draw_children = draw_children
        self.known: dict[Scope, Attributes | None] = {}

    def read(self, shape: Element, scope: Scope) -> Attributes | None:
        """Return the paint of a shape that has its outline so far; None if it is not painted."""
        properties = scope.properties
        if "url(" in properties["fill"] + properties["stroke"] or scope.context is not None:
            return self.compute(shape, scope)
        # Most shapes share their paint with others.
        if scope not in self.known:
            self.known[scope] = self.compute(shape, scope)
        return self.known[scope]

    def compute(self, shape: Element, scope: Scope) -> Attributes | None:
        properties, viewport = scope.properties, scope.viewport
        found: Attributes = {}
        for name in ("fill", "stroke"):
            colour, opacity = self.paint(properties[name], shape, scope)
            opacity *= float(properties[f"{name}-opacity"])
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
                offset = viewport.read(properties["stroke-dashoffset"], "stroke-dashoffset")
                if offset:
                    found["stroke-dashoffset"] = repr(offset)
        if properties["paint-order"] != "normal":
            found["paint-order"] = properties["paint-order"]
        return found

    def paint(self, text: str, shape: Element, scope: Scope) -> Paint:
        """Return a fill's or a stroke's colour or reference, and the opacity that belongs to it."""
        if text in ("context-fill", "context-stroke"):
            return NONE if scope.context is None else scope.context[text]
        if match := URL.match(text):
            server = self.definitions.find(text)
            if server is not None and server.tag in SERVERS:
                paint = read_server(
                    server,
                    self.definitions,
                    self.draw_children,
                    scope.viewport,
                    lambda: self.bounds.of([shape]),
                )
                if paint is not None:
                    return paint
            text = match[2].strip() or "none"
        if text == "currentcolor":
            text = scope.properties["color"]
        return split_colour(text)

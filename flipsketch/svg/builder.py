"""Draws a document's elements into a normal tree: groups, copies, viewports and layers."""

from dataclasses import replace
from xml.etree.ElementTree import Element

from flipsketch.svg.bounds import Bounds
from flipsketch.svg.clips import HIDES_ALL, CutReader, make_layer
from flipsketch.svg.definitions import Definitions
from flipsketch.svg.elements import DRAWN, LEFT_OUT, SHAPES
from flipsketch.svg.geometry import Matrix
from flipsketch.svg.markers import MarkerReader
from flipsketch.svg.outlines import plain_outline
from flipsketch.svg.paint import PaintReader
from flipsketch.svg.scope import Scope, is_flat, place
from flipsketch.svg.viewport import Box, Viewport, fit_box, read_side, read_view_box

EFFECTS = {"opacity", "clip-path", "mask", "filter", "mix-blend-mode", "isolation"}


class Builder:
    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.bounds = Bounds()
        self.paints = PaintReader(definitions, self.bounds, self.draw_children)
        self.cuts = CutReader(definitions, self.bounds, self.draw_children)
        self.markers = MarkerReader(definitions, self.cuts, self.draw_children)
        self.notes: dict[str, None] = {}
        self.is_bare = False
        """Whether outlines are drawn for the box around them: all, also those without paint."""

    def draw_root(self, root: Element, scope: Scope) -> list[Element]:
        """Return what a document shows, bottom to top.

        Raises:
            ValueError: it has too many copies or levels.
        """
        # Before any is made.
        self.definitions.check_copies(root)
        return self.draw_in_layer(root, scope.enter(root), None)

    def draw_children(self, element: Element, scope: Scope) -> list[Element]:
        found: list[Element] = []
        for child in element:
            found += self.draw(child, scope)
        return found

    def draw(self, element: Element, scope: Scope, use: Element | None = None) -> list[Element]:
        """Return what an element shows: shapes and layers, bottom to top.

        Args:
            use: what copies it.
        """
        tag = element.tag
        is_symbol = tag == "symbol" and use is not None
        if not (tag in DRAWN or tag in LEFT_OUT or is_symbol) or not is_served(element):
            return []
        if element.get("display") == "none" and not is_symbol:
            return []
        self.definitions.spend(1)
        scope = scope.enter(element)
        if tag in LEFT_OUT:
            if scope.properties["visibility"] == "visible" and has_content(element):
                self.notes[f"left out {LEFT_OUT[tag]}"] = None
            return []
        window = None
        if tag == "use":
            x, y = (scope.viewport.length(element, name) for name in ("x", "y"))
            scope = scope.move((1.0, 0.0, 0.0, 1.0, x, y))
        elif tag in ("svg", "symbol"):
            scope, window = open_viewport(element, scope, use)
        if is_flat(scope.matrix):
            return []
        self.definitions.descend()
        shown = self.draw_in_layer(element, scope, window)
        self.definitions.level -= 1
        return shown

    def draw_in_layer(self, element: Element, scope: Scope, window: Box | None) -> list[Element]:
        """Return what an element shows, with its opacity, clip path and mask.

        Args:
            window: what is seen of its content, in its own user space; None if all is.
        """
        if self.is_bare or (EFFECTS.isdisjoint(element.keys()) and window is None):
            return self.draw_content(element, scope)
        if element.get("filter", "none") != "none":
            self.notes["left out filters"] = None
        if "(" in element.get("clip-path", "").replace("url(", ""):
            self.notes["left out CSS clip shapes"] = None
        cuts = [name for name in ("clip-path", "mask") if "url(" in element.get(name, "")]
        opacity = float(element.get("opacity", 1))
        if opacity == 0:
            return []
        blending = {
            name: value for name in ("mix-blend-mode", "isolation") if (value := element.get(name))
        }
        if not cuts and opacity == 1 and window is None and not blending:
            return self.draw_content(element, scope)
        content = self.draw_content(element, scope.layer)
        if not content:
            return []
        if window is not None:
            content = [make_layer(content, {"clip-path": self.cuts.rectangle(window)})]
        effects = dict(blending)
        for name in cuts:
            read = self.cuts.clip if name == "clip-path" else self.cuts.mask
            reference = read(
                element.get(name, ""),
                scope.viewport,
                lambda: self.outline_box(element, scope.layer),
            )
            if reference == HIDES_ALL:
                return []
            if reference:
                effects[name] = reference
        if opacity < 1:
            effects["opacity"] = repr(opacity)
        if not effects:
            return place(content, scope.matrix)
        return place([make_layer(content, effects)], scope.matrix)

    def outline_box(self, element: Element, scope: Scope) -> Box | None:
        """Return an element's bounding box, which its paint, markers and clips do not change."""
        before, self.is_bare = self.is_bare, True
        box = self.bounds.of(self.draw_content(element, scope))
        self.is_bare = before
        return box

    def draw_content(self, element: Element, scope: Scope) -> list[Element]:
        if element.tag in SHAPES:
            return self.draw_shape(element, scope)
        if element.tag == "use":
            return self.draw_copy(element, scope)
        if element.tag == "switch":
            plain = (child for child in element if child.tag != "foreignObject")
            # Embedded HTML alone is not drawn, but noted.
            first = next(filter(is_served, plain), element.find("foreignObject"))
            return [] if first is None else self.draw(first, scope)
        return self.draw_children(element, scope)

    def draw_shape(self, element: Element, scope: Scope) -> list[Element]:
        if scope.properties["visibility"] != "visible" and not self.is_bare:
            return []
        outline = plain_outline(element, scope.viewport)
        if outline is None:
            return []
        shape = Element(element.tag, outline)
        if self.is_bare:
            return place([shape], scope.matrix)
        paint = self.paints.read(shape, scope)
        shown = []
        if paint is not None:
            shape.attrib.update(paint)
            if value := element.get("vector-effect"):
                shape.set("vector-effect", value)
            if path_length := read_side(element.get("pathLength", "")):
                shape.set("pathLength", repr(path_length))
            shown.append(shape)
            if scope.transform:
                shape.set("transform", scope.transform)
        if scope.has_markers:
            shown += place(self.markers.draw(shape, scope), scope.matrix)
        return shown

    def draw_copy(self, use: Element, scope: Scope) -> list[Element]:
        """Return the copy that `use` makes of another element."""
        target = self.definitions.find(use.get("href", ""))
        if target is None:
            return []
        # A copy within itself has no end.
        if target in scope.opened or target in self.definitions.ancestors(use):
            return []
        return self.draw(target, replace(scope, opened=(*scope.opened, target), entered={}), use)


def open_viewport(element: Element, scope: Scope, use: Element | None) -> tuple[Scope, Box | None]:
    """Return the scope within a nested `svg` or the copy of a `symbol`, and what is seen of it
    there; None for all."""
    sized = Element("svg", {"width": "100%", "height": "100%", **element.attrib})
    if use is not None:
        sides = ((name, use.get(name, "")) for name in ("width", "height"))
        sized.attrib |= {name: text for name, text in sides if text not in ("", "auto")}
    port = Box(*(scope.viewport.length(sized, name) for name in ("x", "y", "width", "height")))
    if port.is_flat:
        return scope.move((0.0, 0.0, 0.0, 0.0, 0.0, 0.0)), None
    box = read_view_box(element)
    inner: Matrix = (1.0, 0.0, 0.0, 1.0, port.left, port.top)
    if box is not None:
        inner = fit_box(box, port, element.get("preserveAspectRatio", ""))
    scope = scope.move(inner).within(Viewport(*(box or port)[2:]))
    if element.get("overflow") in ("visible", "auto"):
        return scope, None
    a, _, _, d, e, f = inner
    return scope, Box((port.left - e) / a, (port.top - f) / d, port.width / a, port.height / d)


def is_served(element: Element) -> bool:
    """Tell whether an element is for a program that speaks plain SVG and English."""
    if element.get("requiredExtensions") is not None:
        return False
    languages = element.get("systemLanguage")
    return languages is None or any(
        language.strip().lower().startswith("en") for language in languages.split(",")
    )


def has_content(element: Element) -> bool:
    """Tell whether an element that is left out would show something."""
    if LEFT_OUT[element.tag] != "text":
        return element.tag != "image" or bool(element.get("href"))
    return any(text.strip() for text in element.itertext())

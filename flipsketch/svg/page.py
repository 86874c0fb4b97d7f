"""One plain SVG file on its way to shapes: elements, attributes and style in one pass.

What can be drawn becomes an outline with a matrix and a paint; what changes the picture in ways
that are not read here is an error, NotPlain, and for the slower way of normal.py; the rest is
ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from flipsketch.svg import viewport
from flipsketch.svg.document import SVG_NAMESPACES, svg_name
from flipsketch.svg.elements import SHAPES
from flipsketch.svg.geometry import (
    IDENTITY,
    Matrix,
    compose,
    read_length,
    read_numbers,
    read_outline,
    read_transform,
)
from flipsketch.svg.limits import MAX_SIDE
from flipsketch.svg.path_data import Segment, read_paths
from flipsketch.svg.render import Paint, Shape
from flipsketch.svg.strokes import mend_dots
from flipsketch.svg.style import INHERITED, Rules, read_opacity, read_paint, read_rules, read_style


class NotPlain(ValueError):
    """A file is written in more than the plain dialect, which this module reads."""


CONDITIONS = {"requiredExtensions", "requiredFeatures", "systemLanguage"}
NOT_DRAWN = {"defs", "title", "desc", "metadata", "style"}

Style = tuple[tuple[str, str], ...]


class Drawing(NamedTuple):
    """What an SVG file draws when it fills a square."""

    width: int
    height: int
    """In pixels; the longer side is the square's."""
    shapes: list[Shape]
    canvas: list[float]
    """Left, top, width and height, in the file's units."""


@dataclass(frozen=True)
class Look:
    """An element's resolved attributes, without its outline."""

    transform: Matrix
    inherited: Style
    """Properties that the children of a group inherit."""
    opacity: float
    paint: Paint | None
    """None for a group, and for what is invisible."""
    is_removed: bool
    """`display: none`: neither the element nor anything in it is drawn."""


@dataclass
class Page:
    canvas: list[float]
    rules: Rules
    outlines: list[tuple[str | list[Segment], Matrix, Paint]] = field(default_factory=list)
    """Path data or segments, bottom to top."""
    looks: dict[tuple[object, ...], Look] = field(default_factory=dict)
    """Cached by element attributes, since most lines of a sketch share them."""

    def with_paths(self, texts: list[str]) -> "Page":
        rest = iter(texts)
        outlines = [
            (next(rest) if isinstance(outline, str) else outline, matrix, paint)
            for outline, matrix, paint in self.outlines
        ]
        return Page(self.canvas, self.rules, outlines)

    def to_drawing(self, size: int) -> Drawing:
        """Raises NotPlain: a path cannot be read to its end."""
        texts = [text for text, *_ in self.outlines if isinstance(text, str)]
        try:
            paths = iter(read_paths(texts))
        except ValueError as error:
            raise NotPlain(str(error)) from error
        shapes = []
        for outline, matrix, paint in self.outlines:
            has_arcs = isinstance(outline, str) and ("A" in outline or "a" in outline)
            segments = next(paths) if isinstance(outline, str) else outline
            if paint["stroke-linecap"] == "square":
                segments = mend_dots(segments, paint, matrix)
            if segments:
                shapes.append(Shape(segments, matrix, paint, has_arcs))
        sides = self.canvas[2:]
        width, height = (max(1, round(side * size / max(sides))) for side in sides)
        return Drawing(width, height, shapes, self.canvas)

    def look(self, tag: str, element: Element, inherited: Style, opacity: float) -> Look:
        key = (tag, inherited, opacity, *element.items())
        if (look := self.looks.get(key)) is None:
            look = self.looks[key] = self.read_look(tag, element, inherited, opacity)
        return look

    def read_look(self, tag: str, element: Element, inherited: Style, opacity: float) -> Look:
        attributes = read_attributes(element, tag)
        transform = attributes.pop("transform", "")
        style = {**dict(inherited), **read_style(attributes, self.rules)}
        own_opacity = read_opacity(style.get("opacity"))
        opacity *= own_opacity
        paint = None
        is_removed = style.get("display") == "none"
        if tag != "g" and not is_removed:
            paint = read_paint(style, opacity, self.canvas)
            is_painted = paint["fill"] != "none" or paint["stroke"] != "none"
            if paint["fill"] != "none" != paint["stroke"] and 0 < own_opacity < 1:
                raise ValueError("a translucent shape with fill and stroke needs a layer")
            if not is_painted or style.get("visibility") not in (None, "visible"):
                paint = None
        elif 0 < own_opacity < 1:
            raise ValueError("a translucent group needs a layer")
        return Look(
            IDENTITY if is_removed else read_transform(transform),
            tuple((name, style[name]) for name in INHERITED if name in style),
            opacity,
            paint,
            is_removed,
        )


def read_shapes(
    element: Element, page: Page, inherited: Style, opacity: float, matrix: Matrix
) -> None:
    """Add the visible shapes in and below an element to the page."""
    tag = svg_name(element.tag)
    if not tag or tag in NOT_DRAWN:
        return
    if tag not in SHAPES and tag != "g":
        raise ValueError(f"a <{tag[:40]}> element is not plain")
    # Taken out first: most elements differ in nothing else, and share a look.
    own = element.attrib
    path_data, place = "", dict[str, str]()
    if tag == "path":
        path_data = own.pop("d", "")
    elif tag != "g":
        place = {name: own.pop(name) for name in SHAPES[tag] if name in own}
    look = page.look(tag, element, inherited, opacity)
    if look.is_removed:
        return
    if look.transform is not IDENTITY:
        matrix = compose(matrix, look.transform)
    if tag == "g":
        for child in element:
            read_shapes(child, page, look.inherited, look.opacity, matrix)
        return
    a, b, c, d, _, _ = matrix
    # A shape that is flattened to a line is not drawn. (check_work refuses matrices that overflow.)
    if look.paint is not None and not abs(a * d - b * c) < 1e-12:
        outline = path_data or read_outline(tag, place, page.canvas)
        page.outlines.append((outline, matrix, look.paint))


def style_texts(root: Element) -> Iterator[str]:
    """Yield the texts of all `style` elements, also of those in `defs`."""
    for element in root.iter():
        if svg_name(element.tag) == "style":
            media, kind = element.get("media", "all"), element.get("type", "text/css")
            if len(element) or (media, kind) != ("all", "text/css"):
                raise ValueError("a <style> that is not CSS for all media is not plain")
            yield element.text or ""


def read_attributes(element: Element, tag: str) -> dict[str, str]:
    """Return the attributes in SVG's own namespace; references and conditions are an error."""
    attributes = {}
    for full_name, value in element.items():
        namespace, _, name = full_name.rpartition("}")
        if name == "href":
            raise ValueError(f"a <{tag[:40]}> has an href")
        if namespace in SVG_NAMESPACES:
            if "url(" in value.lower():
                raise ValueError(f"{name[:40]} of a <{tag[:40]}> refers to {value[:40]!r}")
            if name in CONDITIONS:
                raise ValueError(f"a <{tag[:40]}> has a condition, {name}")
            attributes[name] = value
    return attributes


def read_canvas(root: Element) -> list[float]:
    """Return left, top, width and height of the canvas, in its own units."""
    if view_box := root.get("viewBox"):
        canvas = read_numbers(view_box)
        if len(canvas) != 4:
            raise ValueError(f"the SVG's viewBox is {view_box[:40]!r}; it must be four numbers")
    elif "%" in (size := root.get("width", "100%") + " " + root.get("height", "100%")):
        raise ValueError(f"the SVG has no viewBox and its size is {size}")
    else:
        canvas = [0.0, 0.0, *(read_length(root.get(side, "")) for side in ("width", "height"))]
    ratio = root.get("preserveAspectRatio", "")
    if view_box and ("none" in ratio or "slice" in ratio):
        raise ValueError(f"the SVG's preserveAspectRatio is {ratio[:40]!r}")
    # Of a square page the sketch shows what it shows of the viewBox alone.
    if view_box and root.get("width") != root.get("height"):
        shown, _ = viewport.read_canvas(root)
        if shown != tuple(canvas):
            raise ValueError("the SVG's size has another aspect than its viewBox")
    width, height = canvas[2:]
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(
            f"the SVG's canvas is {width:g} x {height:g}; each side must be 1 to {MAX_SIDE:,}"
        )
    return canvas


def read_page(root: Element, size: int) -> Page:
    """Return the page of a root element, scaled so that its longer side is `size` pixels.

    Raises:
        NotPlain: it has what is not read here, or would be drawn wrong.
    """
    # So that a nested <svg> is an unknown element.
    root.tag = "g"
    try:
        canvas = read_canvas(root)
        left, top, *sides = canvas
        scale = size / max(sides)
        page = Page(canvas, read_rules(style_texts(root)))
        read_shapes(root, page, (), 1.0, (scale, 0.0, 0.0, scale, -left * scale, -top * scale))
    except ValueError as error:
        raise NotPlain(str(error)) from error
    return page

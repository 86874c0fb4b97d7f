"""Any SVG as one of few elements: what is shown in its place, everything else gone.

The normal tree of `normalize`, which a renderer draws without knowing more of SVG:

- The root is `svg` with the canvas as its `viewBox`, and a `background` colour if the document has
  one. If something is referenced, its first child is `defs`.
- A shape (path, line, polyline, polygon, circle, ellipse, rect) has an outline of plain numbers (a
  path its data as written, a rect or an ellipse both radii or none), a `transform` of one matrix()
  if any, and its computed paint: nothing is inherited. `fill` and `stroke` are always there, as
  `#rrggbb`, `none` or `url(#r1)`; at least one is painted. The others, if not at their initial
  value: `fill-opacity`, `fill-rule`, `stroke-width`, `stroke-opacity`, `stroke-linecap`,
  `stroke-linejoin`, `stroke-miterlimit`, `stroke-dasharray` (an even number of plain numbers, not
  all zero), `stroke-dashoffset`, `paint-order`, and `vector-effect` (`non-scaling-stroke`).
- A `g` is a layer. It has a `transform` of one matrix(), `opacity` below 1, `clip-path` or `mask`,
  applied in the order clip, mask, opacity, both in the user space after its transform.
- All units are those of the user space where a definition is used (`userSpaceOnUse`); none depends
  on a bounding box.
- `linearGradient`: x1 y1 x2 y2; `radialGradient`: cx cy r fx fy fr; both with `gradientTransform`
  and `spreadMethod` if any, and two or more stops with rising offsets from 0 to 1, `stop-color` as
  `#rrggbb` and `stop-opacity`.
- `pattern`: a tile of `width` and `height` from the origin, `patternTransform`, and as children
  what is drawn in the tile, cut at its sides.
- `clipPath`: shapes, whose union is kept, each with `transform`, `clip-rule` and `clip-path`
  if any; it may have a `clip-path` itself. A shape's paint does not matter.
- `mask`: x y width height, `mask-type` if `alpha`, children that are drawn; it may have a `mask`.

Circles of references are cut, and what is missing is treated as SVG 2 says: a paint falls back to
its colour or none, a clip path or a mask is ignored, a `use` or a marker draws nothing.
"""

from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, SubElement

from flipsketch.svg.bounds import content_box
from flipsketch.svg.definitions import Definitions
from flipsketch.svg.geometry import IDENTITY
from flipsketch.svg.outlines import SHAPES, plain_outline
from flipsketch.svg.paint import PaintReader
from flipsketch.svg.scope import INITIAL, Scope, is_flat, write_matrix
from flipsketch.svg.viewport import Box, Viewport, read_canvas, read_view_box

MAX_LEVELS = 200
"""Of elements and their copies within one another; Python's own stack ends at 1,000 calls."""
# Left out, and what the note calls them.
LEFT_OUT = {
    "text": "text",
    "flowRoot": "text",
    "image": "images",
    "video": "images",
    "canvas": "images",
    "iframe": "images",
    "foreignObject": "embedded HTML",
}


@dataclass(frozen=True)
class Normal:
    root: Element
    width: int
    height: int
    """In pixels; the longer side is the square's."""
    canvas: list[float]
    """Left, top, width and height, in the tree's units."""
    notes: tuple[str, ...]
    """What was left out, without figures."""


def normalize(root: Element, size: int) -> Normal:
    """Return what a document draws on a square of `size` pixels.

    Args:
        root: of a safe tree whose styles are resolved into attributes.

    Raises:
        ValueError: nothing that can be drawn is left, or copies make too much of it.
    """
    box, matrix = read_canvas(root)
    builder = Builder(root)
    viewport = read_view_box(root) or box or Box(0.0, 0.0, 300.0, 150.0)
    scope = Scope(Viewport(viewport.width, viewport.height), INITIAL, matrix)
    shown = builder.draw_root(root, replace(scope, canvas_matrix=IDENTITY))
    if not shown and builder.notes:
        what = " and ".join(note.removeprefix("left out ") for note in builder.notes)
        raise ValueError(f"the SVG draws nothing but {what}, which is left out; draw it as paths")
    box = box or content_box(shown, with_strokes=True) or viewport
    normal = Element("svg", {"viewBox": " ".join(map(repr, box))})
    if background := root.get("background"):
        normal.set("background", background)
    if builder.definitions.made:
        SubElement(normal, "defs").extend(builder.definitions.made)
    normal.extend(shown)
    width, height = (max(1, round(side * size / max(box[2:]))) for side in box[2:])
    return Normal(normal, width, height, list(box), tuple(builder.notes))


class Builder:
    """Draws elements of a document into a normal tree."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.definitions = Definitions(root)
        self.paints = PaintReader(self.definitions, self.draw_children)
        self.notes: dict[str, None] = {}

    def draw_root(self, root: Element, scope: Scope) -> list[Element]:
        return self.draw_children(root, scope.enter(root))

    def draw_children(self, element: Element, scope: Scope) -> list[Element]:
        found: list[Element] = []
        for child in element:
            found += self.draw(child, scope)
        return found

    def draw(self, element: Element, scope: Scope) -> list[Element]:
        """Return what an element shows: shapes and layers, bottom to top."""
        tag = element.tag
        if tag in LEFT_OUT and element.get("display") != "none":
            self.notes[f"left out {LEFT_OUT[tag]}"] = None
        if tag not in SHAPES and tag not in ("g", "a", "svg", "switch", "use"):
            return []
        if element.get("display") == "none":
            return []
        self.definitions.spend(1)
        scope = scope.enter(element)
        if is_flat(scope.matrix):
            return []
        if tag in SHAPES:
            return self.draw_shape(element, scope)
        return self.draw_children(element, scope)

    def draw_shape(self, element: Element, scope: Scope) -> list[Element]:
        if scope.properties["visibility"] != "visible":
            return []
        outline = plain_outline(element, scope.viewport)
        if outline is None:
            return []
        shape = Element(element.tag, outline)
        paint = self.paints.read(shape, scope)
        if paint is None:
            return []
        shape.attrib.update(paint)
        if scope.matrix != IDENTITY:
            shape.set("transform", write_matrix(scope.matrix))
        if element.get("vector-effect") == "non-scaling-stroke":
            shape.set("vector-effect", "non-scaling-stroke")
        return [shape]

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
  all zero), `stroke-dashoffset`, `pathLength`, `paint-order` and `vector-effect`.
- A `g` is a layer. It has a `transform` of one matrix(), `opacity` below 1, `clip-path` or `mask`,
  applied in the order clip, mask, opacity, both in the user space after its transform, and
  `mix-blend-mode` and `isolation` if any.
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

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from flipsketch.svg.builder import Builder
from flipsketch.svg.definitions import URL, Definitions
from flipsketch.svg.elements import find_left_out, ways_out
from flipsketch.svg.path_data import MAX_MAGNITUDE
from flipsketch.svg.properties import INITIAL
from flipsketch.svg.scope import Scope
from flipsketch.svg.viewport import Box, Viewport, read_canvas, read_view_box

HIDING = {"display", "visibility", "opacity"}


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
    shown, builder, canvas, view_box = draw_document(root)
    if not shown and (symbol := find_sprite(root)) is not None:
        shown, builder, canvas, view_box = draw_document(show_symbol(root, symbol))
    if not shown and (left_out := find_left_out(builder.notes)):
        raise ValueError(
            f"the SVG draws nothing but {' and '.join(left_out)}, which is left out; "
            f"{ways_out(left_out)}"
        )
    canvas = canvas or builder.bounds.of(shown, with_strokes=True) or view_box
    # A single upright line has no width.
    canvas = Box(*canvas[:2], *(side or max(canvas[2:]) or 1.0 for side in canvas[2:]))
    if not all(abs(side) < MAX_MAGNITUDE for side in canvas):
        found = " ".join(f"{side:g}" for side in canvas)
        raise ValueError(f"the SVG's canvas is {found}; numbers must be below {MAX_MAGNITUDE:g}")
    normal = Element("svg", {"viewBox": " ".join(map(repr, canvas))})
    if background := root.get("background"):
        normal.set("background", background)
    if used := used_definitions(shown, builder.definitions.made):
        SubElement(normal, "defs").extend(used)
    normal.extend(shown)
    width, height = (max(1, round(side * size / max(canvas[2:]))) for side in canvas[2:])
    return Normal(normal, width, height, list(canvas), tuple(builder.notes))


def draw_document(root: Element) -> tuple[list[Element], Builder, Box | None, Box]:
    """Return what a document shows, who drew it, its canvas unless that is to be fitted, and its
    viewport."""
    canvas, matrix = read_canvas(root)
    view_box = read_view_box(root) or canvas or Box(0.0, 0.0, 300.0, 150.0)
    builder = Builder(Definitions(root))
    scope = Scope(Viewport(view_box.width, view_box.height), INITIAL, matrix)
    return builder.draw_root(root, scope), builder, canvas, view_box


def find_sprite(root: Element) -> Element | None:
    """Return the only symbol of a document that shows nothing.

    Raises:
        ValueError: it has several.
    """
    symbols = list(root.iter("symbol"))
    if len(symbols) > 1:
        raise ValueError(
            f"the SVG is a sprite of {len(symbols):,} symbols and shows none of them; write each "
            "into a file of its own"
        )
    return symbols[0] if symbols else None


def show_symbol(root: Element, symbol: Element) -> Element:
    """Return a document that shows a symbol's content."""
    # Pages hide their sprites.
    kept = {name: value for name, value in root.items() if name not in HIDING}
    sprite = Element("svg", {**kept, **symbol.attrib})
    # What it refers to may lie beside it.
    sprite.extend([*root.iter("defs"), *symbol])
    return sprite


def used_definitions(shown: list[Element], made: list[Element]) -> list[Element]:
    """Return the definitions that what is shown refers to, and those that these refer to."""
    if not made:
        return []
    by_name = {f"#{definition.get('id')}": definition for definition in made}
    used: set[Element] = set()
    waiting = list(shown)
    while waiting:
        for element in waiting.pop().iter():
            for name in ("fill", "stroke", "clip-path", "mask"):
                if (found := URL.match(element.get(name, ""))) is not None:
                    definition = by_name[found[1]]
                    if definition not in used:
                        used.add(definition)
                        waiting.append(definition)
    return [definition for definition in made if definition in used]

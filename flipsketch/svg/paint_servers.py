"""Gradients and patterns in the user space of the shape that they paint."""

import math
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from flipsketch.svg.colour import split_colour
from flipsketch.svg.definitions import Definitions
from flipsketch.svg.geometry import IDENTITY, Matrix, compose, write_matrix
from flipsketch.svg.scope import Paint, Scope, is_flat, read_matrix
from flipsketch.svg.viewport import UNIT, UNIT_BOX, Box, Viewport, fit_box, read_view_box

NONE: Paint = ("none", 1.0)
# Where it is, the tips of cairo's cones have no direction.
MOST_OFF_CENTRE = 0.999


class Server:
    """A gradient or a pattern, with what it takes from others by its href."""

    def __init__(self, element: Element, definitions: Definitions) -> None:
        kinds = {"pattern"} if element.tag == "pattern" else {"linearGradient", "radialGradient"}
        self.element = element
        chain = [link for link in definitions.chain(element) if link.tag in kinds]
        self.attributes = Element(element.tag)
        for link in reversed(chain):
            self.attributes.attrib.update(link.attrib)
        self.content = next((link for link in chain if len(link)), element)

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)


def read_server(
    element: Element,
    definitions: Definitions,
    draw_children: Callable[[Element, Scope], list[Element]],
    viewport: Viewport,
    find_box: Callable[[], Box | None],
) -> Paint | None:
    """Return a paint in terms of a new definition; None if its fallback is to be used: the shape
    has no box to refer to, or a pattern's tile has no area.

    Args:
        find_box: returns the shape's bounding box in its user space.
    """
    server = Server(element, definitions)
    is_pattern = element.tag == "pattern"
    units = [server.get(name) for name in ("patternUnits", "patternContentUnits", "gradientUnits")]
    needs_box = units[2] != "userSpaceOnUse"
    if is_pattern:
        needs_box = units[0] != "userSpaceOnUse" or units[1] == "objectBoundingBox"
    box = find_box() if needs_box else UNIT_BOX
    if box is None or (box.is_flat and needs_box):
        return None

    def make() -> Paint | None:
        if is_pattern:
            return make_pattern(server, definitions, draw_children, viewport, box)
        return make_gradient(server, definitions, viewport, box if needs_box else None)

    return definitions.once(element, (viewport, box), make)


def make_gradient(
    server: Server, definitions: Definitions, viewport: Viewport, box: Box | None
) -> Paint:
    stops = read_stops(server.content)
    if not stops:
        return NONE
    last = stops[-1][1:]
    if len(stops) == 1:
        return last
    definitions.spend(1 + len(stops))
    matrix = read_matrix(server.get("gradientTransform"))
    if box is not None:
        viewport, matrix = UNIT, compose(box.matrix, matrix)
    if is_flat(matrix):
        return NONE
    gradient = Element(server.element.tag, {"gradientUnits": "userSpaceOnUse"})

    def read(name: str, default: str) -> float:
        length = viewport.length(server.attributes, name, default)
        gradient.set(name, repr(length))
        return length

    if gradient.tag == "linearGradient":
        x1, y1, x2, y2 = read("x1", "0"), read("y1", "0"), read("x2", "100%"), read("y2", "0")
        if (x1, y1) == (x2, y2):
            return last
    else:
        cx, cy, r = read("cx", "50%"), read("cy", "50%"), read("r", "50%")
        if not r > 0:
            return last
        centre, fr = complex(cx, cy), min(max(0.0, read("fr", "0")), MOST_OFF_CENTRE * r)
        focus = complex(read("fx", repr(cx)), read("fy", repr(cy)))
        farthest = MOST_OFF_CENTRE * r - fr
        if abs(focus - centre) > farthest:
            focus = centre + (focus - centre) / abs(focus - centre) * farthest
        gradient.attrib |= {"fx": repr(focus.real), "fy": repr(focus.imag), "fr": repr(fr)}
    if matrix != IDENTITY:
        gradient.set("gradientTransform", write_matrix(matrix))
    if server.get("spreadMethod") in ("reflect", "repeat"):
        gradient.set("spreadMethod", server.get("spreadMethod"))
    for offset, colour, opacity in stops:
        values = {"offset": repr(offset), "stop-color": colour, "stop-opacity": repr(opacity)}
        SubElement(gradient, "stop", values)
    return definitions.add(gradient), 1.0


def read_stops(gradient: Element) -> list[tuple[float, str, float]]:
    """Return offset, colour and opacity of each stop; an offset is not below the one before."""
    stops = []
    lowest = 0.0
    for stop in gradient:
        if stop.tag == "stop":
            lowest = max(lowest, float(stop.get("offset", 0)))
            colour, opacity = split_colour(stop.get("stop-color", "#000000"))
            opacity *= float(stop.get("stop-opacity", 1))
            if colour == "none":
                colour, opacity = "#000000", 0.0
            stops.append((lowest, colour, opacity))
    return stops


def make_pattern(
    server: Server,
    definitions: Definitions,
    draw_children: Callable[[Element, Scope], list[Element]],
    viewport: Viewport,
    box: Box,
) -> Paint | None:
    in_box = server.get("patternUnits") != "userSpaceOnUse"
    reference = UNIT if in_box else viewport
    sides = (reference.length(server.attributes, name) for name in ("x", "y", "width", "height"))
    x, y, width, height = sides
    if in_box:
        # A tile begins at the box, and its sides are shares of the box's.
        x, y = box.left + x * box.width, box.top + y * box.height
        width, height = width * box.width, height * box.height
    if not (width > 0 and height > 0):
        return None
    # The nearest of the tiles, which are all the same.
    shift = (1.0, 0.0, 0.0, 1.0, math.fmod(x, width), math.fmod(y, height))
    matrix = compose(read_matrix(server.get("patternTransform")), shift)
    if is_flat(matrix):
        return NONE
    inner: Matrix = IDENTITY
    if (view_box := read_view_box(server.attributes)) is not None:
        tile = Box(0.0, 0.0, width, height)
        inner = fit_box(view_box, tile, server.get("preserveAspectRatio"))
        viewport = Viewport(view_box.width, view_box.height)
    elif server.get("patternContentUnits") == "objectBoundingBox":
        inner, viewport = (box.width, 0.0, 0.0, box.height, 0.0, 0.0), UNIT
    scope = definitions.scope_of(server.content, viewport).move(inner)
    content = draw_children(server.content, scope)
    if not content:
        return NONE
    pattern = Element("pattern", {"width": repr(width), "height": repr(height)})
    pattern.set("patternUnits", "userSpaceOnUse")
    if matrix != IDENTITY:
        pattern.set("patternTransform", write_matrix(matrix))
    pattern.extend(content)
    return definitions.add(pattern), 1.0

"""Markers, such as arrow heads, as copies at the vertices of a path.

Source: SVG 2, section 11.6.
"""

import cmath
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple
from xml.etree.ElementTree import Element

from flipsketch.svg.bounds import shape_segments
from flipsketch.svg.clips import CutReader, make_layer
from flipsketch.svg.definitions import Definitions
from flipsketch.svg.geometry import IDENTITY, Matrix
from flipsketch.svg.path_data import Segment
from flipsketch.svg.scope import MARKERS, Paint, Scope, is_flat, place
from flipsketch.svg.units import read_angle
from flipsketch.svg.viewport import Box, Viewport, fit_box, read_view_box

MARKED = {"path", "line", "polyline", "polygon"}
REFERENCE_POINTS = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}


class Vertex(NamedTuple):
    place: complex
    arriving: complex
    """Direction in which the outline arrives, 0 if there is none."""
    leaving: complex = 0j

    @property
    def angle(self) -> float:
        """In radians: halfway between both directions."""
        units = [step / abs(step) for step in (self.arriving, self.leaving) if step]
        middle = sum(units, 0j)
        if units and abs(middle) < 1e-9:
            # The outline turns back.
            middle = units[0] * 1j
        return cmath.phase(middle) if units else 0.0


class MarkerReader:
    def __init__(
        self,
        definitions: Definitions,
        cuts: CutReader,
        draw_children: Callable[[Element, Scope], list[Element]],
    ) -> None:
        self.definitions = definitions
        self.cuts = cuts
        self.draw_children = draw_children

    def draw(self, shape: Element, scope: Scope) -> list[Element]:
        """Return the markers of a shape of a normal tree, in its own user space.

        Args:
            scope: the shape's.
        """
        found = [self.definitions.find(scope.properties[name]) for name in MARKERS]
        markers = [marker if is_marker(marker) else None for marker in found]
        # In another marker they would multiply, and no program writes them.
        is_inside = any(map(is_marker, self.definitions.in_progress))
        if shape.tag not in MARKED or is_inside or markers == [None] * 3:
            return []
        vertices = read_vertices(shape_segments(shape))
        if not vertices:
            return []
        first, *inner, last = vertices if len(vertices) > 1 else vertices * 2
        shown = []
        for marker, places in zip(markers, ([first], inner, [last]), strict=True):
            if marker is not None and places:
                is_start = places[0] is first
                shown += self.copies(marker, places, shape, scope, is_start)
        return shown

    def copies(
        self, marker: Element, vertices: list[Vertex], shape: Element, scope: Scope, is_start: bool
    ) -> list[Element]:
        """Return a marker's copies at vertices."""
        scale = 1.0
        if marker.get("markerUnits") != "userSpaceOnUse":
            width = scope.viewport.read(scope.properties["stroke-width"], "stroke-width")
            scale = 1.0 if width is None else width
        num_before = self.definitions.num_drawn
        self.definitions.descend(3)
        content = self.once_drawn(marker, shape, scope)
        self.definitions.level -= 3
        self.definitions.spend((self.definitions.num_drawn - num_before) * (len(vertices) - 1))
        shown = []
        for number, vertex in enumerate(vertices):
            angle = find_angle(marker.get("orient", "0").strip(), vertex, is_start)
            turn = cmath.rect(scale, angle)
            x, y = vertex.place.real, vertex.place.imag
            matrix = turn.real, turn.imag, -turn.imag, turn.real, x, y
            if not is_flat(matrix):
                # The content is placed where it is, so each copy but the last is another.
                is_last = number == len(vertices) - 1
                shown += place(content if is_last else deepcopy(content), matrix)
        return shown

    def once_drawn(self, marker: Element, shape: Element, scope: Scope) -> list[Element]:
        """Return a marker's content, its reference point at the origin, one unit of it 1 long."""
        port = Box(
            0.0,
            0.0,
            scope.viewport.length(marker, "markerWidth", "3"),
            scope.viewport.length(marker, "markerHeight", "3"),
        )
        if port.is_flat:
            return []
        box = read_view_box(marker)
        viewport = Viewport(*(box or port)[2:])
        inner: Matrix = IDENTITY
        if box is not None:
            inner = fit_box(box, port, marker.get("preserveAspectRatio", ""))
        a, _, _, d, e, f = inner
        x, y = (read_reference(marker, name, box or port, viewport) for name in ("refX", "refY"))
        shift = (1.0, 0.0, 0.0, 1.0, -(a * x + e), -(d * y + f))
        layer = replace(
            self.definitions.scope_of(marker, viewport),
            context={f"context-{name}": paint_of(shape, name) for name in ("fill", "stroke")},
        )
        self.definitions.in_progress.append(marker)
        content = self.draw_children(marker, layer.move(inner))
        self.definitions.in_progress.pop()
        if marker.get("overflow") not in ("visible", "auto") and self.sticks_out(content, port):
            content = [make_layer(content, {"clip-path": self.cuts.rectangle(port)})]
        return place(content, shift)

    def sticks_out(self, content: list[Element], port: Box) -> bool:
        """Tell whether content may be seen outside of a box; a stroke always may."""
        shapes = [shape for layer in content for shape in layer.iter() if shape.tag != "g"]
        if any(shape.get("stroke") != "none" for shape in shapes):
            return True
        box = self.cuts.bounds.of(content)
        return box is not None and not port.holds(box)


def is_marker(element: Element | None) -> bool:
    return element is not None and element.tag == "marker"


def find_angle(orient: str, vertex: Vertex, is_start: bool) -> float:
    """Return in radians how far a marker is turned; not at all by what cannot be read."""
    if orient in ("auto", "auto-start-reverse"):
        return vertex.angle + math.pi * (is_start and orient != "auto")
    try:
        return math.radians(read_angle(orient))
    except ValueError:
        return 0.0


def read_reference(marker: Element, name: str, box: Box, viewport: Viewport) -> float:
    share = REFERENCE_POINTS.get(marker.get(name, ""))
    if share is None:
        return viewport.length(marker, name)
    return box[name == "refY"] + share * box[2 + (name == "refY")]


def paint_of(shape: Element, name: str) -> Paint:
    return shape.get(name, "none"), float(shape.get(f"{name}-opacity", 1))


def read_vertices(segments: list[Segment]) -> list[Vertex]:
    """Return the vertices of an outline with the directions in which it arrives and leaves."""
    vertices: list[Vertex] = []
    first = 0
    for kind, numbers, *_ in segments:
        points = [complex(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
        if kind == "M":
            first = len(vertices)
            vertices.append(Vertex(points[0], 0j))
            continue
        here = vertices[-1].place
        if kind == "Z":
            points = [vertices[first].place]
        # A handle that lies on its end gives no direction: the next point does.
        leaving = next((point - here for point in points[:3] if point != here), 0j)
        end = points[-1]
        before = [here, *points[:-1]][-3:]
        arriving = next((end - point for point in reversed(before) if point != end), 0j)
        if kind == "Z":
            arriving = arriving or vertices[-1].arriving
            leaving = leaving or vertices[first].leaving
            start = vertices[first]
            vertices[-1] = vertices[-1]._replace(leaving=leaving)
            vertices[first] = start._replace(arriving=arriving)
            vertices.append(Vertex(end, arriving, start.leaving))
        else:
            vertices[-1] = vertices[-1]._replace(leaving=leaving)
            vertices.append(Vertex(end, arriving))
    return vertices

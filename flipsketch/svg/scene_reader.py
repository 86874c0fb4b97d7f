"""A normal tree (normal.py) on its way to a scene: references followed, all in pixels.

What a layer is not needed for is drawn without: a clip that cuts nothing off, the opacity of a
single paint. Most drawings come out as plain shapes that way.
"""

import math
import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from flipsketch.svg.colour import split_colour
from flipsketch.svg.geometry import (
    IDENTITY,
    Matrix,
    compose,
    read_outline,
    read_transform,
    rounded_rectangle,
)
from flipsketch.svg.limits import MAX_DRAWN_ELEMENTS
from flipsketch.svg.normal import Normal
from flipsketch.svg.path_data import Segment, read_paths
from flipsketch.svg.render import Paint, Shape
from flipsketch.svg.scene import (
    EVERYWHERE,
    Box,
    Gradient,
    Item,
    Layer,
    Poured,
    Tile,
    blends,
    cut,
    fade,
    invert,
    is_white,
    transform_segments,
)
from flipsketch.svg.strokes import mend_dots, scale_dashes

REFERENCE = re.compile(r"url\(#([^)]*)\)")
MAX_TILE = 1_024
"""Pixels of a side of a pattern's picture; a larger one is drawn coarser."""
INITIAL: Paint = {
    "fill": "none",
    "fill-opacity": 1.0,
    "fill-rule": "nonzero",
    "stroke": "none",
    "stroke-width": 1.0,
    "stroke-opacity": 1.0,
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-miterlimit": 4.0,
    "stroke-dashoffset": 0.0,
}
WORDS = {"fill", "fill-rule", "stroke", "stroke-linecap", "stroke-linejoin", "stroke-dasharray"}
PAINT_NAMES = {*INITIAL, *WORDS}
CLIPPING: Paint = {**INITIAL, "fill": "#ffffff"}


def read_scene(normal: Normal) -> list[Item]:
    """Return what a normal tree draws, bottom to top."""
    left, top, width, height = normal.canvas
    scale = max(normal.width, normal.height) / max(width, height)
    base = (scale, 0.0, 0.0, scale, -left * scale, -top * scale)
    return SceneReader(normal.root, base, (0.0, 0.0, width * scale, height * scale)).read_page()


class SceneReader:
    def __init__(self, root: Element, base: Matrix, page: Box) -> None:
        self.root = root
        self.base = base
        """From the canvas's units to pixels."""
        self.page = page
        """What can be seen, in pixels."""
        self.definitions = {element.get("id", ""): element for element in root.findall("defs/*")}
        self.paints: dict[tuple[tuple[str, str], ...], Paint] = {}
        """Cached, since most shapes of a drawing share theirs."""
        self.num_elements = 0
        """Read so far: what is referred to is read again each time."""
        texts = list({path.get("d", ""): None for path in root.iter("path")})
        self.paths = dict(zip(texts, read_paths(texts, is_lenient=True), strict=True))

    def read_page(self) -> list[Item]:
        items: list[Item] = []
        background, opacity = split_colour(self.root.get("background", "none"))
        if background != "none":
            left, top, right, bottom = self.page
            # Whole pixels, as the page has.
            sides = (math.ceil(right - left), math.ceil(bottom - top))
            paint = {**INITIAL, "fill": background, "fill-opacity": opacity}
            sheet = rounded_rectangle(left, top, *sides, 0.0, 0.0)
            items.append(Shape(sheet, IDENTITY, paint))
        return items + self.read_all(self.root, self.base)

    def read_all(self, elements: Iterable[Element], matrix: Matrix) -> list[Item]:
        return [item for element in elements for item in self.read(element, matrix)]

    def read(self, element: Element, matrix: Matrix) -> list[Item]:
        if element.tag == "defs":
            return []
        self.num_elements += 1
        if self.num_elements > MAX_DRAWN_ELEMENTS:
            raise ValueError(
                f"the SVG draws more than {MAX_DRAWN_ELEMENTS:,} elements, with those of clips, "
                f"masks and patterns wherever these are used; simplify it"
            )
        try:
            if transform := element.get("transform"):
                matrix = compose(matrix, read_transform(transform))
        except ValueError:
            # It moves things beyond all numbers.
            return []
        if invert(matrix) is None:
            return []
        if element.tag != "g":
            return self.read_shape(element, matrix)
        items = self.read_all(element, matrix)
        if items and (definition := self.find(element.get("clip-path"))) is not None:
            items = cut(items, self.read_clip(definition, matrix), self.page)
        if items and (definition := self.find(element.get("mask"))) is not None:
            items = self.mask(items, definition, matrix)
        items = fade(items, float(element.get("opacity", 1)))
        blending = element.get("mix-blend-mode", "normal")
        is_isolated = element.get("isolation") == "isolate" and blends(items)
        if items and (blending != "normal" or is_isolated):
            return [Layer(items, blending=blending)]
        return items

    def find(self, text: str | None) -> Element | None:
        found = REFERENCE.match(text or "")
        return self.definitions.get(found[1]) if found else None

    def read_shape(self, element: Element, matrix: Matrix) -> list[Item]:
        segments = self.read_segments(element)
        if not segments:
            return []
        paint = self.read_paint(element)
        if path_length := element.get("pathLength"):
            paint = scale_dashes(paint, float(path_length), segments)
        segments = mend_dots(segments, paint, matrix)
        sources = {
            name: self.read_server(definition, float(paint[f"{name}-opacity"]), matrix)
            for name in ("fill", "stroke")
            if (definition := self.find(element.get(name))) is not None
        }
        if element.get("vector-effect") == "non-scaling-stroke" and paint["stroke"] != "none":
            back = invert(self.base)
            assert back is not None
            segments = transform_segments(segments, compose(back, matrix))
            matrix = self.base
        has_arcs = element.tag == "path" and any(segment[0] == "A" for segment in segments)
        shape = Shape(segments, matrix, paint, has_arcs)
        operations = [name for name in ("fill", "stroke") if paint[name] != "none"]
        order = element.get("paint-order", "normal").replace("markers", "").split()
        if order[:1] == ["stroke"]:
            operations.reverse()
        elif not sources:
            return [shape]
        items: list[Item] = []
        for name in operations:
            other = "stroke" if name == "fill" else "fill"
            single = shape._replace(paint={**paint, other: "none"})
            if name not in sources:
                items.append(single)
            elif (source := sources[name]) is not None:
                items.append(Poured(single, source))
        return items

    def read_segments(self, element: Element) -> list[Segment]:
        if element.tag == "path":
            return self.paths[element.get("d", "")]
        return read_outline(element.tag, element.attrib, [0.0] * 4, is_lenient=True)

    def read_paint(self, element: Element) -> Paint:
        key = tuple(item for item in element.items() if item[0] in PAINT_NAMES)
        if (paint := self.paints.get(key)) is None:
            paint = dict(INITIAL)
            for name, value in key:
                paint[name] = value if name in WORDS else float(value)
                if value.startswith("url("):
                    # A stand-in for a gradient or a pattern.
                    paint[name] = "#000000"
            self.paints[key] = paint
        return paint

    def read_server(
        self, element: Element, opacity: float, matrix: Matrix
    ) -> Gradient | Tile | None:
        """Return a gradient or a pattern; None of one that draws nothing."""
        name = "patternTransform" if element.tag == "pattern" else "gradientTransform"
        if transform := element.get(name):
            matrix = compose(matrix, read_transform(transform))
        if invert(matrix) is None:
            return None
        if element.tag == "pattern":
            return self.read_tile(element, opacity, matrix)
        return read_gradient(element, opacity, matrix)

    def read_tile(self, element: Element, opacity: float, matrix: Matrix) -> Tile | None:
        width, height = float(element.get("width", 0)), float(element.get("height", 0))
        if not (width > 0 and height > 0):
            return None
        a, b, c, d, _, _ = matrix
        columns, rows = (
            min(MAX_TILE, max(1, math.ceil(side * scale - 1e-6)))
            for side, scale in ((width, math.hypot(a, b)), (height, math.hypot(c, d)))
        )
        inner = (columns / width, 0.0, 0.0, rows / height, 0.0, 0.0)
        outer = compose(matrix, (width / columns, 0.0, 0.0, height / rows, 0.0, 0.0))
        page, self.page = self.page, EVERYWHERE
        items = self.read_all(element, inner)
        self.page = page
        return Tile(items, columns, rows, outer, opacity) if items else None

    def mask(self, items: list[Item], element: Element, matrix: Matrix) -> list[Item]:
        left, top, width, height = (
            float(element.get(name, 0)) for name in ("x", "y", "width", "height")
        )
        region = rounded_rectangle(left, top, width, height, 0.0, 0.0)
        content = self.read_all(element, matrix)
        content = cut(content, Layer([Shape(region, matrix, CLIPPING)]), self.page)
        if content and (definition := self.find(element.get("mask"))) is not None:
            content = self.mask(content, definition, matrix)
        if not content:
            return []
        if len(content) == 1 and is_white(content[0]):
            return cut(items, Layer(content), self.page)
        is_luminance = element.get("mask-type") != "alpha"
        return [Layer(items, mask=Layer(content, is_luminance=is_luminance))]

    def read_clip(self, element: Element, matrix: Matrix) -> Layer:
        """Return a clip path as white shapes, in a layer of its own."""
        items: list[Item] = []
        for child in element:
            self.num_elements += 1
            own = matrix
            if transform := child.get("transform"):
                own = compose(matrix, read_transform(transform))
            segments = self.read_segments(child)
            if not segments or invert(own) is None:
                continue
            paint = {**CLIPPING, "fill-rule": child.get("clip-rule", "nonzero")}
            shape: list[Item] = [Shape(segments, own, paint)]
            if (definition := self.find(child.get("clip-path"))) is not None:
                shape = cut(shape, self.read_clip(definition, own), self.page)
            items += shape
        if (definition := self.find(element.get("clip-path"))) is not None:
            items = cut(items, self.read_clip(definition, matrix), self.page)
        return Layer(items)


def read_gradient(element: Element, opacity: float, matrix: Matrix) -> Gradient:
    is_line = element.tag == "linearGradient"
    names = "x1 y1 x2 y2" if is_line else "fx fy fr cx cy r"
    places = tuple(float(element.get(name, 0)) for name in names.split())
    stops = []
    for stop in element.findall("stop"):
        red, green, blue = (
            level / 255 for level in bytes.fromhex(stop.get("stop-color", "#000000")[1:])
        )
        alpha = opacity * float(stop.get("stop-opacity", 1))
        stops.append((float(stop.get("offset", 0)), red, green, blue, alpha))
    return Gradient(places, matrix, stops, element.get("spreadMethod", "pad"))

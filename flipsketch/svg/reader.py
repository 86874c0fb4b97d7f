"""Rasterize an SVG of unknown origin into a sketch, safely.

Reading and drawing are apart. `read_drawing` takes the file through allow-lists into plain shapes:
paths of four commands, one matrix each, resolved paint; drawing.py hands those to cairo, which thus
never sees a byte of the file. Cairo has no time limit: its work is estimated first, in pixels.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import numpy as np

from flipsketch.svg.geometry import (
    IDENTITY,
    NUMBER,
    Matrix,
    Segment,
    compose,
    read_length,
    read_numbers,
    read_outline,
    read_paths,
    read_transform,
)
from flipsketch.svg.render import Paint, Shape, draw
from flipsketch.svg.style import INHERITED, Rules, read_opacity, read_paint, read_rules, read_style

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 5_000
MAX_DEPTH = 32
MAX_NUMBERS = 100_000
MAX_SIDE = 4_096
# What `check_work` refuses: cairosvg took 2 s for the first, cairo alone about 1 s for the others.
# None of 60 real sketches has more than 540 segments, 205 lines side by side, 88 sides of ink.
MAX_SEGMENTS = 15_000
MAX_CROWD = 4_000
MAX_INK = 1_000
# Beyond 2^23 pixels cairo's coordinates wrap around.
MAX_REACH = 1e6
# Of 255 levels; a fainter line is not seen.
MIN_CONTRAST = 16

SVG_NAMESPACES = ("", "{http://www.w3.org/2000/svg")
SHAPES = {"path", "line", "polyline", "polygon", "circle", "ellipse", "rect"}
# As nearly every writer has it; no markup can hide in it.
PATH_DATA = re.compile(rb'(?<=\sd=")([MLCZ0-9.,eE+ -]*)(?=")')
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


def rasterize_svg(svg: bytes, size: int) -> np.ndarray:
    """Return the sketch that an SVG file draws: aspect kept, centred on a white square.

    Raises ValueError for what is unsafe, unreadable, too much, or leaves no ink.
    """
    drawing = read_drawing(svg, size)
    return pad_to_square(draw(drawing.shapes, drawing.width, drawing.height), size)


def pad_to_square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Centre pixels (H, W, 3) on a white square (size, size, 3); they must show some ink."""
    # Before padding: a black page with white bars beside it is as blank as a white one.
    check_ink(pixels)
    height, width = pixels.shape[:2]
    if height == width == size:
        return pixels
    top, left = (size - height) // 2, (size - width) // 2
    sketch = np.full((size, size, 3), 255, np.uint8)
    sketch[top : top + height, left : left + width] = pixels
    return sketch


def check_ink(pixels: np.ndarray) -> None:
    channels = [pixels[..., channel] for channel in range(3)]
    # Of a drawing in grey, the first tells.
    if any(np.ptp(channel) >= MIN_CONTRAST for channel in channels):
        return
    contrast = max(int(np.ptp(channel)) for channel in channels)
    raise ValueError(
        f"the sketch is blank: its pixels differ by {contrast} of 255 levels, a visible line "
        f"differs from the page by {MIN_CONTRAST} or more; draw it darker or leave it out"
    )


def read_drawing(svg: bytes, size: int) -> Drawing:
    return read_page(svg, size).to_drawing(size)


class SvgReader:
    """Reads SVG files, and much faster those that differ from the one before in path data alone,
    as the frames of an animation do."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.page: Page | None = None
        self.between: list[bytes] = []
        """The page's file, less its path data."""

    def read(self, svg: bytes) -> Drawing:
        parts = PATH_DATA.split(svg)
        between, texts = parts[::2], [text.decode() for text in parts[1::2]]
        # With the same text between them, the data stand in the same places of the same tree; and
        # a file with fewer characters than numbers are allowed has no more numbers.
        if self.page is not None and between == self.between and len(svg) < MAX_NUMBERS:
            return self.page.with_paths(texts).to_drawing(self.size)
        page = read_page(svg, self.size)
        shown = [outline for outline, *_ in page.outlines if isinstance(outline, str)]
        self.page = page if shown == texts and b"<!" not in svg else None
        self.between = between
        return page.to_drawing(self.size)


def read_page(svg: bytes, size: int) -> "Page":
    root = parse_xml(svg)
    # Below, an <svg> within the <svg> is thus an unknown element.
    root.tag = "g"
    canvas = read_canvas(root)
    left, top, *sides = canvas
    scale = size / max(sides)
    page = Page(canvas, read_rules(style_texts(root)))
    read_shapes(root, page, (), 1.0, (scale, 0.0, 0.0, scale, -left * scale, -top * scale))
    return page


class PlainXml(TreeBuilder):
    def doctype(self, *declared: str | None) -> None:
        # Entities are declared in it: to read other files, or to grow without end.
        raise ValueError("the SVG has a DTD or entities (<!DOCTYPE ...>); remove them")


def parse_xml(svg: bytes) -> Element:
    """Return the root of an SVG within the limits on bytes, elements, depth and numbers."""
    if svg.startswith(b"\x1f\x8b"):
        raise ValueError("the SVG is compressed with gzip (.svgz); decompress it with gunzip")
    if not svg.strip():
        raise ValueError("the SVG is empty")
    if len(svg) > MAX_BYTES:
        raise ValueError(f"the SVG has {len(svg):,} bytes, the limit is {MAX_BYTES:,}; simplify it")
    parser = XMLParser(target=PlainXml())
    try:
        parser.feed(svg)
        root = parser.close()
    except (ParseError, LookupError) as error:
        raise ValueError(f"the SVG is cut short or not XML: {error}") from error
    check_limits(root)
    if svg_name(root.tag) != "svg":
        raise ValueError(f"the root element is <{root.tag[:40]}>, an SVG's is <svg>")
    return root


def check_limits(root: Element) -> None:
    num_elements = depth = num_numbers = 0
    level, texts = [root], list[str]()
    while level:
        depth += 1
        num_elements += len(level)
        for element in level:
            found = (element.get(name) for name in ("d", "points", "transform"))
            texts += [text for text in found if text]
        level = [child for element in level for child in element]
    # A number takes two characters at least, and most take far more.
    if sum(map(len, texts)) // 2 > MAX_NUMBERS:
        num_numbers = sum(len(NUMBER.findall(text)) for text in texts)
    for what, count, limit in (
        ("elements", num_elements, MAX_ELEMENTS),
        ("levels of elements", depth, MAX_DEPTH),
        ("numbers", num_numbers, MAX_NUMBERS),
    ):
        if count > limit:
            raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")


@functools.lru_cache(256)
def svg_name(tag: str) -> str:
    """Return an element's name, or nothing if an editor keeps it in a namespace of its own."""
    namespace, _, name = tag.rpartition("}")
    return name if namespace in SVG_NAMESPACES else ""


def read_canvas(root: Element) -> list[float]:
    """Return left, top, width and height of the canvas, in its own units."""
    if view_box := root.get("viewBox"):
        canvas = read_numbers(view_box)
        if len(canvas) != 4:
            raise ValueError(f"the SVG's viewBox is {view_box[:40]!r}, it must be four numbers")
    elif "%" in (size := root.get("width", "100%") + " " + root.get("height", "100%")):
        raise ValueError(f"the SVG has no viewBox and its size is {size}; give it a viewBox")
    else:
        canvas = [0.0, 0.0, *(read_length(root.get(side, "")) for side in ("width", "height"))]
    width, height = canvas[2:]
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(
            f"the SVG's canvas is {width:g} x {height:g}, each side must be 1 to {MAX_SIDE:,}"
        )
    return canvas


@dataclass(frozen=True)
class Look:
    """What an element's attributes come to, its outline aside."""

    attributes: dict[str, str]
    transform: Matrix
    handed_down: Style
    """To the children of a group."""
    opacity: float
    paint: Paint | None
    """None for a group, and for what is not to be seen."""
    is_removed: bool
    """With all that is in it."""


@dataclass
class Page:
    """One file on its way to shapes."""

    canvas: list[float]
    rules: Rules
    outlines: list[tuple[str | list[Segment], Matrix, Paint]] = field(default_factory=list)
    """Path data or segments, bottom to top."""
    looks: dict[tuple[object, ...], Look] = field(default_factory=dict)
    """All lines of a sketch look alike, so it is worth remembering."""

    def with_paths(self, texts: list[str]) -> "Page":
        rest = iter(texts)
        outlines = [
            (next(rest) if isinstance(outline, str) else outline, matrix, paint)
            for outline, matrix, paint in self.outlines
        ]
        return Page(self.canvas, self.rules, outlines)

    def to_drawing(self, size: int) -> Drawing:
        """Raises ValueError: a path cannot be read, or there is too much to draw."""
        paths = iter(read_paths([text for text, *_ in self.outlines if isinstance(text, str)]))
        shapes = []
        for outline, matrix, paint in self.outlines:
            has_arcs = isinstance(outline, str) and ("A" in outline or "a" in outline)
            segments = next(paths) if isinstance(outline, str) else outline
            if segments:
                shapes.append(Shape(segments, matrix, paint, has_arcs))
        check_work(shapes, size)
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
        # Overlapping shapes of one translucent group thus add up, where they should be one layer.
        opacity *= read_opacity(style.get("opacity"))
        paint = None
        is_removed = style.get("display") == "none"
        if tag != "g" and not is_removed:
            paint = read_paint(style, opacity, self.canvas)
            is_painted = paint["fill"] != "none" or paint["stroke"] != "none"
            if not is_painted or style.get("visibility") not in (None, "visible"):
                paint = None
        return Look(
            attributes,
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
        raise ValueError(
            f"the SVG has a <{tag[:40]}> element; only g, {', '.join(sorted(SHAPES))} are drawn: "
            "convert it to paths or remove it"
        )
    # Two lines differ in this alone.
    path_data = element.attrib.pop("d", "") if tag == "path" else ""
    look = page.look(tag, element, inherited, opacity)
    if look.is_removed:
        return
    if look.transform is not IDENTITY:
        matrix = compose(matrix, look.transform)
    if tag == "g":
        for child in element:
            read_shapes(child, page, look.handed_down, look.opacity, matrix)
        return
    a, b, c, d, _, _ = matrix
    # Flattened to a line, a shape is not drawn. (A matrix that overflowed is left to check_work.)
    if look.paint is not None and not abs(a * d - b * c) < 1e-12:
        outline = path_data or read_outline(tag, look.attributes, page.canvas)
        page.outlines.append((outline, matrix, look.paint))


def style_texts(root: Element) -> Iterator[str]:
    """Yield the texts of all `style` elements, also of those in `defs`."""
    return (element.text or "" for element in root.iter() if svg_name(element.tag) == "style")


def read_attributes(element: Element, tag: str) -> dict[str, str]:
    """Return the attributes of no foreign namespace; a reference to elsewhere is an error."""
    attributes = {}
    for full_name, value in element.items():
        namespace, _, name = full_name.rpartition("}")
        if name == "href":
            raise ValueError(f"a <{tag}> of the SVG has an href; remove links and references")
        if namespace in SVG_NAMESPACES:
            if "url(" in value.lower():
                raise ValueError(f"{name} of a <{tag}> refers to {value[:40]!r}; use plain values")
            attributes[name] = value
    return attributes


def check_work(shapes: list[Shape], size: int) -> None:
    """Refuse what would keep the renderer busy: too many segments, too much ink, a crowd.

    Ink is the length of all lines, and a stroke width per line for its cap or join. The crowd is
    the number of lines in the fullest row of pixels; the renderer's time there is its square.
    """
    numbers: list[float] = []
    moves, num_lines, widths = [], [], []
    for shape in shapes:
        num_before = len(numbers)
        moves.append(num_before)
        start = shape.segments[0][1][:2]
        for kind, points, *_ in shape.segments:
            if kind == "M":
                start = points
                moves.append(len(numbers))
            numbers += points or start
        num_lines.append((len(numbers) - num_before) // 2)
        is_stroked = shape.paint["stroke"] != "none"
        widths.append(float(shape.paint["stroke-width"]) * is_stroked)

    ends = np.array(numbers).reshape(-1, 2)
    matrices = np.array([shape.matrix for shape in shapes]).reshape(-1, 6)
    a, b, c, d, e, f = np.repeat(matrices, num_lines, axis=0).T
    with np.errstate(all="ignore"):
        ends = np.stack([a * ends[:, 0] + c * ends[:, 1] + e, b * ends[:, 0] + d * ends[:, 1] + f])
        scales = np.sqrt((matrices[:, :4] ** 2).sum(axis=1))
    # Written so that NaN fails too.
    if not np.abs(ends).max(initial=0) < MAX_REACH:
        raise ValueError("the SVG draws more than 1,000,000 pixels away from its canvas")
    starts = np.roll(ends, 1, axis=1)
    # A move begins where it ends.
    here = np.array(moves, int) // 2
    starts[:, here] = ends[:, here]
    ink = np.hypot(*(ends - starts)).sum() + (np.array(widths) * scales * num_lines).sum()
    crowd = sum(num_lines)
    if crowd > MAX_CROWD:
        first, last = np.clip(np.floor(np.sort([starts[1], ends[1]], axis=0)), 0, size).astype(int)
        entering, leaving = (np.bincount(rows, minlength=size + 2) for rows in (first, last + 1))
        crowd = np.cumsum(entering - leaving).max()
    for what, count, limit in (
        ("lines and curves", sum(len(shape.segments) for shape in shapes), MAX_SEGMENTS),
        ("lines side by side", crowd, MAX_CROWD),
        ("sides of its canvas as the length of its lines", ink / size, MAX_INK),
    ):
        if not count <= limit:
            raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")

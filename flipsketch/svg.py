"""Rasterize an SVG of unknown origin into a sketch, safely.

Reading and drawing are apart. `read_drawing` takes the file through allow-lists into plain shapes:
paths of four commands, one matrix each, resolved paint; drawing.py hands those to cairo, which thus
never sees a byte of the file. Cairo has no time limit: its work is estimated first, in pixels.
"""

import io
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from flipsketch.drawing import Shape, draw
from flipsketch.geometry import (
    NUMBER,
    Matrix,
    compose,
    read_length,
    read_numbers,
    read_outline,
    read_transform,
)
from flipsketch.paint import INHERITED, Rules, read_opacity, read_paint, read_rules, read_style

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
NOT_DRAWN = {"defs", "title", "desc", "metadata", "style"}


def rasterize_svg(svg: bytes, size: int) -> np.ndarray:
    """Return the sketch that an SVG file draws: aspect kept, centred on a white square.

    Raises ValueError for what is unsafe, unreadable, too much, or leaves no ink.
    """
    width, height, shapes = read_drawing(svg, size)
    return pad_to_square(draw(shapes, width, height), size)


def pad_to_square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Centre pixels (H, W, 3) on a white square (size, size, 3); they must show some ink."""
    # Before padding: a black page with white bars beside it is as blank as a white one.
    check_ink(pixels)
    height, width = pixels.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    sketch = np.full((size, size, 3), 255, np.uint8)
    sketch[top : top + height, left : left + width] = pixels
    return sketch


def check_ink(pixels: np.ndarray) -> None:
    contrast = int(np.ptp(pixels, axis=(0, 1)).max())
    if contrast < MIN_CONTRAST:
        raise ValueError(
            f"the sketch is blank: its pixels differ by {contrast} of 255 levels, a visible line "
            f"differs from the page by {MIN_CONTRAST} or more; draw it darker or leave it out"
        )


def read_drawing(svg: bytes, size: int) -> tuple[int, int, list[Shape]]:
    """Return the width and height in pixels at which an SVG fills a square, and its shapes."""
    root = parse_xml(svg)
    # Below, an <svg> within the <svg> is thus an unknown element.
    root.tag = "g"
    canvas = read_canvas(root)
    left, top, *sides = canvas
    scale = size / max(sides)
    matrix = (scale, 0.0, 0.0, scale, -left * scale, -top * scale)
    shapes = list(read_shapes(root, {}, 1.0, matrix, read_rules(style_texts(root)), canvas))
    check_work(shapes, size)
    width, height = (max(1, round(side * scale)) for side in sides)
    return width, height, shapes


def parse_xml(svg: bytes) -> Element:
    """Return the root of an SVG within the limits on bytes, elements, depth and numbers."""
    if svg.startswith(b"\x1f\x8b"):
        raise ValueError("the SVG is compressed with gzip (.svgz); decompress it with gunzip")
    if not svg.strip():
        raise ValueError("the SVG is empty")
    if len(svg) > MAX_BYTES:
        raise ValueError(f"the SVG has {len(svg):,} bytes, the limit is {MAX_BYTES:,}; simplify it")
    root, depth, num_elements, num_numbers = None, 0, 0, 0
    try:
        for event, element in iterparse(io.BytesIO(svg), ("start", "end"), forbid_dtd=True):
            if event == "end":
                depth -= 1
                continue
            root = element if root is None else root
            depth += 1
            num_elements += 1
            for name in ("d", "points", "transform"):
                num_numbers += len(NUMBER.findall(element.get(name, "")))
            for what, count, limit in (
                ("elements", num_elements, MAX_ELEMENTS),
                ("levels of elements", depth, MAX_DEPTH),
                ("numbers", num_numbers, MAX_NUMBERS),
            ):
                if count > limit:
                    raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")
    except (ParseError, LookupError) as error:
        raise ValueError(f"the SVG is cut short or not XML: {error}") from error
    except DefusedXmlException as error:
        raise ValueError("the SVG has a DTD or entities (<!DOCTYPE ...>); remove them") from error
    assert root is not None, "XML has a root or does not parse"
    if svg_name(root) != "svg":
        raise ValueError(f"the root element is <{root.tag[:40]}>, an SVG's is <svg>")
    return root


def svg_name(element: Element) -> str:
    """Return an element's name, or nothing if an editor keeps it in a namespace of its own."""
    namespace, _, name = element.tag.rpartition("}")
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


def read_shapes(
    element: Element,
    inherited: dict[str, str],
    opacity: float,
    matrix: Matrix,
    rules: Rules,
    canvas: list[float],
) -> Iterator[Shape]:
    """Yield the visible shapes in and below an element, bottom to top."""
    tag = svg_name(element)
    if not tag or tag in NOT_DRAWN:
        return
    if tag not in SHAPES and tag != "g":
        raise ValueError(
            f"the SVG has a <{tag[:40]}> element; only g, {', '.join(sorted(SHAPES))} are drawn: "
            "convert it to paths or remove it"
        )
    attributes = read_attributes(element, tag)
    transform = attributes.pop("transform", "")
    style = {**inherited, **read_style(attributes, rules)}
    # Overlapping shapes of one translucent group thus add up, where they should be one layer.
    opacity *= read_opacity(style.get("opacity"))
    if style.get("display") == "none":
        return
    matrix = compose(matrix, read_transform(transform))
    if tag == "g":
        handed_down = {name: style[name] for name in INHERITED if name in style}
        for child in element:
            yield from read_shapes(child, handed_down, opacity, matrix, rules, canvas)
        return
    paint = read_paint(style, opacity, canvas)
    segments = read_outline(tag, attributes, canvas)
    a, b, c, d, _, _ = matrix
    # Flattened to a line, a shape is not drawn. (A matrix that overflowed is left to check_work.)
    is_flat = abs(a * d - b * c) < 1e-12
    is_painted = paint["fill"] != "none" or paint["stroke"] != "none"
    if segments and is_painted and not is_flat and style.get("visibility") in (None, "visible"):
        has_arcs = tag == "path" and any(kind == "A" for kind, *_ in segments)
        yield Shape(segments, matrix, paint, has_arcs)


def style_texts(root: Element) -> Iterator[str]:
    """Yield the texts of all `style` elements, also of those in `defs`."""
    return (element.text or "" for element in root.iter() if svg_name(element) == "style")


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
    lines: list[tuple[complex, complex]] = []
    num_lines, widths = [], []
    for shape in shapes:
        here = start = 0j
        num_before = len(lines)
        for kind, points, *_ in shape.segments:
            start = points[0] if kind == "M" else start
            for point in points or [start]:
                lines.append((point if kind == "M" else here, point))
                here = point
        num_lines.append(len(lines) - num_before)
        is_stroked = shape.paint["stroke"] != "none"
        widths.append(float(shape.paint["stroke-width"]) * is_stroked)

    ends = np.array(lines, complex).reshape(-1, 2)
    matrices = np.array([shape.matrix for shape in shapes]).reshape(-1, 6)
    a, b, c, d, e, f = np.repeat(matrices, num_lines, axis=0).T[:, :, None]
    with np.errstate(all="ignore"):
        x, y = a * ends.real + c * ends.imag + e, b * ends.real + d * ends.imag + f
        joins = np.array(widths) * np.linalg.norm(matrices[:, :4], axis=1) * num_lines
    # Written so that NaN fails too.
    if not (np.all(np.abs(x) < MAX_REACH) and np.all(np.abs(y) < MAX_REACH)):
        raise ValueError("the SVG draws more than 1,000,000 pixels away from its canvas")
    ink = np.hypot(x[:, 1] - x[:, 0], y[:, 1] - y[:, 0]).sum() + joins.sum()
    rows = np.clip(np.floor(y), 0, size).astype(int)
    entering = np.bincount(rows.min(axis=1), minlength=size + 2)
    leaving = np.bincount(rows.max(axis=1) + 1, minlength=size + 2)
    for what, count, limit in (
        ("lines and curves", sum(len(shape.segments) for shape in shapes), MAX_SEGMENTS),
        ("lines side by side", np.cumsum(entering - leaving).max(), MAX_CROWD),
        ("sides of its canvas as the length of its lines", ink / size, MAX_INK),
    ):
        if not count <= limit:
            raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")

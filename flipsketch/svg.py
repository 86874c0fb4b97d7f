"""Rasterize an SVG of unknown origin into a sketch, safely.

Reading and drawing are apart. `read_drawing` takes the file through allow-lists into plain shapes:
paths of four commands, one matrix each, resolved paint. `draw` writes those as a new, flat SVG for
cairosvg, which thus never sees a byte of the file. Cairo has no time limit: its work is estimated
first, in pixels.
"""

import cmath
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse
from PIL import Image, ImageColor

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 5_000
MAX_DEPTH = 32
MAX_NUMBERS = 100_000
MAX_MAGNITUDE = 1e6
MAX_SIDE = 4_096
# What `check_work` refuses: cairosvg takes 2 s for the first, cairo alone about 1 s for the others.
# None of 60 real sketches has more than 540 segments, 205 lines side by side, 88 sides of ink.
MAX_SEGMENTS = 15_000
MAX_CROWD = 4_000
MAX_INK = 1_000
# Beyond 2^23 pixels cairo's coordinates wrap around.
MAX_REACH = 1e6
MAX_MITER = 10.0
# Of 255 levels; a fainter line is not seen.
MIN_CONTRAST = 16

SVG_NAMESPACES = ("", "{http://www.w3.org/2000/svg")
SHAPES = {"path", "line", "polyline", "polygon", "circle", "ellipse", "rect"}
NOT_DRAWN = {"defs", "title", "desc", "metadata", "style"}
# Groups hand these down; `display` and `opacity` are not handed down but act on a whole group.
INHERITED = (
    "color fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap "
    "stroke-linejoin stroke-miterlimit visibility"
).split()
PROPERTIES = {*INHERITED, "display", "opacity"}
# They change the picture, so to drop them would be a silent guess. A tiny dash on a long line
# keeps cairo busy for hours.
REFUSED = {"stroke-dasharray", "transform", "transform-origin"}
UNSAFE_STYLE = re.compile(r"url\(|@|expression|\\", re.IGNORECASE)

PIXELS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
NUM_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
ARGUMENT = re.compile(rf"[\s,]*({NUMBER.pattern})", re.ASCII)
# Writers may leave out the blanks around an arc's two flags.
FLAG = re.compile(r"[\s,]*([01])")
# A close after a close does nothing; a megabyte of them would take time.
COMMAND = re.compile(r"[\s,]*([MmLlHhVvCcSsQqTtAa]|[Zz](?:[\s,]*+[Zz])*+)")
TRANSFORM = re.compile(r"[\s,]*(\w+)\s*\(([^()]*)\)")

Segment = tuple[str, list[complex]]  # M, L, C or Z, and its points
Matrix = tuple[float, float, float, float, float, float]  # a b c d e f, as SVG writes it
Rules = dict[str, dict[str, tuple[int, str]]]  # class -> property -> (order in the file, value)
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """One path, ready to draw."""

    segments: list[Segment]
    """Absolute, in the shape's own units."""
    matrix: Matrix
    """From these units to pixels."""
    paint: dict[str, str | float]
    """SVG's presentation attributes; colours are `#rrggbb` or `none`."""


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


def draw(shapes: list[Shape], width: int, height: int) -> np.ndarray:
    """Return pixels (height, width, 3): the shapes on white."""
    try:
        from cairosvg.surface import PNGSurface
    except OSError as error:
        # No fault of the row that is being read, so no OSError: the run has to stop.
        raise ImportError(
            "reading SVG needs the cairo library: install Debian package libcairo2 "
            "(`apt-get install libcairo2`)"
        ) from error
    root = Element("svg", width=str(width), height=str(height))
    for shape in shapes:
        attributes = {name: str(value) for name, value in shape.paint.items()}
        # cairosvg takes long to read a transform.
        if shape.matrix != IDENTITY:
            attributes["transform"] = f"matrix({' '.join(map(str, shape.matrix))})"
        attributes["d"] = " ".join(
            kind + " ".join(f"{point.real} {point.imag}" for point in points)
            for kind, points in shape.segments
        )
        SubElement(root, "path", attributes)
    png = PNGSurface.convert(
        bytestring=tostring(root), background_color="white", url_fetcher=refuse_to_fetch
    )
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def refuse_to_fetch(url: str, *_: object) -> bytes:
    raise AssertionError(f"our own SVG asks for {url}")


def read_drawing(svg: bytes, size: int) -> tuple[int, int, list[Shape]]:
    """Return the width and height in pixels at which an SVG fills a square, and its shapes."""
    root = parse_xml(svg)
    # Below, an <svg> within the <svg> is thus an unknown element.
    root.tag = "g"
    canvas = read_canvas(root)
    left, top, *sides = canvas
    scale = size / max(sides)
    matrix = (scale, 0.0, 0.0, scale, -left * scale, -top * scale)
    shapes = list(read_shapes(root, {}, 1.0, matrix, read_rules(root), canvas))
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
    segments = read_path(outline(tag, attributes, canvas))
    a, b, c, d, _, _ = matrix
    # Flattened to a line, a shape is not drawn. (A matrix that overflowed is left to check_work.)
    is_flat = abs(a * d - b * c) < 1e-12
    is_painted = paint["fill"] != "none" or paint["stroke"] != "none"
    if segments and is_painted and not is_flat and style.get("visibility") in (None, "visible"):
        yield Shape(segments, matrix, paint)


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


def read_style(attributes: dict[str, str], rules: Rules) -> dict[str, str]:
    """Return an element's own properties: attributes, over them class rules, then `style`."""
    ranked: dict[str, tuple[int, str]] = {}
    for name in set(attributes.get("class", "").split()):
        for property_name, rule in rules.get(name, {}).items():
            ranked[property_name] = max(rule, ranked.get(property_name, (-1, "")))
    return {
        **keep_properties(attributes.items()),
        **{name: value for name, (_, value) in ranked.items()},
        **read_declarations(attributes.get("style", "")),
    }


def read_rules(root: Element) -> Rules:
    """Return the class rules of all `style` elements, also of those in `defs`."""
    rules: Rules = {}
    texts = (element.text or "" for element in root.iter() if svg_name(element) == "style")
    # A comment runs from each /* to the next */.
    text, *commented = "\n".join(texts).split("/*")
    text += "".join(part.partition("*/")[2] for part in commented)
    for order, rule in enumerate(filter(str.strip, text.split("}"))):
        selectors, _, declarations = rule.partition("{")
        properties = read_declarations(declarations)
        for selector in map(str.strip, selectors.split(",")):
            if not re.fullmatch(r"\.[\w-]+", selector):
                raise ValueError(
                    f"the SVG's style has {selector[:40]!r}; only rules for classes "
                    "(.name {...}) are read: write the others into the elements"
                )
            for name, value in properties.items():
                rules.setdefault(selector[1:], {})[name] = (order, value)
    return rules


def read_declarations(text: str) -> dict[str, str]:
    if found := UNSAFE_STYLE.search(text):
        raise ValueError(f"the SVG's style contains {found[0]!r}; use plain values")
    declarations = (declaration.partition(":") for declaration in text.split(";"))
    return keep_properties((name, value) for name, _, value in declarations)


def keep_properties(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    properties = {}
    for name, value in pairs:
        name, value = name.strip().lower(), value.strip().lower()
        if name in REFUSED and value != "none":
            raise ValueError(f"the SVG sets {name}, which is not read; draw it as plain paths")
        if name in PROPERTIES and value != "inherit":
            properties[name] = value
    return properties


def read_paint(
    style: dict[str, str], opacity: float, canvas: list[float]
) -> dict[str, str | float]:
    paint: dict[str, str | float] = {
        "fill-rule": style.get("fill-rule", "nonzero"),
        "stroke-linecap": style.get("stroke-linecap", "butt"),
        "stroke-linejoin": style.get("stroke-linejoin", "miter"),
        "stroke-miterlimit": min(MAX_MITER, read_length(style.get("stroke-miterlimit", "4"))),
        "stroke-width": max(0.0, read_length(style.get("stroke-width", "1"), diagonal(canvas))),
    }
    for name, default in ("fill", "black"), ("stroke", "none"):
        colour = style.get(name, default)
        if colour == "currentcolor":
            colour = style.get("color", "black")
        alpha = opacity * read_opacity(style.get(f"{name}-opacity"))
        if colour in ("none", "transparent"):
            paint[name] = "none"
            continue
        # Pillow would read the last number as one of 255.
        if match := re.fullmatch(r"rgba(\([^()]*),([^(),]*)\)", colour):
            colour, alpha = f"rgb{match[1]})", alpha * read_opacity(match[2])
        try:
            red, green, blue, *rest = (min(255, level) for level in ImageColor.getrgb(colour))
        except ValueError as error:
            raise ValueError(
                f"the SVG's {name} is {colour[:40]!r}; use #rrggbb, rgb(r, g, b), a name or none"
            ) from error
        paint[name] = f"#{red:02x}{green:02x}{blue:02x}"
        paint[f"{name}-opacity"] = alpha * (rest[0] / 255 if rest else 1.0)
    return paint


def read_opacity(text: str | None) -> float:
    return min(1.0, max(0.0, read_length(text, 1.0))) if text else 1.0


def diagonal(canvas: list[float]) -> float:
    """Return what a percentage refers to where neither side is meant (SVG 1.1, section 7.10)."""
    return math.hypot(*canvas[2:]) / math.sqrt(2)


def read_number(text: str) -> float:
    number = float(text)
    if not abs(number) < MAX_MAGNITUDE:
        raise ValueError(f"the SVG has the number {text[:20]}; all must be below 1,000,000")
    return number


def read_numbers(text: str) -> list[float]:
    if rest := NUMBER.sub("", text).strip(", \t\r\n"):
        raise ValueError(f"the SVG has {rest[:40]!r} where only numbers may be")
    return [read_number(found) for found in NUMBER.findall(text)]


def read_length(text: str, reference: float | None = None) -> float:
    """Return a length in the canvas's units; a percentage is one of `reference`."""
    match = ARGUMENT.match(text)
    unit = text[match.end() :].strip() if match else ""
    if match and unit in PIXELS:
        return read_number(match[1]) * PIXELS[unit]
    if match and unit == "%" and reference is not None:
        return read_number(match[1]) * reference / 100
    raise ValueError(f"the SVG has the length {text[:40]!r}; use a number and px, pt, mm, cm or in")


def read_transform(text: str) -> Matrix:
    matrix, position = IDENTITY, 0
    text = text.rstrip(", \t\r\n")
    while position < len(text):
        if not (match := TRANSFORM.match(text, position)):
            raise ValueError(f"the SVG has the transform {text[position : position + 40]!r}")
        matrix = compose(matrix, read_step(match[1], read_numbers(match[2])))
        position = match.end()
    return matrix


def read_step(name: str, values: list[float]) -> Matrix:
    match name, values:
        case "matrix", [a, b, c, d, e, f]:
            return a, b, c, d, e, f
        case "translate", [x]:
            return 1.0, 0.0, 0.0, 1.0, x, 0.0
        case "translate", [x, y]:
            return 1.0, 0.0, 0.0, 1.0, x, y
        case "scale", [x]:
            return x, 0.0, 0.0, x, 0.0, 0.0
        case "scale", [x, y]:
            return x, 0.0, 0.0, y, 0.0, 0.0
        case "rotate", [degrees, *centre] if len(centre) in (0, 2):
            turn = cmath.rect(1.0, math.radians(degrees))
            x, y = centre or (0.0, 0.0)
            shift = complex(x, y) - turn * complex(x, y)
            return turn.real, turn.imag, -turn.imag, turn.real, shift.real, shift.imag
        case "skewX", [degrees]:
            return 1.0, 0.0, math.tan(math.radians(degrees)), 1.0, 0.0, 0.0
        case "skewY", [degrees]:
            return 1.0, math.tan(math.radians(degrees)), 0.0, 1.0, 0.0, 0.0
    raise ValueError(f"the SVG has the transform {name[:20]} with {len(values)} numbers")


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the matrix that applies `inner` first."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (
        a * p + c * q,
        b * p + d * q,
        a * r + c * s,
        b * r + d * s,
        a * t + c * u + e,
        b * t + d * u + f,
    )


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
        for kind, points in shape.segments:
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


def outline(tag: str, attributes: dict[str, str], canvas: list[float]) -> str:
    """Return a shape's path data. Source: SVG 1.1, chapter 9."""

    def get(name: str) -> float:
        is_wide, is_high = name in ("x", "cx", "x1", "x2", "rx", "width"), name != "r"
        reference = canvas[2] if is_wide else canvas[3] if is_high else diagonal(canvas)
        return read_length(attributes.get(name, "0"), reference)

    if tag == "path":
        return attributes.get("d", "")
    if tag == "line":
        return f"M {get('x1')} {get('y1')} L {get('x2')} {get('y2')}"
    if tag in ("polyline", "polygon"):
        points = attributes.get("points", "").strip()
        return points and f"M {points} {'Z' if tag == 'polygon' else ''}"
    if tag == "rect":
        x, y, width, height = get("x"), get("y"), get("width"), get("height")
        rx = min(get("rx" if "rx" in attributes else "ry"), width / 2)
        ry = min(get("ry" if "ry" in attributes else "rx"), height / 2)
        if width <= 0 or height <= 0:
            return ""
        return (
            f"M {x + rx} {y} h {width - 2 * rx} a {rx} {ry} 0 0 1 {rx} {ry} "
            f"v {height - 2 * ry} a {rx} {ry} 0 0 1 {-rx} {ry} "
            f"h {2 * rx - width} a {rx} {ry} 0 0 1 {-rx} {-ry} "
            f"v {2 * ry - height} a {rx} {ry} 0 0 1 {rx} {-ry} Z"
        )
    rx, ry = (get("r"), get("r")) if tag == "circle" else (get("rx"), get("ry"))
    if rx <= 0 or ry <= 0:
        return ""
    half = f"a {rx} {ry} 0 0 1"
    return f"M {get('cx') - rx} {get('cy')} {half} {2 * rx} 0 {half} {-2 * rx} 0 Z"


def read_path(path_data: str) -> list[Segment]:
    """Return any path as absolute M, L, C and Z segments. Source: SVG 1.1, section 8.3."""
    segments: list[Segment] = []
    here = start = handle = 0j
    last = ""
    for letter, numbers in read_commands(path_data):
        kind, origin = letter.upper(), here if letter.islower() else 0j
        if kind == "H":
            numbers.append((here - origin).imag)
        elif kind == "V":
            numbers.insert(0, (here - origin).real)
        # The last numbers are points; only an arc has others, before them.
        pairs = numbers[5:] if kind == "A" else numbers
        points = [origin + complex(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
        end = points[-1] if points else start
        if kind in "ST":
            # The last handle, mirrored, if there was a curve of the same degree before.
            follows = last in ("CS" if kind == "S" else "QT")
            points.insert(0, 2 * here - handle if follows else here)

        if kind in "CS":
            handle = points[1]
            segments.append(("C", points))
        elif kind in "QT":
            handle = points[0]
            lifted = [here + (handle - here) * 2 / 3, end + (handle - end) * 2 / 3, end]
            segments.append(("C", lifted))
        elif kind == "A":
            segments += arc_to_curves(here, end, *numbers[:5])
        else:
            segments.append((kind if kind in "MZ" else "L", points))
        start = end if kind == "M" else start
        here, last = end, kind
    return segments


def read_commands(path_data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield a letter and its numbers per command, also where the letter is left out."""
    path_data = path_data.strip(", \t\r\n")
    # At the start and after a close there must be a letter.
    letter, position = "Z", 0
    is_readable = path_data[:1] in "Mm"
    while is_readable and position < len(path_data):
        if match := COMMAND.match(path_data, position):
            letter, position = match[1][0], match.end()
        elif letter in "Zz":
            is_readable = False
        numbers: list[float] = []
        while is_readable and len(numbers) < NUM_ARGUMENTS[letter.upper()]:
            pattern = FLAG if letter in "Aa" and len(numbers) in (3, 4) else ARGUMENT
            if match := pattern.match(path_data, position):
                numbers.append(read_number(match[1]))
                position = match.end()
            else:
                is_readable = False
        if is_readable:
            yield letter, numbers
        # A move that goes on is a line.
        letter = {"M": "L", "m": "l"}.get(letter, letter)
    if not is_readable:
        found = path_data[position : position + 40]
        raise ValueError(f"the SVG has unreadable path data at character {position}: {found!r}")


def arc_to_curves(
    start: complex,
    end: complex,
    rx: float,
    ry: float,
    degrees: float,
    is_large: float,
    is_clockwise: float,
) -> list[Segment]:
    """Return an elliptical arc as curves of a quarter turn at most, off by 0.03% of the radius.

    Source: SVG 1.1, appendix F.6. (cairosvg draws arcs, and what follows them, 10,000 times finer
    than the rest, which takes minutes on a long path.)
    """
    rx, ry = abs(rx), abs(ry)
    if min(rx, ry, abs(end - start)) < 1e-6:
        return [("L", [end])]
    turn = cmath.rect(1.0, math.radians(degrees))

    def to_circle(point: complex) -> complex:
        point /= turn
        return complex(point.real / rx, point.imag / ry)

    def to_ellipse(point: complex) -> complex:
        return complex(point.real * rx, point.imag * ry) * turn

    # Where the ellipse is a unit circle, both ends lie on it; if they are too far apart, it grows.
    first, final = to_circle(start), to_circle(end)
    half = (final - first) / 2
    radius = max(1.0, abs(half))
    rise = half * 1j * math.sqrt(max(0.0, (radius / abs(half)) ** 2 - 1))
    centre = (first + final) / 2 + (rise if is_large != is_clockwise else -rise)
    angle = cmath.phase(first - centre)
    sweep = (cmath.phase(final - centre) - angle) % (2 * math.pi)
    if not is_clockwise:
        sweep -= 2 * math.pi
    num_curves = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    step = sweep / num_curves
    reach = 4 / 3 * math.tan(step / 4) * 1j
    segments: list[Segment] = []
    for i in range(num_curves):
        leave = cmath.rect(radius, angle + i * step)
        arrive = cmath.rect(radius, angle + (i + 1) * step)
        handles = (leave + reach * leave, arrive - reach * arrive, arrive)
        segments.append(("C", [to_ellipse(centre + point) for point in handles]))
    # Rounding must not move what follows.
    segments[-1][1][-1] = end
    return segments

"""SVG's geometry as plain segments: lengths, transforms and basic shapes."""

import cmath
import math
import re

from flipsketch.svg.path_data import (
    ARGUMENT,
    NUMBER,
    Arc,
    Segment,
    flatten,
    read_number,
    read_path,
)

PIXELS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
TRANSFORM = re.compile(r"[\s,]*(\w+)\s*\(([^()]*)\)")

Matrix = tuple[float, float, float, float, float, float]  # a b c d e f, as SVG writes it
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def diagonal(canvas: list[float]) -> float:
    """Return what a percentage refers to where neither side is meant (SVG 1.1, section 7.10)."""
    return math.hypot(*canvas[2:]) / math.sqrt(2)


def read_numbers(text: str) -> list[float]:
    if rest := NUMBER.sub("", text).strip(", \t\r\n"):
        raise ValueError(f"the SVG has {rest[:40]!r} where only numbers are allowed")
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


def write_matrix(matrix: Matrix) -> str:
    return f"matrix({' '.join(map(repr, matrix))})"


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


def read_outline(
    tag: str, attributes: dict[str, str], canvas: list[float], *, is_lenient: bool = False
) -> list[Segment]:
    """Return the segments of a shape, none of a path. Source: SVG 1.1, chapter 9.

    Args:
        is_lenient: read points that come before an error.
    """

    def get(name: str) -> float:
        is_wide, is_high = name in ("x", "cx", "x1", "x2", "rx", "width"), name != "r"
        reference = canvas[2] if is_wide else canvas[3] if is_high else diagonal(canvas)
        return read_length(attributes.get(name, "0"), reference)

    if tag == "path":
        return []
    if tag == "line":
        return [("M", [get("x1"), get("y1")]), ("L", [get("x2"), get("y2")])]
    if tag in ("polyline", "polygon"):
        points = attributes.get("points", "").strip()
        segments = read_path(points and f"M {points}", is_lenient=is_lenient)
        return [*segments, ("Z", [])] if tag == "polygon" and segments else segments
    if tag == "rect":
        x, y, width, height = get("x"), get("y"), get("width"), get("height")
        rx = min(get("rx" if "rx" in attributes else "ry"), width / 2)
        ry = min(get("ry" if "ry" in attributes else "rx"), height / 2)
        return rounded_rectangle(x, y, width, height, rx, ry) if width > 0 < height else []
    if tag == "circle":
        rx = ry = get("r")
    else:
        # One that is missing is as the other (SVG 2, section 7.4).
        rx, ry = (
            get("rx" if "rx" in attributes else "ry"),
            get("ry" if "ry" in attributes else "rx"),
        )
    # One that is flattened to a line is not drawn.
    if not min(rx, ry) > 1e-9 * max(rx, ry):
        return []
    centre = complex(get("cx"), get("cy"))
    hull = [centre + complex(x * rx, y * ry) for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    arc = Arc(
        origin=0j,
        rotation=0.0,
        stretch=ry / rx,
        centre=complex(centre.real, centre.imag * rx / ry),
        radius=rx,
        first=0.0,
        last=2 * math.pi,
        is_clockwise=True,
    )
    return [("A", flatten(hull), arc), ("Z", [])]


def rounded_rectangle(
    x: float, y: float, width: float, height: float, rx: float, ry: float
) -> list[Segment]:
    right, bottom = x + width, y + height
    if rx <= 0 or ry <= 0:
        return [
            ("M", [x, y]),
            ("L", [right, y], [width, 0]),
            ("L", [right, bottom], [0, height]),
            ("L", [x, bottom], [-width, 0]),
            ("Z", []),
        ]
    segments: list[Segment] = [("M", [x + rx, y])]
    here = complex(x + rx, y)
    # Clockwise; each corner is a curve whose handles lie this far along its two sides.
    reach = 4 * (2**0.5 - 1) / 3
    for corner, before, after in (
        (complex(right, y), complex(-rx, 0), complex(0, ry)),
        (complex(right, bottom), complex(0, -ry), complex(-rx, 0)),
        (complex(x, bottom), complex(rx, 0), complex(0, -ry)),
        (complex(x, y), complex(0, ry), complex(rx, 0)),
    ):
        here = corner + before
        end = corner + after
        segments.append(("L", flatten([here])))
        segments.append(("C", flatten([here - before * reach, end - after * reach, end])))
    return [*segments, ("Z", [])]

"""CSS transforms as the matrix that SVG's attribute writes. Source: CSS Transforms 1 and 2."""

import math
import re

from flipsketch.svg.geometry import IDENTITY, NUMBER, Matrix, compose
from flipsketch.svg.units import FONT_SIZE, Size, read_angle, read_length

# One word, which may be a function of functions.
PART = re.compile(r"(?:[^\s,()]|\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\))++")
FUNCTION = re.compile(
    r"[\s,]*+([a-z0-9]++)\s*+\(((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+)\)\s*+", re.I
)
KEYWORDS = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
MAX_STEPS = 1_000


def read_css_transform(text: str, box: Size, font_size: float = FONT_SIZE) -> Matrix:
    """Return the matrix of a CSS transform in the plane.

    Args:
        box: width and height that percentages refer to.

    Raises:
        ValueError: it is malformed, or leaves the plane.
    """
    matrix, position = IDENTITY, 0
    text = text.strip()
    for _ in range(MAX_STEPS):
        if position == len(text):
            return matrix
        if not (found := FUNCTION.match(text, position)):
            break
        matrix = compose(matrix, read_css_step(found[1].lower(), found[2], box, font_size))
        position = found.end()
    raise ValueError(f"the SVG has the transform {text[position : position + 40]!r}")


def read_css_step(name: str, text: str, box: Size, font_size: float) -> Matrix:
    words = PART.findall(text)

    def length(place: int, side: int) -> float:
        word = words[place] if place < len(words) else "0"
        return read_length(with_unit(word), box[side], font_size)

    def factor(place: int) -> float:
        return read_length(words[place], 1.0)

    def angle(place: int) -> float:
        word = words[place] if place < len(words) else "0"
        return math.radians(read_angle(with_unit(word)))

    match name, len(words):
        case "matrix", 6:
            a, b, c, d, e, f = (read_length(word) for word in words)
            return a, b, c, d, e, f
        case "translate" | "translate3d", 1 | 2 | 3:
            return 1.0, 0.0, 0.0, 1.0, length(0, 0), length(1, 1)
        case "translatex", 1:
            return 1.0, 0.0, 0.0, 1.0, length(0, 0), 0.0
        case "translatey", 1:
            return 1.0, 0.0, 0.0, 1.0, 0.0, length(0, 1)
        # Written to have the graphics card draw; in the plane nothing changes.
        case "translatez" | "scalez" | "perspective", 1:
            return IDENTITY
        case "scale", 1:
            return factor(0), 0.0, 0.0, factor(0), 0.0, 0.0
        case "scale" | "scale3d", 2 | 3:
            return factor(0), 0.0, 0.0, factor(1), 0.0, 0.0
        case "scalex", 1:
            return factor(0), 0.0, 0.0, 1.0, 0.0, 0.0
        case "scaley", 1:
            return 1.0, 0.0, 0.0, factor(0), 0.0, 0.0
        case "rotate" | "rotatez", 1:
            return turned(angle(0))
        case "skew", 1 | 2:
            return 1.0, math.tan(angle(1)), math.tan(angle(0)), 1.0, 0.0, 0.0
        case "skewx", 1:
            return 1.0, 0.0, math.tan(angle(0)), 1.0, 0.0, 0.0
        case "skewy", 1:
            return 1.0, math.tan(angle(0)), 0.0, 1.0, 0.0, 0.0
    raise ValueError(f"the SVG has the transform {name[:20]} with {len(words)} numbers")


def with_unit(word: str) -> str:
    """In CSS only zero may do without a unit."""
    if NUMBER.fullmatch(word) and float(word) != 0:
        raise ValueError(f"the SVG has {word[:20]} in a transform, without a unit")
    return word


def turned(radians: float) -> Matrix:
    cos, sin = math.cos(radians), math.sin(radians)
    return cos, sin, -sin, cos, 0.0, 0.0


def around(origin: tuple[float, float], matrix: Matrix) -> Matrix:
    """Return a matrix that is applied about a point."""
    x, y = origin
    there = compose((1.0, 0.0, 0.0, 1.0, x, y), matrix)
    return compose(there, (1.0, 0.0, 0.0, 1.0, -x, -y))


def read_origin(text: str, box: Size, font_size: float = FONT_SIZE) -> tuple[float, float]:
    """Return the point of a `transform-origin`; of one word, the other is the centre."""
    words = PART.findall(text.lower())[:2]
    if not words:
        raise ValueError("the SVG has a transform-origin without a value")
    if len(words) == 1:
        words = ["center", words[0]] if words[0] in ("top", "bottom") else [words[0], "center"]
    if words[0] in ("top", "bottom") or words[1] in ("left", "right"):
        words.reverse()
    x, y = (
        KEYWORDS[word] * side if word in KEYWORDS else read_length(word, side, font_size)
        for word, side in zip(words, box, strict=True)
    )
    return x, y

"""SVG's viewports: viewBox, preserveAspectRatio, and the lengths that refer to them."""

import math
from typing import NamedTuple
from xml.etree.ElementTree import Element

from flipsketch.svg.geometry import IDENTITY, NUMBER, Matrix
from flipsketch.svg.path_data import MAX_MAGNITUDE
from flipsketch.svg.units import Size, read_length

WIDE = {"x", "x1", "x2", "cx", "fx", "rx", "width", "refX", "markerWidth"}
HIGH = {"y", "y1", "y2", "cy", "fy", "ry", "height", "refY", "markerHeight"}
ALIGNMENT = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
MAX_BARS = 1.01
"""How much longer a page may be than its viewBox and count as equal: sizes are often rounded."""


class Box(NamedTuple):
    left: float
    top: float
    width: float
    height: float

    @property
    def matrix(self) -> Matrix:
        """From the unit square to the box, as units of `objectBoundingBox` are meant."""
        return self.width, 0.0, 0.0, self.height, self.left, self.top

    @property
    def is_flat(self) -> bool:
        return not (self.width > 0 and self.height > 0)

    def holds(self, other: "Box") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.left + other.width <= self.left + self.width
            and other.top + other.height <= self.top + self.height
        )


UNIT_BOX = Box(0.0, 0.0, 1.0, 1.0)


class Viewport(NamedTuple):
    """What percentages refer to."""

    width: float
    height: float

    def length(self, element: Element, name: str, default: str = "0") -> float:
        """Return an element's length in user units; one that cannot be read is as its default."""
        length = self.read(element.get(name, default), name)
        return length if length is not None else self.read(default, name) or 0.0

    def read(self, text: str, name: str) -> float | None:
        """Return a length; a percentage is one of the side that the attribute lies along."""
        if name in WIDE or name in HIGH:
            return read_side(text, self.width if name in WIDE else self.height, self)
        return read_side(text, math.hypot(*self) / math.sqrt(2), self)


UNIT = Viewport(1.0, 1.0)
"""For units of `objectBoundingBox`: a percentage is a fraction."""


def read_side(
    text: str, reference: float | None = None, viewport: Size | None = None
) -> float | None:
    """Return a length; None if it cannot be read, is out of reach, or is a percentage without a
    reference or one of a viewport without that."""
    try:
        length = float(text)
    except ValueError:
        try:
            length = read_length(text, reference, viewport=viewport)
        except ValueError:
            return None
    return length if abs(length) < MAX_MAGNITUDE else None


def read_view_box(element: Element) -> Box | None:
    """Return an element's viewBox; None for one that is missing, unreadable or without area."""
    numbers = [float(found) for found in NUMBER.findall(element.get("viewBox", ""))]
    if len(numbers) != 4 or not all(abs(number) < MAX_MAGNITUDE for number in numbers):
        return None
    box = Box(*numbers)
    return box if min(box[2:]) > 1 / MAX_MAGNITUDE else None


def fit_box(box: Box, port: Box, ratio: str) -> Matrix:
    """Return the matrix that fits a viewBox into a viewport, as `preserveAspectRatio` says."""
    align, is_slice = read_ratio(ratio)
    scale_x, scale_y = port.width / box.width, port.height / box.height
    x = y = 0.0
    if align is not None:
        scale_x = scale_y = max(scale_x, scale_y) if is_slice else min(scale_x, scale_y)
        x, y = align
    left = port.left + x * (port.width - box.width * scale_x)
    top = port.top + y * (port.height - box.height * scale_y)
    return scale_x, 0.0, 0.0, scale_y, left - box.left * scale_x, top - box.top * scale_y


def read_ratio(ratio: str) -> tuple[tuple[float, float] | None, bool]:
    """Return where a viewBox lies along x and y (None: it is stretched), and whether it is cut."""
    words = ratio.split()
    if words[:1] == ["defer"]:
        words = words[1:]
    align = words[0] if words else ""
    is_slice = words[1:2] == ["slice"]
    if align == "none":
        return None, False
    x, y = ALIGNMENT.get(align[1:4]), ALIGNMENT.get(align[5:])
    if len(align) != 8 or align[0] != "x" or align[4] != "Y" or x is None or y is None:
        return (0.5, 0.5), False
    return (x, y), is_slice


def read_canvas(root: Element) -> tuple[Box | None, Matrix]:
    """Return the part of a root's drawing that is shown, and the matrix into its units.

    Without a readable viewBox or size the box is None. If a viewBox and a size differ in their
    aspect, more of the drawing is shown at two sides, or less, as `preserveAspectRatio` says; but
    no bars that a square around the viewBox has anyway.
    """
    box = read_view_box(root)
    width, height = (read_side(root.get(name, "")) for name in ("width", "height"))
    port = Box(0.0, 0.0, width, height) if width and height else None
    if port is None or port.is_flat:
        return box, IDENTITY
    if box is None:
        return port, IDENTITY
    align, is_slice = read_ratio(root.get("preserveAspectRatio", ""))
    if align is None:
        return port, fit_box(box, port, "none")
    choose = max if is_slice else min
    scale = choose(port.width / box.width, port.height / box.height)
    width, height = port.width / scale, port.height / scale
    if not is_slice and max(width, height) < MAX_BARS * max(box.width, box.height):
        return box, IDENTITY
    left = box.left + align[0] * (box.width - width)
    return Box(left, box.top + align[1] * (box.height - height), width, height), IDENTITY

"""Where CSS moves an element to: all its transform properties as the one matrix of an attribute."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from flipsketch.svg.elements import SHAPES
from flipsketch.svg.geometry import IDENTITY, compose, read_transform, write_matrix
from flipsketch.svg.transforms import around, read_css_transform, read_origin
from flipsketch.svg.units import Size

TRANSFORMS = {"transform", "transform-origin", "translate", "rotate", "scale"}
# Boxes of the element itself; `view-box`, the default, is its viewport.
OWN_BOXES = {"fill-box", "stroke-box", "content-box", "border-box"}
NAMES = {
    "linearGradient": "gradientTransform",
    "radialGradient": "gradientTransform",
    "pattern": "patternTransform",
}
GROUPS = {"g", "a", "svg", "switch"}
MAX_BOXED = 5_000
"""Elements in the boxes of elements, together."""


@dataclass(frozen=True)
class Placement:
    """The transform properties of an element, as they are declared."""

    element: Element
    values: dict[str, str]
    is_css: bool
    """Whether `transform` is one of CSS, not SVG's attribute."""
    viewport: Size
    font_size: float

    def write(self, left: float, top: float, width: float, height: float) -> None:
        """Write the matrix, which refers to a box, to the element's attribute."""
        box, name = (width, height), NAMES.get(self.element.tag, "transform")
        own = self.values.get("transform", "none")
        try:
            matrix = IDENTITY
            for step in ("translate", "rotate", "scale"):
                if (text := self.values.get(step, "none")) != "none":
                    matrix = compose(matrix, read_css_transform(text, box, self.font_size))
            if own != "none" and self.is_css:
                matrix = compose(matrix, read_css_transform(own, box, self.font_size))
            elif own != "none":
                matrix = compose(matrix, read_transform(own))
            origin = self.values.get("transform-origin", "0 0")
            x, y = read_origin(origin, box, self.font_size)
        except ValueError:
            return
        if matrix != IDENTITY or self.is_css:
            self.element.set(name, write_matrix(around((left + x, top + y), matrix)))


def place_all(placements: list[Placement]) -> None:
    """Write the matrices of elements, which are in the order of the document."""
    num_boxed = 0
    # The box of a group is that of its children where they are moved to.
    for placement in reversed(placements):
        box = (0.0, 0.0, *placement.viewport)
        if placement.values.get("transform-box") in OWN_BOXES:
            from flipsketch.svg.bounds import Bounds

            copy = copy_outlines(placement.element, placement.viewport)
            num_boxed += sum(1 for _ in copy.iter())
            if num_boxed > MAX_BOXED:
                raise ValueError(
                    f"the SVG moves more than {MAX_BOXED:,} elements by their own boxes "
                    "(transform-box); write its transforms as attributes"
                )
            box = Bounds().of([copy]) or box
        placement.write(*box)


def copy_outlines(element: Element, viewport: Size) -> Element:
    """Return an element, without its own transform, as groups and shapes of plain numbers."""
    from flipsketch.svg.outlines import plain_outline
    from flipsketch.svg.viewport import Viewport

    copies = {}
    for inner in element.iter():
        outline = plain_outline(inner, Viewport(*viewport)) if inner.tag in SHAPES else {}
        copy = copies[inner] = Element(inner.tag if inner.tag in SHAPES else "g", outline or {})
        if inner is not element and "transform" in inner.attrib:
            copy.set("transform", inner.attrib["transform"])
    for inner in element.iter():
        if inner.tag in GROUPS:
            copies[inner].extend(copies[child] for child in inner if child.get("display") != "none")
    return copies[element]

"""What an element takes from where it stands: inherited properties, its viewport and its place."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from flipsketch.svg.geometry import IDENTITY, Matrix, compose, read_transform, write_matrix
from flipsketch.svg.path_data import MAX_MAGNITUDE
from flipsketch.svg.properties import INITIAL
from flipsketch.svg.viewport import Viewport

MARKERS = ("marker-start", "marker-mid", "marker-end")
ENTERED = {*INITIAL, "transform"}

Properties = Mapping[str, str]
Paint = tuple[str, float]
"""A colour, `none` or a reference, and an opacity."""


# By identity, so that what is found for a scope can be kept by it.
@dataclass(frozen=True, eq=False)
class Scope:
    viewport: Viewport
    properties: Properties
    """Computed: the element's own over those it inherits."""
    matrix: Matrix = IDENTITY
    """From the element's user space to that of the layer it is drawn in."""
    context: Mapping[str, Paint] | None = None
    """`context-fill` and `context-stroke` in a marker: the paints of its shape, with opacities."""
    opened: tuple[Element, ...] = ()
    """The elements that are being copied by `use`, outermost first."""
    entered: dict[tuple[tuple[str, str], ...], "Scope"] = field(default_factory=dict)
    """Scopes of children by what these set."""

    def enter(self, element: Element) -> "Scope":
        """Return the scope of a child: its properties and its transform are applied."""
        own = tuple([item for item in element.items() if item[0] in ENTERED])
        # Most shapes have the properties of the one before.
        if (scope := self.entered.get(own)) is None:
            scope = self.entered[own] = self.read(dict(own)) if own else self
        return scope

    def read(self, own: dict[str, str]) -> "Scope":
        matrix = self.matrix
        if transform := own.pop("transform", ""):
            matrix = compose(matrix, read_matrix(transform))
        return replace(self, properties={**self.properties, **own}, matrix=matrix, entered={})

    def move(self, matrix: Matrix) -> "Scope":
        return replace(self, matrix=compose(self.matrix, matrix), entered={})

    def within(self, viewport: Viewport) -> "Scope":
        return replace(self, viewport=viewport, entered={})

    @functools.cached_property
    def layer(self) -> "Scope":
        """The scope of what is drawn into a layer of its own."""
        return replace(self, matrix=IDENTITY, entered={})

    @functools.cached_property
    def transform(self) -> str:
        """The matrix as an attribute; empty if it changes nothing."""
        return "" if self.matrix == IDENTITY else write_matrix(self.matrix)

    @functools.cached_property
    def has_markers(self) -> bool:
        return any(self.properties[name] != "none" for name in MARKERS)


def read_matrix(transform: str) -> Matrix:
    """Return an attribute's matrix; a transform that cannot be read is ignored."""
    try:
        return read_transform(transform)
    except ValueError:
        return IDENTITY


def is_flat(matrix: Matrix) -> bool:
    """Tell whether a matrix makes a line, a point or an infinity of all, which is not drawn."""
    if matrix is IDENTITY:
        return False
    a, b, c, d, _, _ = matrix
    size = max(map(abs, matrix))
    return not (size < MAX_MAGNITUDE and abs(a * d - b * c) > 1e-18 * max(1.0, abs(a), abs(d)))


def place(elements: list[Element], matrix: Matrix) -> list[Element]:
    """Return shapes and layers of a normal tree after they are moved by a matrix."""
    if matrix != IDENTITY:
        for element in elements:
            inner = element.get("transform")
            outer = compose(matrix, read_matrix(inner)) if inner else matrix
            element.set("transform", write_matrix(outer))
    return elements

"""Clip paths and masks in the user space of what they cut."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from flipsketch.svg.bounds import Bounds
from flipsketch.svg.definitions import Definitions
from flipsketch.svg.elements import LEFT_OUT, SHAPES
from flipsketch.svg.geometry import IDENTITY, compose, write_matrix
from flipsketch.svg.outlines import plain_outline
from flipsketch.svg.scope import Scope, is_flat, read_matrix
from flipsketch.svg.viewport import UNIT, UNIT_BOX, Box, Viewport

HIDES_ALL = ""
"""In place of a reference, where nothing is left of what is cut."""
MASK_REGION = {"x": "-10%", "y": "-10%", "width": "120%", "height": "120%"}

FindBox = Callable[[], Box | None]


class CutReader:
    def __init__(
        self,
        definitions: Definitions,
        bounds: Bounds,
        draw_children: Callable[[Element, Scope], list[Element]],
    ) -> None:
        self.definitions = definitions
        self.bounds = bounds
        self.draw_children = draw_children
        self.rectangles: dict[Box, str] = {}

    def clip(self, text: str, viewport: Viewport, find_box: FindBox) -> str | None:
        """Return the reference to a new clip path, HIDES_ALL, or None if nothing is to be cut.

        Args:
            find_box: returns the bounding box of what is cut, in its user space.
        """
        return self.cut("clipPath", text, viewport, find_box)

    def mask(self, text: str, viewport: Viewport, find_box: FindBox) -> str | None:
        return self.cut("mask", text, viewport, find_box)

    def cut(self, tag: str, text: str, viewport: Viewport, find_box: FindBox) -> str | None:
        element = self.definitions.find(text)
        if element is None or element.tag != tag:
            return None
        make = self.make_mask if tag == "mask" else self.make_clip
        box = find_box() if needs_box(element) else UNIT_BOX
        if box is None or box.is_flat:
            # Units of a box without area have no meaning: the effect is ignored.
            return None
        return self.definitions.once(element, (viewport, box), lambda: make(element, viewport, box))

    def make_clip(self, element: Element, viewport: Viewport, box: Box) -> str | None:
        clip = Element("clipPath")
        if own := self.clip(element.get("clip-path", ""), viewport, lambda: box):
            clip.set("clip-path", own)
        elif own == HIDES_ALL:
            return HIDES_ALL
        matrix = read_matrix(element.get("transform", ""))
        if element.get("clipPathUnits") == "objectBoundingBox":
            matrix, viewport = compose(matrix, box.matrix), UNIT
        scope = self.definitions.scope_of(element, viewport).move(matrix)
        for child in element:
            if (shape := self.clip_shape(child, scope)) is not None:
                clip.append(shape)
        if not len(clip):
            return HIDES_ALL
        return self.definitions.add(clip)

    def clip_shape(self, element: Element, scope: Scope) -> Element | None:
        """Return the outline of a clip path's child: a shape, or a `use` of one."""
        self.definitions.spend(1)
        if element.get("display") == "none":
            return None
        scope = scope.enter(element)
        clips = [element.get("clip-path", "")]
        if element.tag == "use":
            x, y = (scope.viewport.length(element, name) for name in ("x", "y"))
            scope = scope.move((1.0, 0.0, 0.0, 1.0, x, y))
            target = self.definitions.find(element.get("href", ""))
            if target is None or target.get("display") == "none":
                return None
            element, scope = target, scope.enter(target)
            clips.append(element.get("clip-path", ""))
        if element.tag not in SHAPES or scope.properties["visibility"] != "visible":
            return None
        outline = plain_outline(element, scope.viewport)
        if outline is None or is_flat(scope.matrix):
            return None
        shape = Element(element.tag, outline)
        for text in clips:
            own = self.clip(text, scope.viewport, lambda: self.bounds.of([shape]))
            if own == HIDES_ALL:
                return None
            if own:
                shape.set("clip-path", own)
        if scope.properties["clip-rule"] == "evenodd":
            shape.set("clip-rule", "evenodd")
        if scope.matrix != IDENTITY:
            shape.set("transform", write_matrix(scope.matrix))
        return shape

    def make_mask(self, element: Element, viewport: Viewport, box: Box) -> str | None:
        mask = Element("mask", {"maskUnits": "userSpaceOnUse"})
        in_box = element.get("maskUnits") != "userSpaceOnUse"
        region = [
            (UNIT if in_box else viewport).length(element, name, default)
            for name, default in MASK_REGION.items()
        ]
        if in_box:
            x, y, width, height = region
            region = [
                box.left + x * box.width,
                box.top + y * box.height,
                width * box.width,
                height * box.height,
            ]
        if not (region[2] > 0 and region[3] > 0):
            return HIDES_ALL
        mask.attrib |= dict(zip(MASK_REGION, map(repr, region), strict=True))
        own = self.mask(element.get("mask", ""), viewport, lambda: box)
        if own == HIDES_ALL:
            return HIDES_ALL
        if own:
            mask.set("mask", own)
        if element.get("mask-type") == "alpha":
            mask.set("mask-type", "alpha")
        scope = self.definitions.scope_of(element, viewport)
        if element.get("maskContentUnits") == "objectBoundingBox":
            scope = self.definitions.scope_of(element, UNIT).move(box.matrix)
        mask.extend(self.draw_children(element, scope))
        if len(mask):
            return self.definitions.add(mask)
        # A mask of what is left out would hide all that is drawn.
        left_out = any(child.tag in LEFT_OUT for child in element.iter())
        return None if left_out else HIDES_ALL

    def rectangle(self, box: Box) -> str:
        """Return the reference to a clip path that keeps a rectangle."""
        if box not in self.rectangles:
            sides = zip(("x", "y", "width", "height"), map(repr, box), strict=True)
            clip = Element("clipPath")
            clip.append(Element("rect", dict(sides)))
            self.rectangles[box] = self.definitions.add(clip)
        return self.rectangles[box]


def make_layer(content: list[Element], effects: dict[str, str]) -> Element:
    layer = Element("g", effects)
    layer.extend(content)
    return layer


def needs_box(element: Element) -> bool:
    """Tell whether a clip path or a mask depends on the bounding box of what is cut."""
    if element.tag == "mask":
        return (
            element.get("maskUnits") != "userSpaceOnUse"
            or element.get("maskContentUnits") == "objectBoundingBox"
        )
    return element.get("clipPathUnits") == "objectBoundingBox"

"""The outlines of shapes as plain numbers, without percentages, defaults and units."""

from xml.etree.ElementTree import Element

from flipsketch.svg.viewport import Viewport

Attributes = dict[str, str]


def plain_outline(element: Element, viewport: Viewport) -> Attributes | None:
    """Return the attributes of a shape's outline; None if SVG does not draw it."""
    tag = element.tag
    if tag in ("path", "polyline", "polygon"):
        name = "d" if tag == "path" else "points"
        text = element.get(name, "").strip()
        return {name: text} if text and text != "none" else None
    if tag == "line":
        return lengths(element, viewport, "x1", "y1", "x2", "y2")
    if tag == "circle":
        found = lengths(element, viewport, "cx", "cy", "r")
        return found if float(found["r"]) > 0 else None
    if tag == "ellipse":
        rx, ry = radii(element, viewport)
        if not (rx > 0 and ry > 0):
            return None
        return {**lengths(element, viewport, "cx", "cy"), "rx": repr(rx), "ry": repr(ry)}
    found = lengths(element, viewport, "x", "y", "width", "height")
    width, height = float(found["width"]), float(found["height"])
    if not (width > 0 and height > 0):
        return None
    rx, ry = radii(element, viewport)
    if rx > 0 and ry > 0:
        found |= {"rx": repr(min(rx, width / 2)), "ry": repr(min(ry, height / 2))}
    return found


def lengths(element: Element, viewport: Viewport, *names: str) -> Attributes:
    return {name: repr(viewport.length(element, name)) for name in names}


def radii(element: Element, viewport: Viewport) -> tuple[float, float]:
    """Return both radii; one that is missing, `auto` or negative is as the other."""
    rx, ry = (viewport.length(element, name, "-1") for name in ("rx", "ry"))
    return max(0.0, rx if rx >= 0 else ry), max(0.0, ry if ry >= 0 else rx)


def plain_dashes(text: str, viewport: Viewport) -> list[float]:
    """Return the lengths of dashes and gaps in turn, an even number of them; none if solid."""
    if text == "none":
        return []
    found = [viewport.read(word, "stroke-dasharray") for word in text.replace(",", " ").split()]
    lengths = [length for length in found if length is not None and length >= 0]
    if len(lengths) < len(found) or not sum(lengths) > 0:
        return []
    return lengths if len(lengths) % 2 == 0 else lengths * 2

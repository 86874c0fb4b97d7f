"""SVG's elements by what they show."""

from collections.abc import Iterable

SHAPES = {
    "path": ("d",),
    "line": ("x1", "y1", "x2", "y2"),
    "polyline": ("points",),
    "polygon": ("points",),
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "rect": ("x", "y", "width", "height", "rx", "ry"),
}
"""With the attributes that say where they lie."""
DRAWN = {*SHAPES, "g", "a", "svg", "switch", "use"}
# What the note of those that are left out calls them.
LEFT_OUT = {
    "text": "text",
    "flowRoot": "text",
    "image": "images",
    "video": "images",
    "canvas": "images",
    "iframe": "embedded HTML",
    "foreignObject": "embedded HTML",
}
WAYS_OUT = {
    "text": "convert the text to paths",
    "images": "save the image as a file of its own, or trace it",
    "embedded HTML": "draw it as paths",
    "filters": "draw it without filters",
    "CSS clip shapes": "clip it with a clipPath",
}
"""What to do about what is left out."""


def find_left_out(notes: Iterable[str]) -> list[str]:
    """Return what notes say was left out."""
    found = (note.removeprefix("left out ") for note in notes)
    return [what for what in found if what in WAYS_OUT]


def ways_out(left_out: Iterable[str]) -> str:
    return "; ".join(WAYS_OUT[what] for what in left_out)

"""SVG's elements by what they show."""

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

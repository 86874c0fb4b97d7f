"""SVG's elements by what they show."""

SHAPES = {"path", "line", "polyline", "polygon", "circle", "ellipse", "rect"}
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

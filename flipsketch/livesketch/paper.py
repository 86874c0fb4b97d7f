"""The paper of a drawing in strokes: taken off, and strokes that are light or faint made dark, as
`media.paper` does with pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flipsketch.livesketch.paint import MIN_INK, Levels, levels_of
from flipsketch.livesketch.vector import VectorSketch, check_size, draw_vector
from flipsketch.media.config import FIT_MARGIN
from flipsketch.svg.render import Paint, Shape

# In levels of 255.
COLOURED = 12
"""What white paper may lack."""
DARK = 128
"""Strokes with this contrast are not faint."""
OPAQUE = 0.99
# As shares of the page: how near its edges paper reaches, and how much of its own box it fills.
EDGE, FILLED = 0.02, 0.9
LOOKED_AT = 512
"""Pixels a side in which the drawing on a page is looked for."""
WHITE = (255, 255, 255)


def whiten(shapes: Sequence[Shape], width: int, height: int) -> tuple[list[Shape], tuple[str, ...]]:
    """Return a drawing's shapes as dark ink on white paper, and notes on what was done; those of a
    drawing that is that already come back as they are.

    Args:
        width: of its page in pixels, as its height.
    """
    num_below = 0
    while num_below < len(shapes) and covers(shapes[num_below], width, height):
        num_below += 1
    paper = levels_of(shapes[num_below - 1].paint, "fill") if num_below else WHITE
    named = paper if num_below else "no paper"
    ink = list(shapes[num_below:])
    notes = []
    is_dark = sum(paper) < 3 * DARK or max(map(ink_level, ink), default=255.0) < 255 * MIN_INK
    if is_dark:
        ink = [shape._replace(paint=invert(shape.paint)) for shape in ink]
        notes.append(f"turned light strokes dark: on {named}")
    elif min(paper) < 255 - COLOURED:
        notes.append(f"whitened the paper: {paper}")
    contrast = max(map(ink_level, ink), default=255.0)
    if 255 * MIN_INK <= contrast < DARK:
        ink = [shape._replace(paint=darken(shape.paint, contrast)) for shape in ink]
        notes.append(f"darkened faint strokes: {contrast:.0f} of 255 levels")
    return (ink, tuple(notes)) if notes else (list(shapes), ())


def covers(shape: Shape, width: int, height: int) -> bool:
    """Tell whether a shape hides the page."""
    if shape.paint["fill"] == "none" or float(shape.paint["fill-opacity"]) < OPAQUE:
        return False
    a, b, c, d, e, f = shape.matrix
    ends = [segment[1][-2:] for segment in shape.segments if len(segment[1]) >= 2]
    x, y = (np.array(ends) @ [[a, b], [c, d]] + [e, f]).T
    reaches = (
        max(x.min() / width, y.min() / height) <= EDGE
        and min(x.max() / width, y.max() / height) >= 1 - EDGE
    )
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return bool(reaches and area >= FILLED * np.ptp(x) * np.ptp(y))


def ink_level(shape: Shape) -> float:
    """Return how far a shape is from white paper, in levels of 255."""
    has_stroke = float(shape.paint["stroke-width"]) > 0
    names = ("fill", "stroke") if has_stroke else ("fill",)
    return max(contrast_of(shape.paint, name) for name in names)


def contrast_of(paint: Paint, name: str) -> float:
    """Return the like of one paint, by its darkest channel: no pure colour is faint."""
    if paint[name] == "none":
        return 0.0
    return (255 - min(levels_of(paint, name))) * float(paint.get(f"{name}-opacity", 1.0))


def invert(paint: Paint) -> Paint:
    changed: Paint = {}
    for name in ("fill", "stroke"):
        if paint[name] != "none":
            red, green, blue = levels_of(paint, name)
            changed[name] = write_colour((255 - red, 255 - green, 255 - blue))
    return {**paint, **changed}


def darken(paint: Paint, contrast: float) -> Paint:
    """Return a paint in grey whose darkness is to black as it was to the contrast."""
    changed: Paint = {}
    for name in ("fill", "stroke"):
        if paint[name] != "none":
            level = 255 - round(255 * min(1.0, contrast_of(paint, name) / contrast))
            changed |= {name: write_colour((level, level, level)), f"{name}-opacity": 1.0}
    return {**paint, **changed}


def crop_to_ink(sketch: VectorSketch) -> VectorSketch:
    """Return a sketch whose canvas is its drawing and a margin."""
    pixels = draw_vector(sketch, sketch.points, LOOKED_AT, min_line_width=1.0)
    is_ink = pixels.min(axis=-1) < 255 * (1 - MIN_INK)
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    if not len(rows):
        return sketch
    first = np.array([columns[0], rows[0]]) / LOOKED_AT
    size = np.array([columns[-1] + 1, rows[-1] + 1]) / LOOKED_AT - first
    first, size = first - FIT_MARGIN * size.max(), size + 2 * FIT_MARGIN * size.max()
    side = size.max()
    left, top, width, height = sketch.canvas
    corner = np.array([left - (sketch.side - width) / 2, top - (sketch.side - height) / 2])
    cropped = VectorSketch(
        (sketch.points - first) / side + (1 - size / side) / 2,
        tuple(replace(shape, stroke_width=shape.stroke_width / side) for shape in sketch.shapes),
        (*(corner + first * sketch.side).tolist(), *(size * sketch.side).tolist()),
    )
    check_size(cropped)
    return cropped


def write_colour(colour: Levels) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

"""A sketch's file as strokes: read from an SVG, or traced where that is asked for."""

import numpy as np

from flipsketch.livesketch.paint import TRACE_IT
from flipsketch.livesketch.paper import crop_to_ink, whiten
from flipsketch.livesketch.vector import (
    READ_SIZE,
    VectorSketch,
    draw_vector,
    plain_shapes,
    to_vector,
)
from flipsketch.media.config import AS_IS, REPAIR, SketchConfig, refusal
from flipsketch.media.extent import find_flaws
from flipsketch.media.sketch import is_svg, read_page
from flipsketch.svg.reader import pad_to_square, read_svg

# Of an SVG that is traced, in pixels.
TRACED_SIZE = 1024
# Of lines in a frame, in pixels: thinner ones turn pale, and break when they move.
MIN_LINE_WIDTH = 1.0

Read = tuple[VectorSketch, tuple[str, ...]]


def read_drawing(content: bytes, sketches: SketchConfig = REPAIR, *, trace: bool = False) -> Read:
    """Return the strokes and black fills of a sketch's file, and notes on how it was read.

    Args:
        sketches: how its page is read.
        trace: a raster picture, and an SVG that has other paint.

    Raises:
        ValueError: it has other paint and is not to be traced, or cannot be read.
    """
    sketch, notes = read_page_of_strokes(content, sketches, trace)
    if sketches.fit == "ink":
        sketch = crop_to_ink(sketch)
    if sketches != AS_IS:
        notes += find_flaws(draw_strokes(sketch, sketch.points, READ_SIZE))
    return sketch, notes


def read_page_of_strokes(content: bytes, sketches: SketchConfig, trace: bool) -> Read:
    """Return what `read_drawing` does, on its whole page."""
    if is_svg(content):
        try:
            return read_strokes(content, sketches)
        except ValueError:
            if not trace:
                raise
    if not trace:
        raise ValueError(
            "the sketch is a raster picture, which has no strokes to move; give it as SVG, or "
            + TRACE_IT
        )
    # Late: scikit-image takes a second to import.
    from flipsketch.livesketch import tracing

    page = read_page(content, TRACED_SIZE, sketches)
    pixels = np.asarray(page.image)
    if is_svg(content):
        pixels = pad_to_square(pixels, max(page.image.size), page.notes)
    return tracing.trace(pixels), page.notes


def read_strokes(svg: bytes, sketches: SketchConfig) -> Read:
    """Return an SVG's strokes and black fills, and notes on how it was read."""
    drawing = read_svg(svg, READ_SIZE)
    shapes, notes = plain_shapes(drawing), drawing.notes
    if sketches.paper != "as-is":
        shapes, repairs = whiten(shapes, drawing.width, drawing.height)
        if repairs and sketches.paper == "refuse":
            raise refusal(repairs)
        notes += repairs
    return to_vector(shapes, drawing.canvas), notes


def draw_strokes(drawing: VectorSketch, points: np.ndarray, size: int) -> np.ndarray:
    """Return a frame (size, size, 3) of a drawing whose points (P, 2) have moved."""
    return draw_vector(drawing, points, size, min_line_width=MIN_LINE_WIDTH)

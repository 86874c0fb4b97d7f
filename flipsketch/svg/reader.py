"""Rasterize an SVG of unknown origin into a sketch, safely.

Reading and drawing are separate. `read_drawing` checks the file against allow-lists (page.py) and
limits (limits.py) and returns plain shapes: paths of four commands, one matrix each, resolved
paint. Only these reach cairo (render.py), which never sees a byte of the file.
"""

import re

import numpy as np

from flipsketch.svg.document import parse_xml
from flipsketch.svg.limits import MAX_NUMBERS
from flipsketch.svg.page import Drawing, Page, read_page
from flipsketch.svg.render import draw
from flipsketch.svg.text import unpack

# In levels of 255; a fainter line cannot be seen.
MIN_CONTRAST = 16

# The form that nearly every program writes; it cannot contain markup.
PATH_DATA = re.compile(rb'(?<=\sd=")([MLCZ0-9.,eE+ -]*)(?=")')
BARE_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[<>]*>")


def rasterize_svg(svg: bytes, size: int) -> np.ndarray:
    """Return the sketch that an SVG file draws: aspect kept, centred on a white square.

    Raises ValueError for what is unsafe, unreadable, too large, or leaves no ink.
    """
    drawing = read_drawing(svg, size)
    return pad_to_square(draw(drawing.shapes, drawing.width, drawing.height), size)


def pad_to_square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Centre pixels (H, W, 3) on a white square (size, size, 3); they must show some ink."""
    # Before padding: a black page with white bars beside it is as blank as a white one.
    check_ink(pixels)
    return centre_on_white(pixels, size)


def centre_on_white(pixels: np.ndarray, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    if height == width == size:
        return pixels
    top, left = (size - height) // 2, (size - width) // 2
    sketch = np.full((size, size, 3), 255, np.uint8)
    sketch[top : top + height, left : left + width] = pixels
    return sketch


def check_ink(pixels: np.ndarray) -> None:
    channels = [pixels[..., channel] for channel in range(3)]
    # In a grey drawing the first channel decides.
    if any(np.ptp(channel) >= MIN_CONTRAST for channel in channels):
        return
    contrast = max(int(np.ptp(channel)) for channel in channels)
    raise ValueError(
        f"the sketch is blank: its pixels differ by {contrast} of 255 levels, but a visible "
        f"line differs from the page by {MIN_CONTRAST} or more; draw it darker or leave it out"
    )


def read_drawing(svg: bytes, size: int) -> Drawing:
    return read_page(parse_xml(svg), size).to_drawing(size)


class SvgReader:
    """Reads SVG files; much faster when a file differs from the previous one only in path data, as
    the frames of an animation do."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.page: Page | None = None
        self.between: list[bytes] = []
        """The pieces of the page's file between its path data."""

    def read(self, svg: bytes) -> Drawing:
        svg = unpack(svg)
        parts = PATH_DATA.split(svg)
        between, texts = parts[::2], [text.decode() for text in parts[1::2]]
        # If the text between the path data is the same, so is the tree; and a file with fewer
        # characters than the limit on numbers cannot have more numbers than that.
        if self.page is not None and between == self.between and len(svg) < MAX_NUMBERS:
            return self.page.with_paths(texts).to_drawing(self.size)
        page = read_page(parse_xml(svg), self.size)
        shown = [outline for outline, *_ in page.outlines if isinstance(outline, str)]
        # Comments and entities can hold path data that is not drawn.
        is_plain = b"<!" not in BARE_DOCTYPE.sub(b"", svg, count=1)
        self.page = page if shown == texts and is_plain else None
        self.between = between
        return page.to_drawing(self.size)

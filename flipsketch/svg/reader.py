"""Rasterize an SVG of unknown origin into a sketch, safely.

Reading and drawing are separate, and there are two ways to read. Plain files, as programs for
sketches write them, become shapes in one pass (page.py): paths of four commands, one matrix each,
resolved paint. All others take the slower way: a safe tree (document.py), its styles resolved
(cascade.py), all that SVG knows expanded into few elements (normal.py), and these into shapes
again, or a scene where shapes cannot say it (scene.py). Only shapes and scenes within the limits
(limits.py) reach cairo (render.py, layers.py), which never sees a byte of the file.
"""

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np

from flipsketch.svg.document import parse_document, parse_xml
from flipsketch.svg.elements import find_left_out, ways_out
from flipsketch.svg.limits import MAX_NUMBERS, FarAway, check_scene, is_small
from flipsketch.svg.page import Drawing, NotPlain, Page, read_page
from flipsketch.svg.render import Shape, draw
from flipsketch.svg.scene import Item, on_page
from flipsketch.svg.strokes import lighten
from flipsketch.svg.text import unpack

# In levels of 255; a fainter line cannot be seen.
MIN_CONTRAST = 16
LARGE = 100_000
"""Bytes of a file."""

# The form that nearly every program writes; it cannot contain markup.
PATH_DATA = re.compile(rb'(?<=\sd=")([MLCZ0-9.,eE+ -]*)(?=")')
BARE_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[<>]*>")


@dataclass(frozen=True)
class SvgDrawing:
    """What an SVG file draws when it fills a square."""

    width: int
    height: int
    """In pixels; the longer side is the square's."""
    canvas: list[float]
    """Left, top, width and height, in the file's units."""
    items: Sequence[Item]
    """Bottom to top."""
    notes: tuple[str, ...] = ()
    """What was left out of it, without figures."""

    @property
    def shapes(self) -> list[Shape] | None:
        """The items if all are shapes."""
        shapes = [item for item in self.items if isinstance(item, Shape)]
        return shapes if len(shapes) == len(self.items) else None

    def draw(self, paper: int = 255, line_width: float | None = None) -> np.ndarray:
        """Return pixels (height, width, 3).

        Args:
            paper: its grey level, of 255.
            line_width: width of all strokes in pixels, in place of their own.
        """
        if (shapes := self.shapes) is not None:
            return draw(shapes, self.width, self.height, line_width, paper)
        from flipsketch.svg.layers import draw_layers

        return draw_layers(self.items, self.width, self.height, line_width, paper)


def rasterize_svg(svg: bytes, size: int) -> np.ndarray:
    """Return the sketch that an SVG file draws: aspect kept, centred on a white square.

    Raises ValueError for what is unsafe, unreadable, too large, or leaves no ink.
    """
    drawing = read_svg(svg, size)
    return pad_to_square(drawing.draw(), size, drawing.notes)


def pad_to_square(pixels: np.ndarray, size: int, notes: Sequence[str] = ()) -> np.ndarray:
    """Centre pixels (H, W, 3) on a white square (size, size, 3); they must show some ink.

    Args:
        notes: what was left out.
    """
    # Before padding: a black page with white bars beside it is as blank as a white one.
    check_ink(pixels, notes)
    return centre_on_white(pixels, size)


def centre_on_white(pixels: np.ndarray, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    if height == width == size:
        return pixels
    top, left = (size - height) // 2, (size - width) // 2
    sketch = np.full((size, size, 3), 255, np.uint8)
    sketch[top : top + height, left : left + width] = pixels
    return sketch


def check_ink(pixels: np.ndarray, notes: Sequence[str]) -> None:
    # The page is mostly at the corner; the channel of the darkest level is as light there or more.
    if int(pixels[0, 0].min()) - int(pixels.min()) >= MIN_CONTRAST:
        return
    contrast = max(int(np.ptp(pixels[..., channel])) for channel in range(3))
    if contrast >= MIN_CONTRAST:
        return
    if left_out := find_left_out(notes):
        raise ValueError(
            f"the sketch is blank without its {' and '.join(left_out)}, which is left out; "
            f"{ways_out(left_out)}"
        )
    raise ValueError(
        f"the sketch is blank: its pixels differ by {contrast} of 255 levels, but a visible "
        f"line differs from the page by {MIN_CONTRAST} or more; draw it darker or leave it out"
    )


def read_svg(svg: bytes, size: int) -> SvgDrawing:
    """Return what an SVG file draws on a square of `size` pixels.

    Raises ValueError for what is unsafe, unreadable or too large, or draws nothing.
    """
    with without_collection(len(svg) > LARGE):
        root = parse_xml(svg)
        with suppress(NotPlain):
            return plain_drawing(read_page(root, size), size)
        return read_any(svg, size)


@contextmanager
def without_collection(is_wanted: bool) -> Iterator[None]:
    """Keep Python from looking for circles among the many objects that are made of a large file,
    which takes up to 40% of the time and finds none."""
    was_enabled = gc.isenabled()
    if is_wanted:
        gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def plain_drawing(page: Page, size: int) -> SvgDrawing:
    width, height, shapes, canvas = page.to_drawing(size)
    items: Sequence[Item] = shapes
    if not is_small(shapes, size):
        items = within_reach(lighten(shapes, size), size)
    return SvgDrawing(width, height, canvas, items)


def read_any(svg: bytes, size: int) -> SvgDrawing:
    """Return what a file draws that is not plain."""
    from flipsketch.svg.cascade import apply_styles
    from flipsketch.svg.normal import normalize
    from flipsketch.svg.scene_reader import read_scene

    root = parse_document(svg)
    apply_styles(root)
    normal = normalize(root, size)
    items = within_reach(lighten(read_scene(normal), size), size)
    return SvgDrawing(normal.width, normal.height, normal.canvas, items, normal.notes)


def within_reach(items: Sequence[Item], size: int) -> Sequence[Item]:
    """Return items that may be drawn: all, or those on the page if others lie far away.

    Raises:
        ValueError: they would keep the renderer busy.
    """
    try:
        check_scene(items, size)
    except FarAway:
        items = on_page(items, size)
        check_scene(items, size)
    return items


def read_drawing(svg: bytes, size: int) -> Drawing:
    """Return the plain shapes of a file.

    Raises ValueError for what `read_svg` refuses, and for what shapes cannot say.
    """
    drawing = read_svg(svg, size)
    if drawing.shapes is None:
        raise ValueError(
            "the SVG has what plain strokes and fills cannot say: a gradient, a pattern, a mask, "
            "a clip path or a translucent group; draw it without"
        )
    return Drawing(drawing.width, drawing.height, drawing.shapes, drawing.canvas)


class SvgReader:
    """Reads SVG files; much faster when a file differs from the previous one only in path data, as
    the frames of an animation do."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.page: Page | None = None
        self.between: list[bytes] = []
        """The pieces of the page's file between its path data."""

    def read(self, svg: bytes) -> SvgDrawing:
        """Return what `read_svg` does."""
        svg = unpack(svg)
        with suppress(NotPlain):
            return self.read_plain(svg)
        return read_any(svg, self.size)

    def read_plain(self, svg: bytes) -> SvgDrawing:
        parts = PATH_DATA.split(svg)
        between, texts = parts[::2], [text.decode() for text in parts[1::2]]
        # If the text between the path data is the same, so is the tree; and a file with fewer
        # characters than the limit on numbers cannot have more numbers than that.
        if self.page is not None and between == self.between and len(svg) < MAX_NUMBERS:
            return plain_drawing(self.page.with_paths(texts), self.size)
        page = read_page(parse_xml(svg), self.size)
        drawing = plain_drawing(page, self.size)
        shown = [outline for outline, *_ in page.outlines if isinstance(outline, str)]
        # Comments and entities can hold path data that is not drawn.
        is_plain = b"<!" not in BARE_DOCTYPE.sub(b"", svg, count=1)
        self.page = page if shown == texts and is_plain else None
        self.between = between
        return drawing

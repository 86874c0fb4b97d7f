"""What an SVG draws that plain shapes cannot say: layers, clips, masks, gradients and patterns.

Of it only plain values are left, all in pixels: nothing refers to anything any more.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from flipsketch.svg.geometry import Matrix
from flipsketch.svg.path_data import Segment, begin_with_move
from flipsketch.svg.render import Shape

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""
EVERYWHERE: Box = (-math.inf, -math.inf, math.inf, math.inf)
EDGE = 1 / 256
"""In pixels: what cairo's coordinates are rounded to."""


class Gradient(NamedTuple):
    places: tuple[float, ...]
    """x1, y1, x2, y2 of a line; fx, fy, fr, cx, cy, r of two circles."""
    matrix: Matrix
    """From its own units to pixels."""
    stops: list[tuple[float, float, float, float, float]]
    """Offset, red, green, blue and alpha, from 0 to 1, in order."""
    spread: str
    """pad, reflect or repeat."""


class Tile(NamedTuple):
    """A picture that fills the plane side by side."""

    items: "list[Item]"
    """In the picture's own pixels."""
    width: int
    height: int
    matrix: Matrix
    """From the picture's pixels to those of the page."""
    opacity: float


class Poured(NamedTuple):
    """A shape of one paint, whose colour is only a stand-in."""

    shape: Shape
    source: Gradient | Tile


class Layer(NamedTuple):
    """Items that are drawn on a sheet of their own, which is then laid on what is below."""

    items: "list[Item]"
    opacity: float = 1.0
    clips: "tuple[Layer, ...]" = ()
    """Only what all of these cover is kept."""
    mask: "Layer | None" = None
    is_luminance: bool = False
    """Whether this layer masks another one by its light, not by its alpha."""
    blending: str = ""
    """How it is laid on what is below, as `mix-blend-mode` says; empty for what need not be drawn
    on its own sheet."""


Item = Shape | Poured | Layer


def all_items(items: Iterable[Item]) -> Iterator[Item]:
    """Yield some items and all within them, those of clips, masks and tiles too."""
    for item in items:
        yield item
        if isinstance(item, Layer):
            yield from all_items(item.items)
            yield from all_items([*item.clips, *([item.mask] if item.mask else [])])
        elif isinstance(item, Poured) and isinstance(item.source, Tile):
            yield from all_items(item.source.items)


def blends(items: Iterable[Item]) -> bool:
    """Tell whether something in items is not just laid on what is below."""
    return any(
        isinstance(item, Layer) and item.blending not in ("", "normal") for item in all_items(items)
    )


def fade(items: list[Item], opacity: float) -> list[Item]:
    """Return items made translucent as a whole: by a layer unless their paint can be."""
    if opacity >= 1:
        return items
    if opacity <= 0 or not items:
        return []
    if len(items) > 1:
        return [Layer(items, opacity)]
    (item,) = items
    if isinstance(item, Layer):
        if item.blending:
            return [Layer(items, opacity)]
        return [item._replace(opacity=item.opacity * opacity)]
    if isinstance(item, Poured):
        source = item.source
        if isinstance(source, Tile):
            return [item._replace(source=source._replace(opacity=source.opacity * opacity))]
        stops = [(*stop[:4], stop[4] * opacity) for stop in source.stops]
        return [item._replace(source=source._replace(stops=stops))]
    painted = [name for name in ("fill", "stroke") if item.paint[name] != "none"]
    if len(painted) > 1:
        return [Layer(items, opacity)]
    faded = {f"{name}-opacity": float(item.paint[f"{name}-opacity"]) * opacity for name in painted}
    return [item._replace(paint={**item.paint, **faded})]


def invert(matrix: Matrix) -> Matrix | None:
    """Return the matrix of the way back, None of one that flattens the plane."""
    a, b, c, d, e, f = matrix
    determinant = a * d - b * c
    if not abs(determinant) > 1e-12 * max(map(abs, matrix[:4])) ** 2 or not determinant:
        return None
    p, q, r, s = d / determinant, -b / determinant, -c / determinant, a / determinant
    return p, q, r, s, -(p * e + r * f), -(q * e + s * f)


def transform_segments(segments: list[Segment], matrix: Matrix) -> list[Segment]:
    """Return segments behind a transform, arcs as curves."""
    a, b, c, d, e, f = matrix
    moved: list[Segment] = []
    for kind, points, *_ in begin_with_move(segments):
        pairs = zip(points[::2], points[1::2], strict=True)
        ends = [side for x, y in pairs for side in (a * x + c * y + e, b * x + d * y + f)]
        if kind != "A":
            moved.append((kind, ends))
            continue
        moved += [("C", ends[first : first + 6]) for first in range(0, len(ends), 6)]
    return moved


def hull_box(segments: list[Segment], matrix: Matrix) -> Box | None:
    """Return the box around all points of an outline, those that curves just lean to included."""
    numbers = [number for segment in segments for number in segment[1]]
    if not numbers:
        return None
    a, b, c, d, e, f = matrix
    x, y = np.array(numbers).reshape(-1, 2).T
    across, down = a * x + c * y + e, b * x + d * y + f
    return float(across.min()), float(down.min()), float(across.max()), float(down.max())


def unite(boxes: Iterable[Box | None]) -> Box | None:
    known = [box for box in boxes if box is not None]
    if not known:
        return None
    lefts, tops, rights, bottoms = zip(*known, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def drawn_box(item: Item) -> Box | None:
    """Return a box in pixels that holds all that an item may draw, not a tight one."""
    if isinstance(item, Layer):
        return unite(map(drawn_box, item.items))
    shape = item.shape if isinstance(item, Poured) else item
    box = hull_box(shape.segments, shape.matrix)
    if box is None or shape.paint["stroke"] == "none":
        return box
    a, b, c, d, _, _ = shape.matrix
    reach = math.hypot(a, b, c, d) * float(shape.paint["stroke-width"]) / 2
    if shape.paint["stroke-linejoin"] not in ("round", "bevel"):
        reach *= max(float(shape.paint["stroke-miterlimit"]), 1.0)
    reach *= math.sqrt(2)
    left, top, right, bottom = box
    return left - reach, top - reach, right + reach, bottom + reach


def on_page(items: Sequence[Item], size: int) -> list[Item]:
    """Return items without those that lie beside a square page as a whole."""
    shown: list[Item] = []
    for item in items:
        box = drawn_box(item)
        if box is None or min(box[2:]) < 0 or max(box[:2]) > size:
            continue
        if isinstance(item, Layer):
            item = item._replace(items=on_page(item.items, size))
        shown.append(item)
    return shown


def cut(items: list[Item], clip: Layer, page: Box) -> list[Item]:
    """Return what a clip leaves of items; a clip that cuts off nothing to be seen is left out."""
    if not items or not clip.items:
        return []
    box = unite(map(drawn_box, items))
    if box is None or covers(clip, box, page):
        return items
    return [Layer(items, clips=(clip,))]


def covers(clip: Layer, box: Box, page: Box) -> bool:
    """Tell whether a clip is an upright rectangle around all of a box that is on the page."""
    (first, *rest) = clip.items
    if rest or clip.clips or not isinstance(first, Shape) or len(first.segments) not in (4, 5):
        return False
    if any(kind not in "MLZ" for kind, *_ in first.segments):
        return False
    around = hull_box(first.segments, first.matrix)
    corners = [
        hull_box([("M", points)], first.matrix)
        for kind, points, *_ in first.segments
        if kind != "Z"
    ]
    # Those of a turned rectangle lie elsewhere.
    places = {(corner[0], corner[1]) for corner in corners if corner is not None}
    if around is None or len(places) != 4:
        return False
    left, top, right, bottom = around
    if places != {(x, y) for x in (left, right) for y in (top, bottom)}:
        return False
    seen = [*map(max, box[:2], page[:2]), *map(min, box[2:], page[2:])]
    return (
        left <= seen[0] + EDGE
        and top <= seen[1] + EDGE
        and right >= seen[2] - EDGE
        and bottom >= seen[3] - EDGE
    )


def is_white(item: Item) -> bool:
    """Tell whether an item is one opaque white fill, whose light is its alpha."""
    if not isinstance(item, Shape) or item.paint["stroke"] != "none":
        return False
    return item.paint["fill"] == "#ffffff" and item.paint["fill-opacity"] == 1

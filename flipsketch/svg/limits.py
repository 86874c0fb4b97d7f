"""Limits on an SVG of unknown origin: what would keep the reader or the renderer busy is refused.

Cairo has no time limit, so its work is estimated before it begins. (The limits on the magnitude of
a number and on miters are set where they are read: path_data.py, style.py.)
"""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.geometry import Matrix
from flipsketch.svg.path_data import NUMBER
from flipsketch.svg.render import Paint, Shape
from flipsketch.svg.scene import Item, Poured, all_items
from flipsketch.svg.work import (
    FEW_LINES_IN_ROW,
    FEW_SEGMENTS,
    SHORT_LENGTH,
    estimate_scene,
    estimate_shapes,
    find_lines,
    most_in_row,
)

MAX_BYTES = 1 << 23
MAX_ELEMENTS = 60_000
MAX_DEPTH = 128
MAX_DRAWN_ELEMENTS = 60_000
"""With the copies that `use`, markers, masks and patterns make of a document's elements."""
MAX_NUMBERS = 1_200_000
MAX_SIDE = 4_096
"""Of a plain page; others are of any size."""
MAX_WORK = 2_500_000.0
"""What drawing may take, in microseconds as work.py estimates them."""
# Beyond 2^23 pixels cairo's coordinates wrap around.
MAX_REACH = 1e6


def check_tree(root: Element) -> None:
    """Raise ValueError for more elements, levels or numbers than the limits allow."""
    num_elements = depth = num_numbers = 0
    level, texts = [root], list[str]()
    while level:
        depth += 1
        num_elements += len(level)
        for element in level:
            found = (element.get(name) for name in ("d", "points", "transform"))
            texts += [text for text in found if text]
        level = [child for element in level for child in element]
    # A number takes at least two characters; counting them is only needed near the limit.
    if sum(map(len, texts)) // 2 > MAX_NUMBERS:
        num_numbers = sum(len(NUMBER.findall(text)) for text in texts)
    for what, count, limit in (
        ("elements", num_elements, MAX_ELEMENTS),
        ("levels of elements", depth, MAX_DEPTH),
        ("numbers", num_numbers, MAX_NUMBERS),
    ):
        if count > limit:
            raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")


class FarAway(ValueError):
    """Something is drawn further from the canvas than cairo can count."""


def is_small(shapes: Sequence[Shape], size: int) -> bool:
    """Tell whether shapes are surely light, as most sketches are, and near: by the box around the
    points of each, since measuring every line takes a tenth of the time to draw them."""
    num_lines, length = 0, 0.0
    matrix: Matrix | None = None
    paint: Paint | None = None
    for shape in shapes:
        # Most shapes have the matrix and the paint of the one before.
        if shape.matrix is not matrix or shape.paint is not paint:
            matrix, paint = shape.matrix, shape.paint
            a, b, c, d, e, f = map(abs, matrix)
            pen = math.hypot(a, b, c, d) * float(paint["stroke-width"])
        numbers: list[float] = []
        for segment in shape.segments:
            numbers += segment[1]
        low, high = min(numbers), max(numbers)
        # Negated, so that NaN is not near.
        if not (a + b + c + d) * max(high, -low) + e + f + pen < MAX_REACH:
            return False
        # A close is a line too.
        most_lines = len(numbers) // 2 + len(shape.segments)
        num_lines += most_lines
        length += most_lines * (math.hypot(a + c, b + d) * (high - low) + pen)
    return num_lines <= FEW_LINES_IN_ROW and length <= SHORT_LENGTH * size


def check_work(shapes: Sequence[Shape], size: int, extra: float = 0.0) -> None:
    """Raise ValueError for what would keep the renderer busy.

    Args:
        extra: microseconds that it takes beside drawing the shapes.
    """
    lines = find_lines(shapes)
    # Negated, so that NaN is refused too.
    if not max(np.abs(lines.ends).max(initial=0), lines.pens.max(initial=0)) < MAX_REACH:
        raise FarAway(
            "the SVG draws more than 1,000,000 pixels outside of its canvas; remove what lies "
            "there, or move it onto the canvas"
        )
    num_segments = sum(len(shape.segments) for shape in shapes)
    # A stroke width per line is for its cap or join.
    length = lines.lengths.sum() + lines.pens[lines.owners].sum()
    is_light = num_segments <= FEW_SEGMENTS and length <= SHORT_LENGTH * size
    if is_light and len(lines.owners) > FEW_LINES_IN_ROW:
        is_light = most_in_row(lines, size) <= FEW_LINES_IN_ROW
    work = extra if is_light else extra + estimate_shapes(shapes, lines, size)
    if not work <= MAX_WORK:
        times = f"{work / MAX_WORK:.1f}" if math.isfinite(work) else "many"
        raise ValueError(
            f"the SVG would take too long to draw, {times} times the limit: it has "
            f"{num_segments:,} lines and curves, {length / size:,.0f} sides of its canvas long in "
            f"all; simplify it"
        )


def check_scene(items: Sequence[Item], size: int) -> None:
    """Raise ValueError for what would keep the renderer busy."""
    shapes = [item for item in items if isinstance(item, Shape)]
    extra = 0.0
    if len(shapes) < len(items):
        drawn = (item.shape if isinstance(item, Poured) else item for item in all_items(items))
        shapes = [item for item in drawn if isinstance(item, Shape)]
        extra = estimate_scene(items, size)
    check_work(shapes, size, extra)

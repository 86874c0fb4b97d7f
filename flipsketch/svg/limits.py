"""Limits on an SVG of unknown origin: what would keep the reader or the renderer busy is refused.

Cairo has no time limit, so its work is estimated before it begins. (The limits on the magnitude of
a number and on miters are set where they are read: geometry.py, style.py.)
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.path_data import NUMBER
from flipsketch.svg.render import Shape
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
MAX_NUMBERS = 1_500_000
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


def check_work(shapes: Sequence[Shape], size: int, extra: float = 0.0) -> None:
    """Raise ValueError for what would keep the renderer busy.

    Args:
        extra: microseconds that it takes beside drawing the shapes.
    """
    lines = find_lines(shapes)
    # Negated, so that NaN is refused too.
    if not max(np.abs(lines.ends).max(initial=0), lines.pens.max(initial=0)) < MAX_REACH:
        raise FarAway("the SVG draws more than 1,000,000 pixels outside of its canvas")
    num_segments = sum(len(shape.segments) for shape in shapes)
    # A stroke width per line is for its cap or join.
    length = lines.lengths.sum() + lines.pens[lines.owners].sum()
    is_light = num_segments <= FEW_SEGMENTS and length <= SHORT_LENGTH * size
    if is_light and len(lines.owners) > FEW_LINES_IN_ROW:
        is_light = most_in_row(lines, size) <= FEW_LINES_IN_ROW
    work = extra if is_light else extra + estimate_shapes(shapes, lines, size)
    if not work <= MAX_WORK:
        raise ValueError(
            f"the SVG would take too long to draw, {work / MAX_WORK:.1f} times the limit: it has "
            f"{num_segments:,} lines and curves, {length / size:,.0f} sides of its canvas long in "
            f"all; simplify it"
        )


def check_scene(items: Sequence[Item], size: int) -> None:
    """Raise ValueError for what would keep the renderer busy."""
    shapes = []
    for item in all_items(items):
        if isinstance(item, Shape):
            shapes.append(item)
        elif isinstance(item, Poured):
            shapes.append(item.shape)
    check_work(shapes, size, estimate_scene(items, size))

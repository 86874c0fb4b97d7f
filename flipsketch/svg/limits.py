"""Limits on an SVG of unknown origin: what would keep the reader or the renderer busy is refused.

Cairo has no time limit, so its work is estimated before it begins. (The limits on the magnitude of
a number and on miters are set where they are read: geometry.py, style.py.)
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

import numpy as np

from flipsketch.svg.path_data import NUMBER
from flipsketch.svg.render import Shape
from flipsketch.svg.scene import Item, drawn_box, layers_of, shapes_of

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 5_000
MAX_DEPTH = 32
MAX_DRAWN_ELEMENTS = 100_000
"""With the copies that `use`, markers, masks and patterns make of a document's elements."""
MAX_NUMBERS = 100_000
MAX_SIDE = 4_096
# At these limits cairo takes about 1 s (cairosvg took 2 s for the first). Of 60 real sketches none
# has more than 540 segments, 205 lines in a row of pixels, or lines of 88 sides in all.
MAX_SEGMENTS = 15_000
MAX_LINES_IN_ROW = 4_000
"""Lines that cross one row of pixels."""
MAX_LINE_LENGTH = 1_000
"""Length of all lines together, in sides of the canvas."""
MAX_LAYERS = 200
"""Of the size of the canvas, or as many more as they are smaller."""
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


def check_work(shapes: list[Shape], size: int) -> None:
    """Raise ValueError for what would keep the renderer busy.

    Length counts a stroke width per line, for its cap or join. In a row of pixels the renderer's
    time grows with the square of the lines that cross it.
    """
    numbers: list[float] = []
    moves, num_lines, widths = [], [], []
    for shape in shapes:
        num_before = len(numbers)
        moves.append(num_before)
        start = shape.segments[0][1][:2]
        for kind, points, *_ in shape.segments:
            if kind == "M":
                start = points
                moves.append(len(numbers))
            numbers += points or start
        num_lines.append((len(numbers) - num_before) // 2)
        is_stroked = shape.paint["stroke"] != "none"
        widths.append(float(shape.paint["stroke-width"]) * is_stroked)

    ends = np.array(numbers).reshape(-1, 2)
    matrices = np.array([shape.matrix for shape in shapes]).reshape(-1, 6)
    a, b, c, d, e, f = np.repeat(matrices, num_lines, axis=0).T
    with np.errstate(all="ignore"):
        ends = np.stack([a * ends[:, 0] + c * ends[:, 1] + e, b * ends[:, 0] + d * ends[:, 1] + f])
        scales = np.sqrt((matrices[:, :4] ** 2).sum(axis=1))
    # Negated, so that NaN is refused too.
    if not np.abs(ends).max(initial=0) < MAX_REACH:
        raise ValueError("the SVG draws more than 1,000,000 pixels outside of its canvas")
    starts = np.roll(ends, 1, axis=1)
    # The pen jumps to where a move ends.
    here = np.array(moves, int) // 2
    starts[:, here] = ends[:, here]
    length = np.hypot(*(ends - starts)).sum() + (np.array(widths) * scales * num_lines).sum()
    most_in_row = sum(num_lines)
    if most_in_row > MAX_LINES_IN_ROW:
        first, last = np.clip(np.floor(np.sort([starts[1], ends[1]], axis=0)), 0, size).astype(int)
        entering, leaving = (np.bincount(rows, minlength=size + 2) for rows in (first, last + 1))
        most_in_row = np.cumsum(entering - leaving).max()
    for what, count, limit in (
        ("lines and curves", sum(len(shape.segments) for shape in shapes), MAX_SEGMENTS),
        ("lines in one row of pixels", most_in_row, MAX_LINES_IN_ROW),
        ("sides of its canvas as the length of all lines", length / size, MAX_LINE_LENGTH),
    ):
        if not count <= limit:
            raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")


def check_scene(items: Iterable[Item], size: int) -> None:
    """Raise ValueError for what would keep the renderer busy."""
    items = list(items)
    check_work(list(shapes_of(items)), size)
    pixels = 0.0
    for layer in layers_of(items):
        if (box := drawn_box(layer)) is not None:
            left, top, right, bottom = (min(max(side, 0.0), size) for side in box)
            pixels += (right - left) * (bottom - top)
    if pixels > MAX_LAYERS * size**2:
        raise ValueError(
            f"the SVG has more than {MAX_LAYERS:,} layers (groups with opacity, clip paths, masks) "
            f"as large as its canvas; simplify it"
        )

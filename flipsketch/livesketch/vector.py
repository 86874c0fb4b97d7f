"""A sketch as control points: read from an SVG, moved by others, written and drawn again.

Live-Sketch moves strokes, so only strokes and black fills are read. All other paint is refused with
a reason, except for what draws nothing on white paper, which is left out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from flipsketch.livesketch.paint import (
    TRACE_IT,
    check_fill,
    check_stroke,
    ink_of,
    scale_dashes,
)
from flipsketch.svg.geometry import Matrix
from flipsketch.svg.limits import check_work
from flipsketch.svg.path_data import Segment, begin_with_move
from flipsketch.svg.reader import SvgDrawing, centre_on_white, read_svg
from flipsketch.svg.render import Paint, Shape, draw

# The reader's own limits depend on it, and nothing else.
READ_SIZE = 256
MAX_CUBICS = 2_000
MAX_LENGTH = 200.0
"""Of all lines together, in sides of the square."""
MAX_AREA = 8.0
"""Of all shapes together, in squares. Within these limits the rasterizer draws 24 frames of 256
pixels in seconds and a few GB. (Of 78 real sketches none has more than 270 curves, 82 sides or 0.8
squares.)"""
MARGIN = 1 / 256
"""In sides of the square: at a pixel's width around lines the rasterizer has work."""
MAX_DISTANCE = 1_000.0
"""Of a point, in sides of the square; further away cairo's coordinates wrap around."""
MAX_STRETCH = 1.25
"""Of a pen by a transform; the pen is drawn round, of the same area."""
CLOSE = 1e-6
"""In sides of the square: a path that closes over this distance ends in its first point."""
BLACK_STROKE: Paint = {
    "fill-rule": "nonzero",
    "fill": "none",
    "stroke": "#000000",
    "stroke-opacity": 1.0,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "stroke-miterlimit": 4.0,
}


@dataclass(frozen=True)
class VectorShape:
    """One path: cubics of one pen or fill."""

    segments: np.ndarray
    """Rows of the sketch's points (S, 4): start, two handles, end. The next segment starts in the
    same row where the path goes on; a closed path ends in the row in which it began."""
    stroke_width: float
    """In sides of the square; 0 if it has no stroke."""
    is_filled: bool = False
    paint: Paint = field(default_factory=lambda: BLACK_STROKE)
    """SVG's presentation attributes, less the width of the stroke."""

    @property
    def ink(self) -> float:
        """How dark it is on white paper, by its luma: 1 is black."""
        names = ["stroke"] * (self.stroke_width > 0) + ["fill"] * self.is_filled
        return max(ink_of(self.paint, name) for name in names)


@dataclass(frozen=True)
class VectorSketch:
    points: np.ndarray = field(repr=False)
    """float64 (P, 2), x and y, in sides of the square in which the canvas is centred: 0 to 1, y
    downwards."""
    shapes: tuple[VectorShape, ...] = field(repr=False)
    """Bottom to top."""
    canvas: tuple[float, float, float, float] = (0.0, 0.0, 256.0, 256.0)
    """Left, top, width and height, in the file's units."""

    @property
    def side(self) -> float:
        """Of the square, in the file's units."""
        return max(self.canvas[2:])


def read_vector(svg: bytes) -> VectorSketch:
    """Return an SVG's strokes and black fills; circles, arcs and lines become cubics.

    Strokes may have any colour. Raises ValueError for what the SVG reader refuses, and for other
    fills, white that hides what lies below, pens that a transform flattens, too much work.
    """
    drawing = read_svg(svg, READ_SIZE)
    return to_vector(plain_shapes(drawing), drawing.canvas)


def plain_shapes(drawing: SvgDrawing) -> list[Shape]:
    """Raises ValueError: there are others."""
    if drawing.shapes is None:
        raise ValueError(
            "the SVG has a gradient, a pattern, a mask, a clip path or a translucent group, which "
            f"are no strokes to move; draw it without, or {TRACE_IT}"
        )
    return drawing.shapes


def to_vector(drawn: Sequence[Shape], canvas: Sequence[float]) -> VectorSketch:
    """Return shapes, which were read to be drawn at READ_SIZE, as `read_vector` does."""
    outline = Outline(canvas)
    shapes: list[VectorShape] = []
    for number, shape in enumerate(drawn, 1):
        where = f"shape {number} of {len(drawn)} in the SVG"
        paint = dict(shape.paint)
        is_filled = check_fill(paint, bool(shapes), where)
        # A shape's stroke lies on its own fill.
        is_stroked = check_stroke(paint, bool(shapes) or is_filled, where)
        if not is_stroked:
            paint["stroke"] = "none"
        if not is_filled:
            paint["fill"] = "none"
        scale = pen_scale(shape.matrix, is_stroked, where)
        scale_dashes(paint, scale * max(canvas[2:]) / READ_SIZE)
        width = float(paint.pop("stroke-width")) * scale
        segments = outline.add(shape.segments, shape.matrix) if is_stroked or is_filled else []
        if segments:
            rows = np.array(segments, np.int64)
            shapes.append(VectorShape(rows, width / READ_SIZE * is_stroked, is_filled, paint))
    if not shapes:
        raise ValueError("the SVG draws nothing on white paper; it needs strokes or black fills")
    left, top, width, height = canvas
    sketch = VectorSketch(np.array(outline.points), tuple(shapes), (left, top, width, height))
    check_size(sketch)
    return sketch


def pen_scale(matrix: Matrix, is_stroked: bool, where: str) -> float:
    a, b, c, d, _, _ = matrix
    widest, narrowest = np.linalg.svd(np.array([[a, c], [b, d]]), compute_uv=False)
    if is_stroked and not widest <= narrowest * MAX_STRETCH:
        raise ValueError(
            f"{where} has a stroke that a transform stretches {widest / narrowest:.2g} times as "
            f"wide as high, {MAX_STRETCH} is allowed; apply the transform to the path"
        )
    return math.sqrt(abs(a * d - b * c))


def check_size(sketch: VectorSketch) -> None:
    num_cubics = sum(len(shape.segments) for shape in sketch.shapes)
    length = area = 0.0
    for shape in sketch.shapes:
        # Of the control polygons: an upper bound.
        steps = np.diff(sketch.points[shape.segments], axis=1)
        own_length = float(np.hypot(steps[..., 0], steps[..., 1]).sum())
        width = shape.stroke_width + MARGIN
        length += own_length
        box = np.ptp(sketch.points[shape.segments.ravel()], axis=0).prod() * shape.is_filled
        # What lies outside of the square is not drawn.
        area += min(1.0, float(box) + width * (own_length + width))
    for what, count, limit in (
        ("lines and curves", num_cubics, MAX_CUBICS),
        ("sides of its canvas as the length of all lines", length, MAX_LENGTH),
        ("times its canvas as the area of all shapes", area, MAX_AREA),
        # Half, to leave room for motion.
        (
            "sides of its canvas to its farthest point",
            np.abs(sketch.points).max(),
            MAX_DISTANCE / 2,
        ),
    ):
        if not count <= limit:
            raise ValueError(
                f"the SVG has {count:,.0f} {what}, Live-Sketch moves at most {limit:,.0f}; "
                "simplify it"
            )


class Outline:
    """Paths on their way to points and the rows of their cubics."""

    def __init__(self, canvas: Sequence[float]) -> None:
        self.points: list[tuple[float, float]] = []
        side = max(canvas[2:])
        self.shift = complex(*((1 - length / side) / 2 for length in canvas[2:]))

    def add(self, segments: list[Segment], matrix: Matrix) -> list[tuple[int, int, int, int]]:
        """Return the cubics of a path's segments; a line has its handles at its thirds."""
        a, b, c, d, e, f = matrix
        cubics: list[tuple[int, int, int, int]] = []
        first, last_kind = 0j, ""
        # Rows of the subpath's first point and of the pen; -1 before anything is drawn.
        start = here = -1
        for kind, numbers, *_ in begin_with_move(segments):
            points = [
                complex(a * x + c * y + e, b * x + d * y + f) / READ_SIZE + self.shift
                for x, y in zip(numbers[::2], numbers[1::2], strict=True)
            ]
            if kind == "M":
                first, start, here = points[0], -1, -1
            elif kind != "Z" or here != -1 or last_kind == "M":
                if here == -1:
                    start = here = self.row(first)
                if kind == "Z":
                    self.close(cubics, start, here, first)
                    here = -1
                for handle, other, end in cubics_to(kind, self.at(here), points):
                    rows = self.row(handle), self.row(other), self.row(end)
                    cubics.append((here, *rows))
                    here = rows[-1]
            last_kind = kind
        return cubics

    def close(self, cubics: list, start: int, here: int, first: complex) -> None:
        if here != start and abs(self.at(here) - first) <= CLOSE:
            # The last point is the one added last, and no other cubic has it.
            self.points.pop()
            cubics[-1] = (*cubics[-1][:3], start)
            return
        ((handle, other, _),) = cubics_to("L", self.at(here), [first])
        cubics.append((here, self.row(handle), self.row(other), start))

    def at(self, row: int) -> complex:
        return complex(*self.points[row])

    def row(self, point: complex) -> int:
        self.points.append((point.real, point.imag))
        return len(self.points) - 1


def cubics_to(
    kind: str, here: complex, points: list[complex]
) -> Iterator[tuple[complex, complex, complex]]:
    if kind == "L":
        (end,) = points
        third = (end - here) / 3
        yield here + third, end - third, end
    else:
        yield from zip(points[::3], points[1::3], points[2::3], strict=True)


def write_vector(sketch: VectorSketch, points: np.ndarray) -> bytes:
    """Return an SVG of the sketch's canvas, strokes and styles, with its points (P, 2) moved.

    Raises ValueError for points that are not finite or far from the canvas, or not as many.
    """
    left, top, width, height = (f"{number:.10g}" for number in sketch.canvas)
    num_digits = count_digits(sketch)
    paths = "".join(
        f'  <path d="{write_path(segments, num_digits)}" {write_paint(shape, sketch.side)}/>\n'
        for shape, segments in zip(sketch.shapes, to_segments(sketch, points), strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{width}" height="{height}" '
        f'viewBox="{left} {top} {width} {height}">\n{paths}</svg>\n'
    ).encode()


def draw_vector(
    sketch: VectorSketch, points: np.ndarray, size: int, *, min_line_width: float = 0.0
) -> np.ndarray:
    """Return the sketch (size, size, 3) with its points (P, 2) moved, as its SVG would be drawn.

    Raises ValueError for points that are not finite or far from the canvas. A sketch that has moved
    out of the canvas is white.

    Args:
        min_line_width: thinner lines are drawn this wide, in pixels.
    """
    left, top, width, height = place_canvas(sketch.canvas, size)
    scale = size / sketch.side
    matrix = (scale, 0.0, 0.0, scale, -sketch.canvas[0] * scale, -sketch.canvas[1] * scale)
    shapes = []
    for shape, segments in zip(sketch.shapes, to_segments(sketch, points), strict=True):
        line_width = max(stroke_width(shape, sketch.side), min_line_width / scale)
        shapes.append(Shape(segments, matrix, {**shape.paint, "stroke-width": line_width}))
    check_work(shapes, size)
    return centre_on_white(draw(shapes, width, height), size)


def place_canvas(canvas: tuple[float, ...], size: int) -> tuple[int, int, int, int]:
    """Return left, top, width and height in pixels of a canvas in its square, as it is drawn."""
    width, height = (max(1, round(side * size / max(canvas[2:]))) for side in canvas[2:])
    return (size - width) // 2, (size - height) // 2, width, height


def to_segments(sketch: VectorSketch, points: np.ndarray) -> Iterator[list[Segment]]:
    """Yield each shape's path in the canvas's units, rounded as it is written."""
    if points.shape != sketch.points.shape:
        raise ValueError(
            f"the sketch has points of shape {sketch.points.shape}, got {points.shape}; give those "
            f"of one frame"
        )
    # Negated, so that NaN is refused too.
    if not np.abs(points).max(initial=0) < MAX_DISTANCE:
        raise ValueError(
            f"the sketch's points lie up to {np.abs(points).max():g} sides of its canvas away; "
            f"they must be finite and below {MAX_DISTANCE:,.0f}: optimize with a lower rate"
        )
    corner = [
        begin - (sketch.side - side) / 2 for begin, side in np.reshape(sketch.canvas, (2, 2)).T
    ]
    num_digits = count_digits(sketch)
    # Adding 0 turns -0 into 0.
    placed = [
        [round(x, num_digits) + 0.0, round(y, num_digits) + 0.0]
        for x, y in (points.astype(np.float64) * sketch.side + corner).tolist()
    ]
    for shape in sketch.shapes:
        segments: list[Segment] = []
        start = here = -1
        for first, *handles, end in shape.segments.tolist():
            if first != here:
                segments.append(("M", placed[first]))
                start = first
            segments.append(("C", [side for row in (*handles, end) for side in placed[row]]))
            here = end
            if end == start:
                segments.append(("Z", []))
                here = -1
        yield segments


def count_digits(sketch: VectorSketch) -> int:
    """Return the decimals that place a point within a 250,000th of the side, cairo's own step for
    pixels at 1,000 a side."""
    return max(0, math.ceil(math.log10(250_000 / sketch.side)))


def write_path(segments: list[Segment], num_digits: int) -> str:
    return " ".join(
        " ".join((kind, *(f"{number:.{num_digits}f}" for number in numbers)))
        for kind, numbers, *_ in segments
    )


def write_paint(shape: VectorShape, side: float) -> str:
    paint = {**shape.paint, "stroke-width": stroke_width(shape, side)}
    return " ".join(
        f'{name}="{value if isinstance(value, str) else repr(value)}"'
        for name, value in paint.items()
    )


def stroke_width(shape: VectorShape, side: float) -> float:
    """Return the width in the canvas's units, without the last digits, which units cost it."""
    return float(f"{shape.stroke_width * side:.9g}")

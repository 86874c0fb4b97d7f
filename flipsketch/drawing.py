"""Draw plain shapes with cairo: the last step of reading an SVG."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from flipsketch.geometry import IDENTITY, Arc, Matrix, Segment

ARC_TOLERANCE = 1e-5
# With more segments than this, so fine a tolerance would keep cairo busy.
FEW = 64


@dataclass(frozen=True)
class Shape:
    """One path, ready to draw."""

    segments: list[Segment]
    """Absolute, in the shape's own units."""
    matrix: Matrix
    """From these units to pixels."""
    paint: dict[str, str | float]
    """SVG's presentation attributes; colours are `#rrggbb` or `none`."""
    has_arcs: bool = False
    """Written as arcs of a path; circles and ellipses are cairo's own."""


def draw(shapes: list[Shape], width: int, height: int) -> np.ndarray:
    """Return pixels (height, width, 3): the shapes on white, as cairosvg draws them."""
    cairo = import_cairo()
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, width, height)
    context = cairo.Context(surface)
    context.set_source_rgb(1, 1, 1)
    context.paint()
    for shape in shapes:
        context.save()
        if shape.matrix != IDENTITY:
            context.transform(cairo.Matrix(*shape.matrix))
        if shape.has_arcs:
            # cairosvg's, which it keeps to for what follows an arc too.
            context.set_tolerance(ARC_TOLERANCE if len(shape.segments) <= FEW else 0.001)
        trace(context, shape.segments)
        paint_path(cairo, context, shape.paint)
        context.restore()
    surface.flush()
    stride = surface.get_stride() // 4
    pixels = np.frombuffer(surface.get_data(), np.uint32).reshape(height, stride)[:, :width]
    # A pixel is one native word: alpha, red, green, blue, from the highest byte down.
    return np.stack([pixels >> shift & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def trace(context: Any, segments: list[Segment]) -> None:
    for kind, points, *arc in segments:
        if kind == "A":
            trace_arc(context, *arc)
        elif kind == "Z":
            context.close_path()
        else:
            numbers = [side for point in points for side in (point.real, point.imag)]
            {"M": context.move_to, "L": context.line_to, "C": context.curve_to}[kind](*numbers)


def trace_arc(context: Any, arc: Arc) -> None:
    context.save()
    context.translate(arc.origin.real, arc.origin.imag)
    context.rotate(arc.rotation)
    context.scale(1, arc.stretch)
    draw_arc = context.arc if arc.is_clockwise else context.arc_negative
    draw_arc(arc.centre.real, arc.centre.imag, arc.radius, arc.first, arc.last)
    context.restore()


def paint_path(cairo: ModuleType, context: Any, paint: dict[str, str | float]) -> None:
    """Fill and stroke the path of a context."""
    if paint["fill"] != "none":
        if paint["fill-rule"] == "evenodd":
            context.set_fill_rule(cairo.FILL_RULE_EVEN_ODD)
        set_colour(context, paint, "fill")
        context.fill_preserve()
    if paint["stroke"] != "none":
        cap, join = paint["stroke-linecap"], paint["stroke-linejoin"]
        if cap in ("round", "square"):
            context.set_line_cap(getattr(cairo, f"LINE_CAP_{cap.upper()}"))
        if join in ("round", "bevel"):
            context.set_line_join(getattr(cairo, f"LINE_JOIN_{join.upper()}"))
        context.set_miter_limit(paint["stroke-miterlimit"])
        context.set_line_width(paint["stroke-width"])
        set_colour(context, paint, "stroke")
        context.stroke_preserve()
    context.new_path()


def set_colour(context: Any, paint: dict[str, str | float], name: str) -> None:
    red, green, blue = bytes.fromhex(str(paint[name])[1:])
    context.set_source_rgba(red / 255, green / 255, blue / 255, paint[f"{name}-opacity"])


def import_cairo() -> ModuleType:
    try:
        import cairocffi
    except OSError as error:
        # No fault of the row that is being read, so no OSError: the run has to stop.
        raise ImportError(
            "reading SVG needs the cairo library: install Debian package libcairo2 "
            "(`apt-get install libcairo2`)"
        ) from error
    return cairocffi

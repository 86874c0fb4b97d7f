"""Draw plain shapes with cairo: the last step of reading an SVG."""

import sys
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from flipsketch.svg.geometry import Matrix
from flipsketch.svg.path_data import Arc, Segment

# In pixels: cairosvg's for paths with arcs, and cairo's default.
ARC_TOLERANCE, TOLERANCE = 1e-5, 0.1
# With more segments than this, the fine tolerance would keep cairo busy.
FEW = 64

Paint = dict[str, str | float]


class Shape(NamedTuple):
    """One path, ready to draw."""

    segments: list[Segment]
    """Absolute, in the shape's own units."""
    matrix: Matrix
    """From these units to pixels."""
    paint: Paint
    """SVG's presentation attributes; colours are `#rrggbb` or `none`, dashes in the shape's units,
    left out of a solid line."""
    has_arcs: bool = False
    """Whether its path data has arcs; circles and ellipses are drawn as cairo's own."""


def draw(
    shapes: list[Shape],
    width: int,
    height: int,
    line_width: float | None = None,
    paper: int = 255,
) -> np.ndarray:
    """Return pixels (height, width, 3): the shapes on paper, as cairosvg draws them.

    Args:
        line_width: width of all strokes in pixels, in place of the shapes' own.
        paper: its grey level.
    """
    cairo = import_cairo()
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, width, height)
    context = cairo.Context(surface)
    context.set_source_rgb(paper / 255, paper / 255, paper / 255)
    context.paint()
    draw_shapes(cairo, context, shapes, line_width)
    return read_pixels(surface, width, height)


def draw_shapes(
    cairo: ModuleType, context: Any, shapes: list[Shape], line_width: float | None = None
) -> None:
    # Most calls go to the library itself: a method call takes as long as drawing a short line.
    library, pointer = cairo.cairo, context._pointer
    matrix = paint = None
    for shape in shapes:
        # Most shapes have the matrix and the paint of the one before.
        if shape.matrix is not matrix:
            matrix = shape.matrix
            context.set_matrix(cairo.Matrix(*matrix))
        if shape.paint is not paint:
            if paint is not None and "stroke-dasharray" in paint:
                context.set_dash([])
            paint = shape.paint
            set_paint(cairo, context, paint)
        if shape.has_arcs:
            # Applies to the segments after an arc too, as in cairosvg.
            context.set_tolerance(ARC_TOLERANCE if len(shape.segments) <= FEW else 0.001)
        trace(cairo, context, shape.segments)
        if paint["fill"] != "none":
            set_colour(context, paint, "fill")
            library.cairo_fill_preserve(pointer)
            set_colour(context, paint, "stroke")
        if paint["stroke"] != "none":
            if line_width is not None:
                context.identity_matrix()
                context.set_line_width(line_width)
                matrix = None
            library.cairo_stroke(pointer)
        else:
            library.cairo_new_path(pointer)
        if shape.has_arcs:
            context.set_tolerance(TOLERANCE)
    if paint is not None and "stroke-dasharray" in paint:
        context.set_dash([])
    # An error of the library is kept in the context, whose methods raise it.
    context.set_matrix(cairo.Matrix())


def read_pixels(surface: Any, width: int, height: int) -> np.ndarray:
    surface.flush()
    stride = surface.get_stride() // 4
    stored = np.frombuffer(surface.get_data(), np.uint8).reshape(height, stride, 4)[:, :width]
    # A pixel is one native word: alpha, red, green, blue, from the highest byte down.
    places = (2, 1, 0) if sys.byteorder == "little" else (1, 2, 3)
    pixels = np.empty((height, width, 3), np.uint8)
    for channel, place in enumerate(places):
        pixels[..., channel] = stored[..., place]
    return pixels


def trace(cairo: ModuleType, context: Any, segments: list[Segment]) -> None:
    library, pointer = cairo.cairo, context._pointer
    for segment in segments:
        kind = segment[0]
        if len(segment) == 2:
            if kind == "C":
                library.cairo_curve_to(pointer, *segment[1])
            elif kind == "M":
                library.cairo_move_to(pointer, *segment[1])
            elif kind == "L":
                library.cairo_line_to(pointer, *segment[1])
            else:
                library.cairo_close_path(pointer)
        elif isinstance(segment[2], Arc):
            trace_arc(context, segment[2])
        else:
            relative = {"C": "rel_curve_to", "M": "rel_move_to", "L": "rel_line_to"}[kind]
            getattr(context, relative)(*segment[2])


def trace_arc(context: Any, arc: Arc) -> None:
    context.save()
    context.translate(arc.origin.real, arc.origin.imag)
    context.rotate(arc.rotation)
    context.scale(1, arc.stretch)
    draw_arc = context.arc if arc.is_clockwise else context.arc_negative
    draw_arc(arc.centre.real, arc.centre.imag, arc.radius, arc.first, arc.last)
    context.restore()


def set_paint(cairo: ModuleType, context: Any, paint: Paint) -> None:
    """Set what all shapes of one paint share, and the stroke's colour."""
    rule = "EVEN_ODD" if paint["fill-rule"] == "evenodd" else "WINDING"
    cap, join = paint["stroke-linecap"], paint["stroke-linejoin"]
    cap = cap if cap in ("round", "square") else "butt"
    join = join if join in ("round", "bevel") else "miter"
    context.set_fill_rule(getattr(cairo, f"FILL_RULE_{rule}"))
    context.set_line_cap(getattr(cairo, f"LINE_CAP_{cap.upper()}"))
    context.set_line_join(getattr(cairo, f"LINE_JOIN_{join.upper()}"))
    context.set_miter_limit(paint["stroke-miterlimit"])
    context.set_line_width(paint["stroke-width"])
    if "stroke-dasharray" in paint:
        dashes = [float(dash) for dash in str(paint["stroke-dasharray"]).split()]
        context.set_dash(dashes, paint["stroke-dashoffset"])
    set_colour(context, paint, "stroke")


def set_colour(context: Any, paint: Paint, name: str) -> None:
    if paint[name] != "none":
        red, green, blue = bytes.fromhex(str(paint[name])[1:])
        context.set_source_rgba(red / 255, green / 255, blue / 255, paint[f"{name}-opacity"])


def import_cairo() -> ModuleType:
    try:
        import cairocffi
    except OSError as error:
        # Not the fault of the row that is read, so not an OSError: the run has to stop.
        raise ImportError(
            "reading SVG needs the cairo library: install Debian package libcairo2 "
            "(`apt-get install libcairo2`)"
        ) from error
    return cairocffi

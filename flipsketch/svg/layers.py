"""Draw a scene with cairo: shapes as ever, and groups, clips, masks, gradients and patterns.

cairosvg, which draws these too, gets many wrong, in ways that no change of the tree mends: a mask
works by its alpha only and is drawn in other units, a clip knows no `clip-rule` and no clip of its
own parts, a group's opacity is lost beside a mask, a pattern's picture is shifted by its size and
scaled by its transform twice. Each is a few calls of cairo.
"""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from flipsketch.svg.render import Shape, draw_shapes, import_cairo, read_pixels, set_paint, trace
from flipsketch.svg.scene import (
    Box,
    Gradient,
    Item,
    Layer,
    Poured,
    Tile,
    blends,
    drawn_box,
    invert,
    unite,
)

# Of red, green and blue in what a mask lets through. Source: CSS Masking 1, section 7.10.1.
LUMINANCE = (0.2125, 0.7154, 0.0721)
OPERATORS = {
    **{
        mode: f"OPERATOR_{mode.upper().replace('-', '_')}"
        for mode in (
            *("multiply", "screen", "overlay", "darken", "lighten", "color-dodge", "color-burn"),
            *("hard-light", "soft-light", "difference", "exclusion"),
        )
    },
    **{
        mode: f"OPERATOR_HSL_{mode.upper()}"
        for mode in ("hue", "saturation", "color", "luminosity")
    },
    "plus-lighter": "OPERATOR_ADD",
}


def draw_layers(
    items: Sequence[Item],
    width: int,
    height: int,
    line_width: float | None = None,
    paper: int = 255,
) -> np.ndarray:
    """Return pixels (height, width, 3): the items on paper; the arguments are those of `draw`.

    Raises:
        ValueError: cairo's fixed-point numbers cannot hold where a gradient or a pattern lies.
    """
    cairo = import_cairo()
    surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, width, height)
    context = cairo.Context(surface)
    context.set_source_rgb(paper / 255, paper / 255, paper / 255)
    context.paint()
    page = (0.0, 0.0, float(width), float(height))
    painter = Painter(cairo, context, page, line_width)
    # What blends does so with what is drawn below it, not with the paper.
    try:
        painter.draw([Layer(list(items), blending="normal")] if blends(items) else items)
    except MemoryError as error:
        # So cairo calls it.
        raise ValueError(
            "the SVG has a gradient or a pattern far outside of its canvas; remove it"
        ) from error
    return read_pixels(surface, width, height)


class Painter:
    def __init__(
        self, cairo: ModuleType, context: Any, page: Box, line_width: float | None = None
    ) -> None:
        self.cairo, self.context, self.page = cairo, context, page
        self.line_width = line_width

    def draw(self, items: Sequence[Item]) -> None:
        shapes: list[Shape] = []
        for item in items:
            if isinstance(item, Shape):
                shapes.append(item)
                continue
            draw_shapes(self.cairo, self.context, shapes, self.line_width)
            shapes = []
            if isinstance(item, Poured):
                self.draw_poured(item)
            else:
                self.draw_layer(item)
        draw_shapes(self.cairo, self.context, shapes, self.line_width)

    def draw_layer(self, layer: Layer) -> None:
        context = self.context
        box = unite(map(drawn_box, layer.items))
        if box is None:
            return
        context.save()
        self.clip_to(box)
        masks = []
        for clip in layer.clips:
            if len(clip.items) == 1 and not clip.clips and isinstance(clip.items[0], Shape):
                self.set_path(clip.items[0])
                context.clip()
            else:
                masks.append(clip)
        if layer.mask is not None:
            masks.append(layer.mask)
        if not masks and layer.opacity >= 1 and not layer.blending:
            self.draw(layer.items)
            context.restore()
            return
        context.push_group()
        self.draw(layer.items)
        content = context.pop_group()
        for mask in masks:
            alpha = self.draw_mask(mask)
            context.push_group()
            context.set_source(content)
            context.mask(alpha)
            content = context.pop_group()
        context.set_source(content)
        context.set_operator(getattr(self.cairo, OPERATORS.get(layer.blending, "OPERATOR_OVER")))
        context.paint_with_alpha(layer.opacity)
        context.restore()

    def clip_to(self, box: Box) -> None:
        """Keep to the pixels of a box, so that the sheets of its layers are no larger."""
        left, top, right, bottom = (
            min(max(side, low), high)
            for side, low, high in zip(box, self.page[:2] * 2, self.page[2:] * 2, strict=True)
        )
        left, top = math.floor(left), math.floor(top)
        self.context.rectangle(left, top, math.ceil(right) - left, math.ceil(bottom) - top)
        self.context.clip()

    def draw_mask(self, mask: Layer) -> Any:
        """Return a mask's picture, whose alpha is what it lets through."""
        self.context.push_group()
        self.draw_layer(mask)
        group = self.context.pop_group()
        if mask.is_luminance:
            surface = group.get_surface()
            surface.flush()
            data = np.frombuffer(surface.get_data(), np.uint32)
            red, green, blue = (data >> shift & 0xFF for shift in (16, 8, 0))
            light = sum(
                share * level for share, level in zip(LUMINANCE, (red, green, blue), strict=True)
            )
            data[:] = np.rint(light).astype(np.uint32) << 24
            surface.mark_dirty()
        return group

    def set_path(self, shape: Shape) -> None:
        context = self.context
        context.set_matrix(self.cairo.Matrix(*shape.matrix))
        set_paint(self.cairo, context, shape.paint)
        context.new_path()
        trace(self.cairo, context, shape.segments)
        context.identity_matrix()

    def draw_poured(self, poured: Poured) -> None:
        shape, source = poured
        pattern = (
            self.gradient_pattern(source)
            if isinstance(source, Gradient)
            else self.tile_pattern(source)
        )
        if pattern is None:
            return
        context = self.context
        context.save()
        context.identity_matrix()
        self.set_path(shape)
        context.set_source(pattern)
        if shape.paint["fill"] != "none":
            context.fill()
        else:
            context.set_matrix(self.cairo.Matrix(*shape.matrix))
            context.stroke()
        context.restore()

    def gradient_pattern(self, gradient: Gradient) -> Any:
        back = invert(gradient.matrix)
        if back is None:
            return None
        cairo = self.cairo
        is_line = len(gradient.places) == 4
        pattern = (cairo.LinearGradient if is_line else cairo.RadialGradient)(*gradient.places)
        # Between two repeats cairo blends what lies outside of the stops.
        first, last = gradient.stops[0], gradient.stops[-1]
        for stop in ((0.0, *first[1:]), *gradient.stops, (1.0, *last[1:])):
            pattern.add_color_stop_rgba(*stop)
        extend = {"reflect": cairo.EXTEND_REFLECT, "repeat": cairo.EXTEND_REPEAT}
        pattern.set_extend(extend.get(gradient.spread, cairo.EXTEND_PAD))
        pattern.set_matrix(cairo.Matrix(*back))
        return pattern

    def tile_pattern(self, tile: Tile) -> Any:
        back = invert(tile.matrix)
        if back is None:
            return None
        cairo = self.cairo
        surface = cairo.ImageSurface(cairo.FORMAT_ARGB32, tile.width, tile.height)
        page = (0.0, 0.0, float(tile.width), float(tile.height))
        painter = Painter(cairo, cairo.Context(surface), page)
        painter.draw_layer(Layer(tile.items, tile.opacity))
        pattern = cairo.SurfacePattern(surface)
        pattern.set_extend(cairo.EXTEND_REPEAT)
        pattern.set_matrix(cairo.Matrix(*back))
        return pattern

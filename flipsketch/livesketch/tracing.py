"""Trace a raster drawing: strokes along the middle of its lines, and fills of its solid areas."""

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, label, maximum
from skimage.measure import find_contours
from skimage.morphology import skeletonize

from flipsketch.livesketch.curves import fit_cubics, straight
from flipsketch.livesketch.skeleton import EIGHT, Graph, radii_of
from flipsketch.livesketch.vector import BLACK_STROKE, VectorShape, VectorSketch
from flipsketch.media.clip import MIN_CONTRAST, otsu_threshold
from flipsketch.svg.render import Paint

BLACK_FILL: Paint = {**BLACK_STROKE, "fill": "#000000", "fill-opacity": 1.0, "stroke": "none"}
# Lines are found in a picture of this many pixels a side, so that a pixel of the skeleton is a
# small part of a line's width; enlarging further shows nothing more.
WORKING_SIDE, MAX_ENLARGEMENT = 1024, 4
# Of a drawing's pixels; a photo or a painting has more ink, and a negative more than half.
MAX_INK = 0.3
MIN_PAPER_LUMA = 128
MAX_STROKES, MAX_CUBICS = 400, 1_500
# In half widths of the drawing's lines: ink further from paper is a solid area; smaller specks,
# narrower gaps between lines and the corners left over from solid areas are not drawn.
SOLID, SPECK, CORNER = 2.6, 0.35, 0.6
# Also where most ink is solid, so that nothing tells how wide a line is, as a share of the side.
MAX_RADIUS = 0.012


def trace(pixels: np.ndarray) -> VectorSketch:
    """Return the strokes and solid areas of a drawing (H, W, 3), dark on white paper, in black.

    Raises:
        ValueError: there are no lines to trace, or far too many, as in a photo.
    """
    height, width = pixels.shape[:2]
    side = max(height, width)
    scale = min(WORKING_SIDE / side, MAX_ENLARGEMENT)
    ink = find_ink(pixels, scale)
    # What surrounds a small drawing takes time and adds nothing.
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    corner = np.array([columns[0], rows[0]])
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    points: list[np.ndarray] = []
    shapes = []
    for curves, stroke_width in trace_ink(ink, scale * side):
        segments = [add_curve(cubics, points) for cubics in curves]
        is_filled = stroke_width == 0
        paint = BLACK_FILL if is_filled else BLACK_STROKE
        width_in_sides = stroke_width / (scale * side)
        shapes.append(VectorShape(np.concatenate(segments), width_in_sides, is_filled, paint))
    check_counts(len(shapes), sum(len(shape.segments) for shape in shapes))
    to_original = np.array([width, height]) / enlarged_size(pixels, scale)
    placed = (np.concatenate(points) + corner) * to_original
    placed = (placed + (side - np.array([width, height])) / 2) / side
    return VectorSketch(placed, tuple(shapes), (0.0, 0.0, float(width), float(height)))


def enlarged_size(pixels: np.ndarray, scale: float) -> tuple[int, int]:
    """Return width and height of the picture in which lines are found."""
    height, width = pixels.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))


def find_ink(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Return which pixels of the scaled picture are ink."""
    image = Image.fromarray(pixels).convert("L")
    luma = np.asarray(image.resize(enlarged_size(pixels, scale), Image.Resampling.BICUBIC))
    if np.ptp(luma) < MIN_CONTRAST:
        raise ValueError(
            f"there is nothing to trace: the drawing's pixels differ by {np.ptp(luma)} of 255 "
            f"levels, lines by {MIN_CONTRAST} or more; draw it darker"
        )
    threshold = otsu_threshold(luma)
    if (luma <= threshold).mean() > MAX_INK:
        # So much is paint or shade, and the lines are the darkest of it.
        threshold = otsu_threshold(luma[luma <= threshold])
    ink = luma <= threshold
    paper = np.median(luma)
    if paper < MIN_PAPER_LUMA or ink.mean() > MAX_INK:
        raise ValueError(
            f"the drawing cannot be traced: {ink.mean():.0%} of it is ink, on paper of level "
            f"{paper:.0f} of 255; give dark lines on white paper, with at most {MAX_INK:.0%} ink"
        )
    return ink


def trace_ink(ink: np.ndarray, side: float) -> list[tuple[list[np.ndarray], float]]:
    """Return shapes in pixels: curves, which are the cubics (S, 4, 2) of a path each, and the
    stroke's width, 0 for a fill.

    Args:
        side: of the whole picture.
    """
    radii = radii_of(ink)
    # Half the width of the drawing's lines.
    typical = min(float(np.median(radii[skeletonize(ink)])), MAX_RADIUS * side)
    ink = drop_narrow(ink, SPECK * typical)
    ink = ~drop_narrow(~ink, SPECK * typical)
    radii = radii_of(ink)
    core = radii > SOLID * typical
    solid = ink & (distance_transform_edt(~core) < SOLID * typical) if core.any() else core
    shapes: list[tuple[list[np.ndarray], float]] = []
    areas, num_areas = label(solid, EIGHT)
    for number in range(1, num_areas + 1):
        area = np.pad(areas == number, 1)
        outlines = [outline[:-1, ::-1] - 0.5 for outline in find_contours(area.astype(float), 0.5)]
        shapes.append(([fit_cubics(outline, True, 1.5 * typical) for outline in outlines], 0.0))
    lines = drop_narrow(ink & ~solid, (CORNER if core.any() else SPECK) * typical)
    if lines.any() and core.any():
        # Lines reach into the areas that they touch.
        lines = ink & (distance_transform_edt(~lines) < 0.5 * typical)
    graph = Graph(lines)
    check_counts(len(graph.edges), 0)
    graph.drop_spurs()
    graph.join_bridged()
    graph.drop_spurs()
    for line in graph.lines():
        if len(line.points) == 1:
            # A dot, drawn as a short line, which has a direction.
            ends = line.points + np.array([[-0.25, 0], [0.25, 0]]) * line.radius
            cubics = straight(*ends)[None]
        else:
            cubics = fit_cubics(line.points, line.is_closed, 1.5 * line.radius)
        shapes.append(([cubics], 2 * line.radius))
    return shapes


def drop_narrow(area: np.ndarray, radius: float) -> np.ndarray:
    """Return an area without those of its parts into which no disc of the radius fits."""
    parts, count = label(area, EIGHT)
    widest = maximum(radii_of(area), parts, np.arange(count + 1))
    return area & (np.asarray(widest) > radius)[parts]


def check_counts(num_strokes: int, num_cubics: int) -> None:
    if num_strokes > MAX_STROKES or num_cubics > MAX_CUBICS:
        raise ValueError(
            f"the drawing cannot be traced: it has {num_strokes:,} lines of {num_cubics:,} curves, "
            f"the limits are {MAX_STROKES:,} and {MAX_CUBICS:,}; give a simpler line drawing"
        )


def add_curve(cubics: np.ndarray, points: list[np.ndarray]) -> np.ndarray:
    """Add the points of a path's cubics to others, and return their rows (S, 4)."""
    first = sum(map(len, points))
    rows = first + 3 * np.arange(len(cubics))[:, None] + np.arange(4)
    own = np.concatenate([cubics[0, :1], cubics[:, 1:].reshape(-1, 2)])
    if len(cubics) > 1 and np.abs(own[-1] - own[0]).max() < 0.1:
        own = own[:-1]
        rows[-1, -1] = first
    points.append(own)
    return rows

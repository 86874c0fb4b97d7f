"""The paper of a sketch: is it white, evenly lit, and lighter than the ink? If not, make it so.

A drawing that is dark ink on white is told by histograms, and never changed. Any other is measured:
its paper is a smooth surface, which closing shows below strokes, and a robust fit below what
strokes fill. Divided by it, the paper is white. Then what the paper's noise spans turns white, and
what is as dark as most of the ink turns black.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from flipsketch.media.raster import MIN_CONTRAST

# Levels of 255.
WHITE = 250
PURE_WHITE = 253
DARK = 128
"""Strokes with this contrast are not faint."""
HAIRLINE = 48
"""The like for strokes of a pixel or two, of which most pixels have just a share."""
MAX_PLATEAU = 0.16
"""Share of the ink that is about as dark as the darkest, where hairlines meet often."""
MIN_GROWTH = 2.68
"""Of hairlines when each pixel takes the level of its darkest neighbour: as measured 2.7 to 3.0, of
grey strokes a pixel wide 2.3 to 2.66, and less of wider ones."""
MIN_SHADOW = 0.08
MAX_NOISE = 0.1
"""Of paper; that of cameras is below 0.05, of photos of other things 0.1 to 0.5."""
NO_NOISE = 0.002
"""A program's page has less."""
MAX_SHADES = 0.1
"""Share of a page; in hatching what is grey is at an edge."""
MAX_COLOURED = 0.15
"""Share of a page; a drawing in one ink has less, a coloured picture more."""

GLANCE_SIDE = 64
MAP_SIDE = 96


class Repaired(NamedTuple):
    pixels: np.ndarray | None
    """None if the picture is to stay as it is."""
    notes: tuple[str, ...]


class Paper(NamedTuple):
    """What is below the ink, of a picture whose levels go from 0 to 1."""

    surface: np.ndarray
    """float32 (MAP_SIDE, MAP_SIDE, 3)."""
    is_dark: bool
    """The picture was inverted, since its strokes are lighter than its paper."""

    @property
    def colour(self) -> tuple[int, ...]:
        levels = np.median(self.surface, axis=(0, 1)) * 255
        return tuple(round(float(255 - level if self.is_dark else level)) for level in levels)

    @property
    def shadow(self) -> float:
        """What its darkest parts lack of the light of its lightest."""
        low, high = np.percentile(luma(self.surface), (2, 98))
        return float(1 - low / max(high, 1 / 255))


def luma(pixels: np.ndarray) -> np.ndarray:
    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def is_surely_clean(pixels: np.ndarray) -> bool:
    """Tell at a glance whether a drawing (H, W, 3) without noise is clean: white at every edge,
    with strokes that are nearly black, or as dark as `is_clean` asks for."""
    edges = pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]
    if not all(edge.min() == 255 for edge in edges):
        return False
    if pixels.min() < DARK // 2:
        return True
    # Each pixel counts three times at most.
    is_dark = np.count_nonzero(pixels < DARK) >= 3 * stray(pixels.size // 3)
    return bool(is_dark and np.count_nonzero(pixels < WHITE) <= pixels.size // 4)


def is_clean(image: Image.Image) -> bool:
    """Tell whether an RGB picture is surely dark ink on white paper.

    It may be mostly black, touch every edge, be coloured or shaded.
    """
    levels = darkest_channel(image)
    histogram, border = np.array(levels.histogram()), border_histogram(levels)
    contrast = find_contrast(histogram)
    if share(histogram, WHITE) >= 0.2 and share(border, PURE_WHITE) >= 0.5:
        is_faint = contrast < HAIRLINE or (contrast < DARK and not is_hairline(levels, contrast))
        return not (is_faint and not is_filled(levels)) and not has_shadow(levels)
    # Drawn up to the edges by a program: there is pure white, and hardly anything near it.
    near = histogram[225:PURE_WHITE].sum() / max(1, histogram[PURE_WHITE:].sum())
    if near > 1:
        return False
    is_digital = share(histogram, PURE_WHITE) >= 0.1 and near <= 0.25
    shows_paper = is_digital and share(border, WHITE) > 0.1
    return contrast >= DARK and (shows_paper or shows_white_all_over(levels))


def shows_white_all_over(levels: Image.Image) -> bool:
    """Tell whether there is white next to whatever is drawn, such as dense hatching."""
    white = levels.point([0] * PURE_WHITE + [255] * (256 - PURE_WHITE))
    small = white.resize((GLANCE_SIDE, GLANCE_SIDE), Image.Resampling.BOX)
    around = np.asarray(small.filter(ImageFilter.MaxFilter(7)))
    return float((around > 0.04 * 255).mean()) > 0.97


def is_hairline(levels: Image.Image, contrast: int) -> bool:
    """Tell whether strokes are black, but so thin that of each pixel they cover just a share.

    Where strokes meet, that share is larger; grey strokes have one level. And strokes that are
    thinner than a pixel are spread over fewer pixels than those of a pixel or more.
    """
    import cv2

    inner = levels.filter(ImageFilter.MaxFilter(3))
    if find_contrast(np.array(inner.histogram())) >= 0.5 * contrast:
        return False
    ink = np.minimum((255 - np.asarray(levels, np.float32)) / contrast, 1)
    ink[ink < 0.12] = 0
    plateau = (ink >= 0.8).sum() / (ink >= 0.35).sum()
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return bool(plateau <= MAX_PLATEAU or cv2.dilate(ink, cross).sum() >= MIN_GROWTH * ink.sum())


def is_filled(levels: Image.Image) -> bool:
    """Tell whether what is darker than white is areas rather than strokes."""
    small = levels.copy()
    small.thumbnail((GLANCE_SIDE, GLANCE_SIDE), Image.Resampling.BOX)
    ink = np.asarray(small) < WHITE - 10
    inner = small.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.MinFilter(5))
    return bool(((np.asarray(inner) < WHITE - 10) & ink).sum() > 0.5 * ink.sum() > 0)


def darkest_channel(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return ImageChops.darker(ImageChops.darker(red, green), blue)


def border_histogram(levels: Image.Image) -> np.ndarray:
    width, height = levels.size
    edge = max(1, min(width, height) // 64)
    boxes = (
        (0, 0, width, edge),
        (0, height - edge, width, height),
        (0, 0, edge, height),
        (width - edge, 0, width, height),
    )
    return np.sum([levels.crop(box).histogram() for box in boxes], axis=0)


def share(histogram: np.ndarray, level: int) -> float:
    """Return the share of the pixels at a level or above."""
    return float(histogram[level:].sum() / max(1, histogram.sum()))


def find_contrast(histogram: np.ndarray) -> int:
    """Return how far the darkest ink is from white, a few stray pixels aside."""
    enough = stray(int(histogram.sum()))
    return 255 - int(np.searchsorted(np.cumsum(histogram), enough))


def stray(num_pixels: int) -> int:
    return max(4, int(num_pixels * 2e-5))


def has_shadow(levels: Image.Image) -> bool:
    """Tell whether white fades along the edges of a page, where ink and its shades end abruptly."""
    small = levels.resize((GLANCE_SIDE, GLANCE_SIDE), Image.Resampling.BOX)
    cells = np.asarray(small.filter(ImageFilter.MaxFilter(5))).astype(int)
    ring = np.concatenate([cells[0], cells[1:, -1], cells[-1, -2::-1], cells[-2:0:-1, 0]])
    dim = ring < WHITE - 10
    if not 0.06 < dim.mean() < 1 or ring.min() > WHITE - MIN_SHADOW * 255:
        return False
    steps = np.abs(ring - np.roll(ring, 1))
    return bool(steps[dim | np.roll(dim, 1)].max() <= 24)


def has_light_strokes(white_page: Image.Image, black_page: Image.Image) -> bool:
    """Tell whether a picture on a transparent page can only be seen if that is dark.

    Args:
        white_page: the picture on white.
        black_page: the picture on black, and then inverted.
    """
    inverted = darkest_channel(black_page)
    if share(border_histogram(inverted), PURE_WHITE) < 0.5:
        return False
    usual, other = (
        find_contrast(np.array(levels.histogram()))
        for levels in (darkest_channel(white_page), inverted)
    )
    if usual >= DARK // 2 or other < max(MIN_CONTRAST, 2 * usual):
        return False
    return usual < MIN_CONTRAST or not is_filled(inverted)


def repair(image: Image.Image, *, is_vector: bool = False) -> Repaired:
    """Return an RGB picture as dark ink on white paper.

    Args:
        is_vector: it is of an SVG, which is no photo, whatever it shows.

    Raises:
        ValueError: there is surely no drawing on it.
    """
    import cv2

    pixels = np.asarray(image).astype(np.float32) / 255
    is_drawn = is_vector or has_few_levels(np.asarray(darkest_channel(image)))
    paper = find_paper(pixels, is_flat=is_drawn)
    if paper.is_dark:
        pixels = 1 - pixels
    surface = cv2.resize(paper.surface, image.size, interpolation=cv2.INTER_LINEAR)
    flat = pixels / np.maximum(surface, 1 / 255)
    darkness, noise = (1 - luma(flat), 0.0) if is_drawn else level_out(1 - luma(flat))
    contrast = find_ink(darkness, noise)
    if noise > MAX_NOISE and contrast < 8 * noise:
        shades = smooth_shades(luma(pixels))
        figures = f"{min(noise, 1):.0%} all over the page, {shades:.0%} of it shades"
        if shades < MAX_SHADES:
            return Repaired(None, (f"no paper can be told from ink: {figures}",))
        raise ValueError(
            "the sketch is no drawing on paper but a photo or a painting: its levels vary by "
            f"{figures}; draw it in lines, or take it as it is with --paper as-is"
        )
    if contrast == 0:
        return Repaired(None, ())
    coloured = float((np.ptp(flat, axis=-1) > 0.2).mean())
    if coloured > MAX_COLOURED:
        return Repaired(None, (f"left a coloured picture as it is: {coloured:.0%} of the page",))
    notes = describe(paper, is_vector)
    if contrast * 255 < DARK and (notes or not is_filled(darkest_channel(image))):
        notes.append(f"darkened faint strokes: {contrast * 255:.0f} of 255 levels")
    if not notes:
        return Repaired(None, ())
    if noise > 0.05:
        notes.append(f"the paper is uneven, it may be no drawing: by {noise:.0%}")
    if noise > 0.1 * contrast:
        darkness = cv2.GaussianBlur(darkness, (0, 0), 0.8)
        noise /= 2
    # Half of the ink's darkness is the edge of a stroke, whatever the ramp around it.
    widest = 0.42 if noise > NO_NOISE else 0.5
    ramp = np.clip(0.5 * contrast - 3.5 * noise, 0.1 * contrast, widest * contrast)
    ink = np.clip((darkness - 0.5 * contrast) / (2 * ramp) + 0.5, 0, 1)
    grey = ((1 - ink) * 255).round().astype(np.uint8)
    return Repaired(grey[..., None].repeat(3, axis=-1), tuple(notes))


def has_few_levels(levels: np.ndarray) -> bool:
    """Tell whether a program drew a picture: aside from edges it has a few levels, not the many of
    a camera's noise and shadows."""
    import cv2

    element = np.ones((3, 3), np.uint8)
    is_edge = cv2.dilate(levels, element) - cv2.erode(levels, element) > 16
    # JPEG leaves traces of an edge within its block of 8 pixels.
    is_near = cv2.dilate(is_edge.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    clear = levels[~is_near] if is_near.mean() < 0.95 else levels[~is_edge]
    histogram = np.bincount(clear, minlength=256)
    return bool(np.sort(histogram)[-4:].sum() >= 0.9 * histogram.sum() > 0)


def find_paper(pixels: np.ndarray, *, is_flat: bool) -> Paper:
    """Return the paper of a picture whose levels go from 0 to 1.

    Args:
        is_flat: it has one colour, as a program's has, unless none is found often enough.
    """
    import cv2

    small = cv2.resize(pixels, (MAP_SIDE, MAP_SIDE), interpolation=cv2.INTER_AREA)
    is_dark = has_light_ink(luma(small))
    if is_dark:
        small = 1 - small
    if is_flat and (colour := find_light_colour(1 - pixels if is_dark else pixels)) is not None:
        return Paper(np.full((MAP_SIDE, MAP_SIDE, 3), colour, np.float32), is_dark)
    # A stroke is narrower than this, what is filled is not.
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    closed = np.maximum(cv2.morphologyEx(small, cv2.MORPH_CLOSE, element), 1 / 255)
    fitted = fit_surface(closed)
    is_paper = (luma(closed) > 0.85 * luma(fitted)).astype(np.float32)[..., None]
    ratio = closed / fitted
    weight = cv2.GaussianBlur(is_paper, (0, 0), 3)[..., None] + 1e-3
    ratio = (cv2.GaussianBlur(is_paper * ratio, (0, 0), 3) + 1e-3) / weight
    return Paper(np.clip(fitted * ratio, 0, 1), is_dark)


def find_light_colour(pixels: np.ndarray) -> np.ndarray | None:
    """Return the colour that is found most among the lightest, None if none is found often."""
    bins = (pixels * 31 + 0.5).astype(np.int32) @ np.array([1024, 32, 1])
    counts = np.bincount(bins.ravel(), minlength=1 << 15)
    often = np.flatnonzero(counts >= 0.05 * bins.size)
    if not len(often):
        return None
    levels = luma(np.stack([often >> 10, often >> 5 & 31, often & 31], axis=-1) / 31)
    light = often[levels >= 0.8 * levels.max()]
    return np.median(pixels[bins == light[np.argmax(counts[light])]], axis=0)


def has_light_ink(levels: np.ndarray) -> bool:
    """Tell whether strokes are lighter than what is around them, on paper that is not light."""
    import cv2

    around = cv2.medianBlur((levels * 255).astype(np.uint8), 31).astype(np.float32) / 255
    lighter = np.clip(levels - around - 0.02, 0, None).sum()
    darker = np.clip(around - levels - 0.02, 0, None).sum()
    edge = np.concatenate([levels[:2].ravel(), levels[-2:].ravel(), levels[:, :2].ravel()])
    # A frame is no paper, and strokes take less than half of it.
    paper = max(np.median(edge), np.median(levels))
    return bool(lighter > 1.5 * darker and paper < 0.6)


def fit_surface(closed: np.ndarray) -> np.ndarray:
    """Return the cubic surfaces (MAP_SIDE, MAP_SIDE, 3) through the lighter cells, which are paper:
    fitted again and again without those that are darker."""
    y, x = np.mgrid[-1 : 1 : MAP_SIDE * 1j, -1 : 1 : MAP_SIDE * 1j]
    terms = [x**i * y**j for i in range(4) for j in range(4 - i)]
    basis = np.stack(terms, -1).reshape(-1, len(terms)).astype(np.float32)
    cells = closed.reshape(-1, 3)
    levels = luma(cells)
    kept = levels > 0.6 * np.percentile(levels, 95)
    for _ in range(6):
        weights = np.linalg.lstsq(basis[kept][::3], cells[kept][::3], rcond=None)[0]
        error = levels - luma(basis @ weights)
        spread = 0.015 + 1.5 * np.median(np.abs(error[kept]))
        kept = (error > -2.5 * spread) & (error < 4 * spread)
        if kept.sum() < 90:
            break
    low, high = cells.min(axis=0), cells.max(axis=0)
    return np.clip(basis @ weights, low, high).reshape(closed.shape).astype(np.float32)


def level_out(darkness: np.ndarray) -> tuple[np.ndarray, float]:
    """Return darkness that is 0 where the paper is as light as it usually is, and the deviation of
    its noise."""
    usual = min(float(np.median(darkness)), 0.99)
    darkness = 1 - (1 - darkness) / (1 - usual)
    lighter = -darkness[darkness <= 0]
    return darkness, float(1.48 * np.median(lighter)) if len(lighter) else 0.0


def find_ink(darkness: np.ndarray, noise: float) -> float:
    """Return how dark most of the ink is, 0 if there is none."""
    import cv2

    # Of thin strokes most pixels have just a share: the darkest of their neighbours tell.
    around = cv2.dilate(darkness, np.ones((3, 3), np.uint8))
    crests = darkness[(darkness > max(4 * noise, 0.04)) & (darkness == around)]
    if not len(crests):
        return 0.0
    darkest = float(crests.max())
    if noise <= NO_NOISE and np.percentile(crests, 95) * 255 >= DARK:
        # A program's page needs no more than to be linear.
        return darkest
    # JPEG leaves fainter ones around strokes.
    return float(np.percentile(crests[crests > 0.35 * darkest], 70))


def smooth_shades(levels: np.ndarray) -> float:
    """Return the share of pixels that are neither light nor dark, nor at an edge."""
    import cv2

    low, high = np.percentile(levels, (2, 98))
    relative = (levels - low) / max(high - low, 1 / 255)
    element = np.ones((3, 3), np.uint8)
    is_flat = cv2.dilate(relative, element) - cv2.erode(relative, element) < 0.15
    return float((is_flat & (relative > 0.15) & (relative < 0.85)).mean())


def describe(paper: Paper, is_vector: bool) -> list[str]:
    """Return notes on what is to be repaired of paper."""
    notes = []
    if paper.is_dark:
        notes.append(f"turned light strokes dark: on {paper.colour}")
    elif min(paper.colour) < WHITE or (is_vector and paper.shadow > MIN_SHADOW):
        notes.append(f"whitened the paper: {paper.colour}")
    if paper.shadow > MIN_SHADOW and not is_vector:
        notes.append(f"evened out a shadow: {paper.shadow:.0%}")
    return notes

"""The paper of a sketch: is it white, evenly lit, and lighter than the ink? If not, make it so.

A drawing that is dark ink on white is told by histograms, and never changed. Any other is measured:
its paper is a smooth surface, which closing shows below strokes, and a robust fit below what
strokes fill. Divided by it, the paper is white. Then what the paper's noise spans turns white, and
what is as dark as most of the ink turns black.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from flipsketch.media.ground import TRIM, cut_sheet, find_solid, has_strokes, is_noise
from flipsketch.media.raster import MIN_CONTRAST
from flipsketch.media.surface import Paper, find_paper, local_surface, luma

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


class Repaired(NamedTuple):
    pixels: np.ndarray | None
    """None if the picture is to stay as it is."""
    notes: tuple[str, ...]


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
    if is_vector:
        return repair_page(image, is_vector=True)
    if is_noise(image):
        raise ValueError(
            "the sketch is nothing but noise: no part of it is darker than the rest; replace the "
            "picture, or take it as it is with --paper as-is"
        )
    sheet = cut_sheet(image)
    if sheet is not None and not is_digital(image, sheet):
        page = repair_page(sheet, is_vector=False)
        if page.pixels is not None and 0.001 < (page.pixels < 128).mean() < 0.5:
            taken = sheet.width * sheet.height / (image.width * image.height)
            note = f"cropped to the sheet of paper: {taken:.0%} of the picture"
            margins = [(round(side * TRIM),) * 2 for side in page.pixels.shape[:2]]
            whole = np.pad(page.pixels, [*margins, (0, 0)], constant_values=255)
            return Repaired(whole, (note, *page.notes))
    return repair_page(image, is_vector=False)


def is_digital(image: Image.Image, sheet: Image.Image) -> bool:
    """Tell whether a sheet is a white area that a program drew rather than paper."""
    is_white = np.median(np.asarray(darkest_channel(sheet))) >= WHITE
    return bool(is_white and has_few_levels(np.asarray(darkest_channel(image))))


def repair_page(image: Image.Image, *, is_vector: bool) -> Repaired:
    """Return a picture of nothing but a page as dark ink on white paper."""
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
    grain = 0.0
    if noise > MAX_NOISE and contrast < 8 * noise:
        smooth, rest = level_out(cv2.GaussianBlur(darkness, (0, 0), 2))
        # A sensor's noise is gone with the blur; what other things show is not.
        if rest < 0.3 * noise and find_ink(smooth, rest) >= 8 * rest:
            darkness, noise, grain = smooth, rest, noise
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
    if grain:
        notes.append(f"smoothed a noisy photo: {grain:.0%}")
    if noise > 0.05:
        notes.append(f"the paper is uneven, it may be no drawing: by {noise:.0%}")
    grey = draw_ink(darkness, noise, contrast)
    solid = None if is_vector else find_solid(grey, luma(flat))
    if solid is not None:
        relit = None if is_drawn or paper.is_dark else relight(pixels, solid)
        if relit is not None:
            grey = relit
            kind = "evened out a shadow with an edge"
        elif paper.is_dark:
            kind = "light ground turned black, crop the picture to the page"
        else:
            kind = "a large part of the page stays dark, as in a shadow"
        notes.append(f"{kind}: {solid.mean():.0%} of the page")
    return Repaired(grey[..., None].repeat(3, axis=-1), tuple(notes))


def draw_ink(darkness: np.ndarray, noise: float, contrast: float) -> np.ndarray:
    """Return uint8 (H, W): black where a page is as dark as most of its ink, white paper."""
    import cv2

    if noise > 0.1 * contrast:
        darkness = cv2.GaussianBlur(darkness, (0, 0), 0.8)
        noise /= 2
    # Half of the ink's darkness is the edge of a stroke, whatever the ramp around it.
    widest = 0.42 if noise > NO_NOISE else 0.5
    ramp = np.clip(0.5 * contrast - 3.5 * noise, 0.1 * contrast, widest * contrast)
    ink = np.clip((darkness - 0.5 * contrast) / (2 * ramp) + 0.5, 0, 1)
    return ((1 - ink) * 255).round().astype(np.uint8)


def relight(pixels: np.ndarray, area: np.ndarray) -> np.ndarray | None:
    """Return the ink of a page of which an area is in a shadow with an edge; None if there are no
    strokes in it, as in what is filled."""
    flat = pixels / np.maximum(local_surface(pixels), 1 / 255)
    darkness, noise = level_out(1 - luma(flat))
    contrast = find_ink(darkness, noise)
    if contrast == 0:
        return None
    grey = draw_ink(darkness, noise, contrast)
    return grey if has_strokes(grey, area) else None


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

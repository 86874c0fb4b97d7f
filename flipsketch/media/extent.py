"""How much of its page a drawing takes: what is worth a warning, and the crop to its ink."""

import numpy as np
from PIL import Image

from flipsketch.media.config import FIT_MARGIN
from flipsketch.media.paper import darkest_channel

# In levels of 255: what is darker is ink, if only a stroke's edge.
INK = 192
GREY = 128
FAINT = 64
"""Ink with less contrast is easily lost."""
# As shares of the page.
SMALL = 0.25
FULL = 0.5

Box = tuple[int, int, int, int]


def find_ink(levels: np.ndarray) -> Box | None:
    """Return left, top, right and bottom of the ink of a page (H, W)."""
    ink = levels < INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def share_of_page(levels: np.ndarray) -> float:
    """Return the longer side of a page's ink, as a share of the page's."""
    box = find_ink(levels)
    if box is None:
        return 1.0
    return max(box[2] - box[0], box[3] - box[1]) / max(levels.shape)


def ink_share(image: Image.Image) -> float:
    return share_of_page(np.asarray(darkest_channel(image)))


def crop_to_ink(image: Image.Image) -> Image.Image:
    """Return a page cut or widened to its ink and a margin, whole if it has none."""
    box = find_ink(np.asarray(darkest_channel(image)))
    if box is None:
        return image
    left, top, right, bottom = box
    margin = round(FIT_MARGIN * max(right - left, bottom - top))
    page = Image.new("RGB", (right - left + 2 * margin, bottom - top + 2 * margin), "white")
    page.paste(image, (margin - left, margin - top))
    return page


def find_flaws(sketch: np.ndarray) -> tuple[str, ...]:
    """Return notes on what of a sketch may make a poor clip: it is kept as it is."""
    if is_surely_fine(sketch):
        return ()
    levels = np.minimum(np.minimum(sketch[..., 0], sketch[..., 1]), sketch[..., 2])
    flaws = []
    if (taken := share_of_page(levels)) < SMALL:
        flaws.append(f"the drawing is small: {taken:.0%} of its page, --fit ink enlarges it")
    if (filled := np.mean(levels < GREY)) > FULL:
        flaws.append(f"more ink than paper: {filled:.0%} of the page")
    if (contrast := 255 - int(levels.min())) < FAINT:
        flaws.append(f"the strokes are faint: {contrast} of 255 levels")
    return tuple(flaws)


def is_surely_fine(sketch: np.ndarray) -> bool:
    """Tell whether a sketch has none of the flaws, as most have none: without taking its channels
    apart, which takes longer."""
    rows = sketch.reshape(len(sketch), -1)
    darkest = rows.min(axis=1)
    inked = np.flatnonzero(darkest < INK)
    is_large = len(inked) > 0 and inked[-1] + 1 - inked[0] >= SMALL * len(sketch)
    if not is_large or 255 - int(darkest.min()) < FAINT:
        return False
    # In each dark pixel one channel or more is dark.
    return bool(np.count_nonzero(rows < GREY) <= FULL * rows.size / 3)

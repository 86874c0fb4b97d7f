"""Load a sketch, SVG or raster, as the square of black ink on white that the model takes."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from flipsketch.media.config import AS_IS, REPAIR, SketchConfig, refusal
from flipsketch.media.extent import crop_to_ink, find_flaws, ink_share
from flipsketch.media.paper import has_light_strokes, is_clean, repair
from flipsketch.media.picture import Picture, RasterPicture, SvgPicture, fit_to
from flipsketch.media.raster import decode_raster, has_ink
from flipsketch.storage.folder import MAX_FILE_BYTES, read_file
from flipsketch.storage.location import is_uri
from flipsketch.svg.reader import pad_to_square

# In pixels: paper is measured and repaired at this side or more.
MIN_REPAIRED_SIDE = 1024
MAX_FITTED_SIDE = 2048
FAINT = 16  # of 255: what smoothing leaves around a stroke
# What may stand before the first `<`: byte order marks, the zeros of UTF-16, blanks.
BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"


class SketchReading(NamedTuple):
    pixels: np.ndarray
    """uint8 (size, size, 3)."""
    notes: tuple[str, ...]
    """What was repaired, left out or looks wrong: each a kind, which can be counted, or a kind and
    figures: "whitened the paper: (250, 240, 200)"."""


def load_sketch(
    source: str | Path | bytes,
    size: int,
    *,
    darken: bool = False,
    config: SketchConfig = REPAIR,
) -> np.ndarray:
    """Return a sketch (size, size, 3) from a file, at a path or a URI, or its bytes: aspect kept,
    centred on white.

    The content decides whether it is SVG, not the name. Raises OSError for what cannot be opened,
    ValueError for what is unsafe, unreadable, too large or blank.

    Args:
        darken: make pale strokes black, see `darken_ink`.
    """
    if isinstance(source, bytes):
        return read_sketch(source, size, config, darken=darken).pixels
    content = read_content(source)
    try:
        return read_sketch(content, size, config, darken=darken).pixels
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def read_sketch(
    content: bytes, size: int, config: SketchConfig = REPAIR, *, darken: bool = False
) -> SketchReading:
    """Return the sketch (size, size, 3) that a file holds, and notes on how it was read.

    Raises:
        ValueError: it is unsafe, unreadable, too large, blank or no drawing.
    """
    picture = open_picture(content, size, config)
    if config.fit == "none" and isinstance(picture, SvgPicture) and picture.is_ready(config):
        # As most are. An image of Pillow's would be copied twice.
        pixels, notes = picture.pixels, picture.notes
    else:
        page = ready_page(picture, size, config)
        image, notes = page.image, page.notes
        if config.fit == "ink":
            image = crop_page(picture, page, size, config)
        pixels = fit_to(image, size)
    pixels = pad_to_square(pixels, size, picture.notes)
    if darken:
        pixels = darken_ink(pixels)
    return SketchReading(pixels, notes if config == AS_IS else notes + find_flaws(pixels))


def open_picture(content: bytes, size: int, config: SketchConfig) -> Picture:
    if not content:
        raise ValueError("the sketch is empty (0 bytes); write the file again")
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"the sketch has more than {MAX_FILE_BYTES:,} bytes; make it smaller")
    if is_svg(content):
        return SvgPicture(content, size)
    return RasterPicture(decode_raster(content, rescale=config.paper != "as-is"))


class Page(NamedTuple):
    image: Image.Image
    """RGB: an SVG at the size asked for, a raster as it is, or reduced if it was repaired."""
    notes: tuple[str, ...]


def read_page(content: bytes, size: int, config: SketchConfig = REPAIR) -> Page:
    """Return the whole page that a file holds, before a sketch of that size is made of it: with its
    paper repaired, not cropped, of any shape.

    Raises:
        ValueError: it is unsafe, unreadable, too large or no drawing.
    """
    return ready_page(open_picture(content, size, config), size, config)


def ready_page(picture: Picture, size: int, config: SketchConfig) -> Page:
    image = picture.draw()
    if config.paper == "as-is":
        return Page(image, picture.notes)
    repaired = repair_picture(picture, image, max(MIN_REPAIRED_SIDE, 2 * size))
    if config.paper == "refuse" and repaired.image is not image:
        raise refusal(repaired.notes)
    return Page(repaired.image, picture.notes + repaired.notes)


def crop_page(picture: Picture, page: Page, size: int, config: SketchConfig) -> Image.Image:
    """Return a page's ink and a margin, with as many pixels as the sketch that is made of it."""
    image = page.image
    side = min(MAX_FITTED_SIDE, round(size / ink_share(image)))
    if side > max(image.size):
        # A raster has no more than it has, of which repair may have taken some.
        larger = SvgPicture(picture.svg, side) if isinstance(picture, SvgPicture) else picture
        image = ready_page(larger, side, config).image
    return crop_to_ink(image)


def repair_picture(picture: Picture, image: Image.Image, side: int) -> Page:
    """Return a picture as dark ink on white paper; of one that is clean, the image given."""
    notes: tuple[str, ...] = ()
    if picture.is_clean():
        return Page(image, notes)
    paper = 255
    inverted = invert(picture.draw(0))
    if has_light_strokes(image, inverted):
        image, paper, notes = inverted, 0, ("turned light strokes dark: on no paper",)
    if is_clean(image):
        return Page(image, notes)
    if isinstance(picture, SvgPicture) and not has_ink(image):
        lines = picture.draw_lines(paper)
        if has_ink(lines):
            image = lines if paper else invert(lines)
            return Page(image, (*notes, "widened strokes that were too thin to be seen"))
    large = picture.enlarge(side, paper)
    if paper == 0:
        large = invert(large)
    if isinstance(picture, SvgPicture) and is_clean(large):
        # Of thin strokes a pixel has just a share.
        return Page(image, notes)
    repaired = repair(large, is_vector=isinstance(picture, SvgPicture))
    if repaired.pixels is not None:
        image = Image.fromarray(repaired.pixels)
    return Page(image, notes + repaired.notes)


def invert(image: Image.Image) -> Image.Image:
    """Return an image's negative in grey: a coloured stroke turns dark, not another colour."""
    return ImageOps.invert(image.convert("L")).convert("RGB")


def read_content(source: str | Path) -> bytes:
    """Return a file's bytes; of one that is too large one byte more than the limit.

    Raises:
        OSError: it cannot be opened.
    """
    if is_uri(str(source)):
        return read_file(str(source))
    with open(source, "rb") as file:
        # A device has no end.
        return file.read(MAX_FILE_BYTES + 1)


def check_sketch(content: bytes, sha256: str | None) -> None:
    """Raise ValueError if a sketch is no longer what a clip was made of."""
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            "the sketch has changed since its clip was made; put the earlier one back, or animate "
            "the new one under another id"
        )


def darken_ink(sketch: np.ndarray) -> np.ndarray:
    """Return a sketch whose ink is as many times as dark as makes its strokes black; on paper that
    is not white, as it is.

    Of a large drawing's thin strokes, made small, a pixel has just a share: they turn pale.
    """
    ink = 255 - sketch.astype(np.float32)
    darkest = ink.max(axis=-1)
    if np.median(darkest) > FAINT:
        # The paper is not white, and would turn dark too.
        return sketch
    # Not the very darkest, which is where strokes cross.
    full = np.percentile(darkest[darkest > FAINT], 95) if (darkest > FAINT).any() else 255
    return (255 - np.minimum(ink * (255 / full), 255)).round().astype(np.uint8)


def is_svg(content: bytes) -> bool:
    """Tell whether a file is for the reader of SVG, which decompresses .svgz itself."""
    is_xml = content[:1024].lstrip(BEFORE_XML).startswith(b"<")
    return is_xml or content.startswith(b"\x1f\x8b")

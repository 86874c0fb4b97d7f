"""Load a sketch, SVG or raster, as the square of black ink on white that the model takes."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from flipsketch.media.config import REPAIR, SketchConfig
from flipsketch.media.raster import decode_raster
from flipsketch.storage.folder import MAX_FILE_BYTES, read_file
from flipsketch.storage.location import is_uri
from flipsketch.svg.reader import pad_to_square, rasterize_svg
from flipsketch.svg.text import refuse_other_files

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
    pixels, notes = decode_sketch(content, size, config)
    return SketchReading(darken_ink(pixels) if darken else pixels, notes)


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


def decode_sketch(content: bytes, size: int, config: SketchConfig) -> SketchReading:
    if not content:
        raise ValueError("the sketch is empty (0 bytes); write the file again")
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"the sketch has more than {MAX_FILE_BYTES:,} bytes; make it smaller")
    if is_svg(content):
        return SketchReading(rasterize_svg(content, size), ())
    refuse_other_files(content)
    raster = decode_raster(content, rescale=config.paper != "as-is")
    image = raster.on(255)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    # Padded last: a square around a line of 16 million pixels would not fit into memory.
    pixels = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
    return SketchReading(pad_to_square(pixels, size), raster.notes)


def is_svg(content: bytes) -> bool:
    """Tell whether a file is for the reader of SVG, which decompresses .svgz itself."""
    is_xml = content[:1024].lstrip(BEFORE_XML).startswith(b"<")
    return is_xml or content.startswith(b"\x1f\x8b")


def read_raster(content: bytes) -> Image.Image:
    """Return an upright RGB image, transparency composited on white."""
    return decode_raster(content).on(255)

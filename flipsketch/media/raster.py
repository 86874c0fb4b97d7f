"""Decode a raster picture of unknown origin within bounds on pixels and memory."""

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin, UnidentifiedImageError

from flipsketch.svg.text import refuse_other_files

# A larger picture is shrunk while it is read.
MAX_PIXELS = 1 << 24
# A phone's 108 megapixels, A3 at 900 dpi.
MAX_DECODED_PIXELS = 1 << 27
MAX_DECODED_BYTES = 340 << 20
# Of an animation that begins with blank frames.
MAX_FRAMES = 100
MAX_FRAMES_PIXELS = 1 << 26

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
# What decoding takes for each byte of the pixels themselves, as measured.
COPIES = {"WEBP": 2.0, "AVIF": 2.5, "HEIF": 2.5, "TIFF": 2.0}
# Of a JPEG that comes in several scans every coefficient is kept, two bytes each.
COEFFICIENT_BYTES = {1: 2, 3: 6, 4: 8}
STRIP_PIXELS = 1 << 21

# What turns a picture upright, by its orientation in EXIF.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# In levels of 255; a fainter line cannot be seen.
MIN_CONTRAST = 16
# 16-bit samples of at most 14 bits, which cameras and scanners write, leave a page nearly black.
PACKED_16 = 1 << 14

# How other pictures and archives begin, what they are, and what to do.
OTHER_FILES = (
    (b"gimp xcf", "a GIMP document (XCF); export it as PNG"),
    (b"\x00\x00\x01\x00", "an icon file (ICO); export it as PNG"),
    (b"\xff\x0a", "a JPEG XL picture; export it as PNG"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture; export it as PNG"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture; export it as PNG"),
    (b"\xd0\xcf\x11\xe0", "an office document; export its drawing as SVG or PNG"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska, WebM); export a frame as PNG"),
    (b"data:", "a data URI; decode its base64"),
)
# Brands of the container that HEIC, AVIF and video share, which follow `ftyp`.
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


class Raster(NamedTuple):
    image: Image.Image
    """Upright, RGB, or RGBA if anything is transparent; at most `MAX_PIXELS`."""
    notes: tuple[str, ...]

    def on(self, paper: int) -> Image.Image:
        """Return the picture on a page of this level, as RGB."""
        return composite(self.image, paper)


def decode_raster(content: bytes, *, rescale: bool = True) -> Raster:
    """Return the picture that a file holds, of an animation the first frame with ink.

    Args:
        rescale: spread samples that use a few of their 16 bits, such as 12, over all levels.

    Raises:
        ValueError: it is no picture, too large, or damaged.
    """
    with warnings.catch_warnings():
        # Pillow warns of large images at a limit other than ours.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = open_raster(content)
        factor = shrink_factor(image, content)
        try:
            return load_raster(image, content, factor, rescale)
        # Pillow's decoders raise whatever a broken file leads them to.
        except Exception as error:
            raise damaged(error) from error


def open_raster(content: bytes) -> Image.Image:
    """Return an image of which only the header has been read."""
    refuse_other_files(content)
    for start, what in OTHER_FILES:
        if content.startswith(start):
            raise ValueError(f"the file is {what}")
    formats = [*FORMATS, *find_heic(content)]
    try:
        return Image.open(io.BytesIO(content), formats=formats)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"the image has far more than {MAX_DECODED_PIXELS:,} pixels; make it smaller"
        ) from error
    except UnidentifiedImageError as error:
        if content[4:8] == b"ftyp":
            raise ValueError("the file is a video; export a frame as PNG") from error
        raise ValueError(
            f"the sketch is no image that can be read; use SVG or one of {', '.join(FORMATS)}"
        ) from error
    except Exception as error:
        raise damaged(error) from error


def find_heic(content: bytes) -> list[str]:
    """Return Pillow's name of the format if a file is a HEIC photo, for which it has a plugin."""
    # AVIF may have the same first brand, and then names itself among the others.
    if content[4:8] != b"ftyp" or content[8:12] not in HEIC or b"avif" in content[12:64]:
        return []
    try:
        import pillow_heif
    except ImportError as error:
        raise ValueError(
            "the file is a HEIC photo, which needs the package pillow-heif: install it with pip "
            "install pillow-heif, or export the photo as JPEG"
        ) from error
    pillow_heif.register_heif_opener()
    return ["HEIF"]


def damaged(error: Exception) -> ValueError:
    return ValueError(
        f"the image is damaged or cut short: {str(error)[:200]}; export it again, or fetch "
        f"the whole file"
    )


def shrink_factor(image: Image.Image, content: bytes) -> int:
    """Return the least whole factor that brings an image within `MAX_PIXELS`.

    Raises:
        ValueError: it takes too many pixels or too much memory to decode.
    """
    width, height = image.size
    pixels = width * height
    factor = 1
    while -(-width // factor) * -(-height // factor) > MAX_PIXELS:
        factor += 1
    needed = pixels * decoded_bytes(image, content, factor)
    if pixels > MAX_DECODED_PIXELS or (factor > 1 and needed > MAX_DECODED_BYTES):
        limit = min(MAX_DECODED_PIXELS, int(MAX_DECODED_BYTES / needed * pixels))
        raise ValueError(
            f"the image has {width} x {height} pixels, the limit for {image.format} is {limit:,} "
            "in all; make it smaller"
        )
    return factor


def decoded_bytes(image: Image.Image, content: bytes, factor: int) -> float:
    """Return what decoding an image takes for each of its pixels."""
    bytes_a_pixel = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}.get(image.mode, 4)
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return bytes_a_pixel * COPIES.get(str(image.format), 1.0)
    shrunk = bytes_a_pixel / draft_scale(factor) ** 2
    bands = len(image.getbands())
    return shrunk if is_in_one_scan(content, bands) else shrunk + COEFFICIENT_BYTES[bands]


def draft_scale(factor: int) -> int:
    """Return the scale, one that JPEG decoders have, that reduces by a factor or somewhat more."""
    return min(8, 1 << (factor - 1).bit_length())


def is_in_one_scan(content: bytes, bands: int) -> bool:
    """Tell whether a JPEG is decoded as it is read, row by row."""
    at = 2
    while at + 4 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker == 0xC2:  # progressive
            return False
        if marker == 0xDA:  # the first scan
            return content[at + 4] == bands
        at += 2 + length
    return False


def load_raster(image: Image.Image, content: bytes, factor: int, rescale: bool) -> Raster:
    # Of colours with 16 bits Pillow keeps the high byte.
    is_wide = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if image.format == "TIFF":
        # Pillow turns it by itself.
        turn = None
    if factor > 1 and isinstance(image, JpegImagePlugin.JpegImageFile):
        scale = draft_scale(factor)
        # Pillow takes the largest scale that leaves as many pixels.
        image.draft(image.mode, (image.width // scale, image.height // scale))
        factor = 1
    if factor > 1 and image.format == "WEBP":
        image = decode_webp(content)
    image.load()
    top = find_top(image, is_wide) if rescale else None
    notes: tuple[str, ...] = () if top is None else (f"spread samples of few bits: up to {top:g}",)
    plain = shrink(image, factor, top) if factor > 1 else to_plain(image, top)
    if factor == 1 and getattr(image, "is_animated", False) and not has_ink(plain):
        plain, index = find_inked_frame(image, plain)
        notes += (f"took a later frame, the first is blank: {index}",) if index else ()
    return Raster(plain if turn is None else plain.transpose(turn), notes)


def decode_webp(content: bytes) -> Image.Image:
    """Return a WebP's first frame; Pillow would take four times the memory."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("it has no frame")
    to_rgb = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return Image.fromarray(cv2.cvtColor(pixels, to_rgb, pixels))


def find_top(image: Image.Image, is_wide: bool) -> float | None:
    """Return the highest sample if samples use a few of their bits, None if they use them all."""
    if image.mode.startswith("I"):
        top = float(np.max(np.asarray(image)))
        return None if PACKED_16 <= top < 1 << 16 else max(top, 1.0)
    if image.mode == "F":
        # Such pictures go up to 1, or else to 255.
        top = float(np.nanmax(np.asarray(image)))
        return 1.0 if top <= 1 else max(top, 255.0)
    if not is_wide:
        return None
    top = float(np.max(np.asarray(image)))
    return max(top, 1.0) if top < PACKED_16 >> 8 else None


def to_plain(image: Image.Image, top: float | None) -> Image.Image:
    """Return an image as RGB, or RGBA if anything may be transparent.

    Args:
        top: the sample that becomes 255, see `find_top`.
    """
    if image.mode.startswith("I") or (image.mode == "F" and top is not None):
        return grey_to_plain(image, top)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        plain = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert plain is not None
        return plain
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if top is None:
        return plain
    levels = [min(255, round(level * 255 / top)) for level in range(256)]
    return plain.point(levels * len(plain.getbands()))


def grey_to_plain(image: Image.Image, top: float | None) -> Image.Image:
    # Pillow would clip 16 bits a level to 8.
    samples = np.asarray(image)
    if top is None:
        levels = np.clip(samples, 0, 65535) // 257
    else:
        levels = np.clip(np.nan_to_num(samples) * (255 / top), 0, 255)
    grey = Image.fromarray(levels.astype(np.uint8))
    if (transparent := image.info.get("transparency")) is None:
        return grey.convert("RGB")
    alpha = Image.fromarray(np.where(samples == transparent, 0, 255).astype(np.uint8))
    return Image.merge("RGBA", (grey, grey, grey, alpha))


def shrink(image: Image.Image, factor: int, top: float | None) -> Image.Image:
    """Return an image reduced by a factor, in strips: there is no memory for a second one."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    width, height = image.size
    shrunk = Image.new(mode, (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, STRIP_PIXELS // (width * factor))
    for y in range(0, height, rows):
        strip = image.crop((0, y, width, min(y + rows, height)))
        shrunk.paste(to_plain(strip, top).reduce(factor), (0, y // factor))
    return shrunk


def find_inked_frame(image: Image.Image, first: Image.Image) -> tuple[Image.Image, int]:
    """Return the first frame that is not blank, and its index; if all are, the first."""
    num_frames = min(MAX_FRAMES, MAX_FRAMES_PIXELS // (first.width * first.height))
    for index in range(1, num_frames):
        try:
            image.seek(index)
        except EOFError:
            break
        plain = to_plain(image, None)
        if has_ink(plain):
            return plain, index
    return first, 0


def has_ink(image: Image.Image) -> bool:
    pages = [composite(image, paper) for paper in ((0, 255) if image.mode == "RGBA" else (255,))]
    return any(np.ptp(np.asarray(page), axis=(0, 1)).max() >= MIN_CONTRAST for page in pages)


def composite(image: Image.Image, paper: int) -> Image.Image:
    if image.mode == "RGB":
        return image
    page = Image.new("RGBA", image.size, (paper, paper, paper))
    page.alpha_composite(image)
    return page.convert("RGB")

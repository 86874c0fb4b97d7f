"""Whatever a program wrote is decoded, or named; large pictures within bounds on memory."""

import io
import warnings
import zlib
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from flipsketch.media.raster import MAX_PIXELS, decode_raster

WIDTH, HEIGHT = 64, 48
BAR = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
BAR[8:16, 8:24] = 0


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def page(mode: str = "L", paper=255, pen=0, size=(WIDTH, HEIGHT)) -> Image.Image:
    """A page with a bar across its upper left quarter."""
    image = Image.new(mode, size, paper)
    width, height = size
    box = (width // 8, height // 6, width * 3 // 8 - 1, height // 3 - 1)
    ImageDraw.Draw(image).rectangle(box, fill=pen)
    return image


def decode(content: bytes, paper: int = 255, **options) -> np.ndarray:
    return np.asarray(decode_raster(content, **options).on(paper))


def samples(bits: int) -> np.ndarray:
    """The page as samples of so many bits."""
    return np.where(np.asarray(page()) > 0, (1 << bits) - 1, 0).astype(np.uint16)


def colours(bits: int, suffix: str, alpha: bool = False) -> bytes:
    bands = [samples(bits)] * 3 + [np.full_like(samples(bits), (1 << bits) - 1)] * alpha
    return cv2.imencode(suffix, np.dstack(bands))[1].tobytes()


@pytest.mark.parametrize(
    "content",
    [
        encode(page(), "AVIF", quality=100),
        encode(page("RGBA", (255, 255, 255, 0), "black"), "AVIF", quality=100),
        *(encode(Image.fromarray(samples(bits))) for bits in (10, 12, 14, 16)),
        *(encode(Image.fromarray(samples(bits)), "TIFF") for bits in (10, 12, 16)),
        *(colours(bits, suffix) for bits in (10, 12, 14, 16) for suffix in (".png", ".tiff")),
        colours(12, ".png", alpha=True),
        encode(Image.fromarray(samples(1).astype(np.float32)), "TIFF"),
        encode(Image.fromarray(samples(8).astype(np.float32)), "TIFF"),
        encode(page("LAB", (255, 128, 128), (0, 128, 128)), "TIFF"),
        encode(page("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "JPEG", quality=100),
        encode(page("LA", (0, 0), (0, 255)), "TIFF"),
    ],
)
def test_every_format_and_depth_gives_the_picture(content):
    assert np.abs(decode(content).astype(int) - BAR).max() <= 2


def test_samples_of_few_bits_are_left_where_asked_and_noted_where_not():
    content = encode(Image.fromarray(samples(12)))
    assert decode(content, rescale=False).max() == 4095 // 257
    (note,) = decode_raster(content).notes
    assert note == "spread samples of few bits: up to 4095"
    assert not decode_raster(encode(page())).notes


def test_what_is_transparent_takes_the_colour_of_the_page():
    content = encode(page("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)))
    assert np.array_equal(decode(content, paper=0), 255 - BAR)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation, turns", [(1, 0), (6, 3), (8, 1)])
def test_a_turned_picture_is_upright(format, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = np.rot90(BAR, -turns)
    content = encode(Image.fromarray(turned), format, exif=exif)
    assert np.abs(decode(content).astype(int) - BAR).max() < 100


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_with_ink_is_taken(format):
    blank = Image.new("L", (WIDTH, HEIGHT), 255)
    later = [blank.copy(), page(), Image.new("L", (WIDTH, HEIGHT), 0)]
    # Pillow's writers merge equal frames.
    later[0].putpixel((0, 0), 250)
    options = {"lossless": True} if format == "WEBP" else {}
    raster = decode_raster(encode(blank, format, save_all=True, append_images=later, **options))
    assert np.array_equal(raster.on(255), BAR)
    assert raster.notes == ("took a later frame, the first is blank: 2",)


def test_blank_frames_end_in_a_blank_picture():
    blank = [Image.new("L", (8, 8), 255 - index % 2) for index in range(200)]
    raster = decode_raster(encode(blank[0], "GIF", save_all=True, append_images=blank[1:]))
    assert np.asarray(raster.on(255)).min() >= 254 and not raster.notes


@pytest.mark.parametrize(
    "mode, paper, pen, format",
    [
        ("L", 255, 0, "JPEG"),
        ("1", 1, 0, "PNG"),
        pytest.param("P", 1, 0, "PNG", marks=pytest.mark.slow),
        pytest.param("I;16", 4095, 0, "PNG", marks=pytest.mark.slow),
        pytest.param("L", 255, 0, "WEBP", marks=pytest.mark.slow),
        pytest.param("1", 1, 0, "TIFF", marks=pytest.mark.slow),
    ],
)
def test_a_large_picture_is_shrunk_as_it_is_read(mode, paper, pen, format):
    image = page(mode, paper, pen, (5712, 4284))
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255])
    exif = Image.Exif()
    exif[0x0112] = 3
    options = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}}.get(format, {})
    raster = decode_raster(encode(image, format, exif=exif, **options))
    assert raster.image.width * raster.image.height <= MAX_PIXELS
    shown = raster.on(255).rotate(180).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    assert np.abs(np.asarray(shown).astype(int) - BAR).max() < 12


@pytest.mark.slow
def test_what_is_transparent_stays_so_in_a_large_picture():
    image = page("LA", (0, 0), (255, 255), (4800, 3600))
    raster = decode_raster(encode(image, compress_level=1))
    assert raster.image.getpixel((0, 0)) == (0, 0, 0, 0)
    assert raster.image.getpixel((600, 500)) == (255, 255, 255, 255)


@pytest.mark.parametrize("side", [11_600, 14_000, 60_000])
def test_a_decompression_bomb_is_an_error_of_ours_without_a_warning(side):
    header = encode(Image.new("1", (8, 8), 1))
    size = side.to_bytes(4) * 2
    content = with_header(header, size)
    with warnings.catch_warnings(record=True) as caught, pytest.raises(ValueError, match="pixels"):
        decode_raster(content)
    assert not caught


def with_header(png: bytes, size: bytes) -> bytes:
    """Return a PNG that claims another size."""
    header = b"IHDR" + size + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4) + png[33:]


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer.*git lfs"),
        (b"%PDF-1.7", "a PDF file; export"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"PK\3\4", "a ZIP archive"),
        (b'{"type": "excalidraw"}', "JSON"),
        (b"data:image/png;base64,iVBORw0KGgo=", "a data URI"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video"),
        (b"hello", "no image that can be read"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        decode_raster(content)


def test_a_heic_photo_needs_its_plugin():
    content = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf"
    # Where the plugin is installed, it finds that this is no more than a header.
    with pytest.raises(ValueError, match="pillow-heif|damaged|no image"):
        decode_raster(content)


@pytest.mark.skipif(find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
def test_a_heic_photo_is_read_where_its_plugin_is_installed():
    import pillow_heif

    pillow_heif.register_heif_opener()
    assert np.abs(decode(encode(page("RGB", "white", "black"), "HEIF")).astype(int) - BAR).max() < 9

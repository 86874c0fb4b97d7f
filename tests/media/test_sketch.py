"""Whatever holds a sketch, it comes out upright, whole, square, black on white, or as an error."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flipsketch.media.config import AS_IS
from flipsketch.media.sketch import load_sketch
from flipsketch.svg.reader import rasterize_svg

SIZE = 64
SVG = b'<svg viewBox="0 0 64 64"><path d="M8 32H56" stroke="black" stroke-width="4"/></svg>'


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def page(mode: str = "L", paper=255, pen=0, size=(SIZE, SIZE)) -> Image.Image:
    """A page with a bar across its upper left quarter."""
    image = Image.new(mode, size, paper)
    ImageDraw.Draw(image).rectangle((8, 8, 23, 15), fill=pen)
    return image


BAR = np.full((SIZE, SIZE, 3), 255, np.uint8)
BAR[8:16, 8:24] = 0


def palette_page() -> Image.Image:
    image = page("P", 0, 1)
    image.putpalette([0, 0, 0] * 2)
    return image


def grey16_page(paper: int) -> Image.Image:
    return Image.fromarray(np.where(np.asarray(page()) > 0, paper, 0).astype(np.uint16))


@pytest.mark.parametrize(
    "content",
    [
        encode(page()),
        encode(page("1", 1)),
        encode(page("RGB", "white", "black")),
        encode(page("LA", (0, 0), (0, 255))),
        encode(page("RGBA", (0, 0, 0, 0), (0, 0, 0, 255))),
        encode(page("L", 7, 0), transparency=7),
        encode(page("RGB", (7, 7, 7), (0, 0, 0)), transparency=(7, 7, 7)),
        encode(palette_page(), transparency=0),
        encode(palette_page(), transparency=bytes([0, 255])),
        encode(palette_page(), "GIF", transparency=0),
        encode(page("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)), "WEBP", lossless=True),
        encode(page("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "TIFF"),
        encode(page("RGB", "white", "black"), "BMP"),
        encode(page(), "PPM"),
        encode(grey16_page(65535)),
        encode(grey16_page(300), transparency=300),
        encode(grey16_page(65535), "TIFF"),
    ],
)
def test_every_format_and_transparency_gives_black_on_white(content):
    sketch = load_sketch(content, SIZE)
    assert sketch.dtype == np.uint8
    assert np.array_equal(sketch, BAR)


def test_half_transparent_ink_is_grey():
    content = encode(page("RGBA", (0, 0, 0, 0), (0, 0, 0, 102)))
    assert load_sketch(content, SIZE, config=AS_IS)[10, 10].tolist() == [153, 153, 153]


def test_a_grey_of_16_bits_keeps_its_level():
    sketch = load_sketch(encode(grey16_page(257 * 100)), SIZE, config=AS_IS)
    assert sketch[0, 0].tolist() == [100, 100, 100]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photo_is_turned_upright(orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = page("RGB", "white", "black")
    if orientation in undo:
        image = image.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(load_sketch(encode(image, exif=exif), SIZE), BAR)


def test_a_tall_page_is_centred_between_white_bars():
    image = page("L", 200, 0, (SIZE, 2 * SIZE))
    sketch = load_sketch(encode(image), SIZE, config=AS_IS)
    assert np.all(sketch[:, :16] == 255) and np.all(sketch[:, 48:] == 255)
    assert np.array_equal(sketch[32, 16:48], np.full((32, 3), 200))
    assert sketch[6, 24].tolist() == [0, 0, 0]


def test_a_small_page_is_enlarged_and_a_large_one_reduced():
    for factor in (1, 4):
        image = page().resize((32 * factor, 32 * factor), Image.Resampling.NEAREST)
        sketch = load_sketch(encode(image), SIZE)
        assert sketch.shape == (SIZE, SIZE, 3)
        assert sketch[12, 16].max() < 20 and sketch[24, 16].min() > 235


def test_the_content_decides_not_the_name(tmp_path):
    (tmp_path / "jpeg.png").write_bytes(encode(page(), "JPEG", quality=95))
    (tmp_path / "svg.jpg").write_bytes(SVG)
    (tmp_path / "noname").write_bytes(encode(page()))
    assert np.abs(load_sketch(tmp_path / "jpeg.png", SIZE) - BAR.astype(int)).max() < 40
    assert np.array_equal(load_sketch(tmp_path / "svg.jpg", SIZE), rasterize_svg(SVG, SIZE))
    assert np.array_equal(load_sketch(str(tmp_path / "noname"), SIZE), BAR)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf\n" + SVG, SVG.decode().encode("utf-16")])
def test_an_svg_may_open_with_a_byte_order_mark(content):
    assert np.array_equal(load_sketch(content, SIZE), rasterize_svg(SVG, SIZE))


def test_the_first_frame_of_a_gif_is_the_sketch():
    later = [Image.new("L", (SIZE, SIZE), 0)]
    content = encode(page(), "GIF", save_all=True, append_images=later)
    assert np.array_equal(load_sketch(content, SIZE), BAR)


def test_transparent_black_on_transparent_black_is_blank():
    with pytest.raises(ValueError, match="blank"):
        load_sketch(encode(page("RGBA", (0, 0, 0, 0), (0, 0, 0, 0))), SIZE)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(SIZE, SIZE), (SIZE, 20)])
def test_a_blank_page_is_refused(level, size):
    with pytest.raises(ValueError, match="blank"):
        load_sketch(encode(Image.new("L", size, level)), SIZE)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "empty"),
        (b"hello", "no image"),
        (b"\x1f\x8bzzz", "gzip"),
        (b"<html></html>", "HTML page"),
        (encode(page())[:-30], "cut short"),
        (encode(page())[:60], "cut short"),
        (encode(page(), "JPEG")[:-60], "cut short"),
        (encode(page(), "JPEG")[:-20], "cut short"),
        (encode(page("RGBA"), "ICO"), "an icon file"),
        (bytes((64 << 20) + 1), "67,108,864 bytes"),
    ],
)
def test_what_is_no_sketch_is_refused(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        load_sketch(content, SIZE)


def test_an_error_names_the_file(tmp_path):
    for name, content in (("blank.png", encode(Image.new("L", (9, 9)))), ("cat.svg", SVG[:-1])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_sketch(tmp_path / name, SIZE)


def test_a_missing_file_and_a_folder_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.svg"):
        load_sketch(tmp_path / "missing.svg", SIZE)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        load_sketch(tmp_path, SIZE)


def thin_lines(width: float) -> bytes:
    """Two lines that cross."""
    path = '<path d="M8 20.5H56M30.5 8V56" stroke="black" fill="none" stroke-width="%s"/>'
    return f'<svg viewBox="0 0 64 64">{path % width}</svg>'.encode()


def test_thin_strokes_are_darkened_to_black_where_asked():
    pale, dark = (load_sketch(thin_lines(0.4), SIZE, darken=darken) for darken in (False, True))
    assert pale[20, 10:20].min() > 140
    assert dark[20, 10:20].max() == 0, "along a line"
    assert np.array_equal(pale == 255, dark == 255), "no ink where there was none"


def test_strokes_that_are_black_are_as_they_were():
    for content in (SVG, encode(page())):
        assert np.array_equal(load_sketch(content, SIZE, darken=True), load_sketch(content, SIZE))


def test_paper_that_is_not_white_is_not_darkened():
    image = Image.new("L", (256, 256), 225)
    ImageDraw.Draw(image).line((20, 128, 236, 128), fill=40, width=2)
    content = encode(image)
    shown = [load_sketch(content, SIZE, darken=dark, config=AS_IS) for dark in (False, True)]
    assert np.array_equal(*shown)


def test_darkening_keeps_what_is_pale_beside_black_strokes():
    image = page()
    ImageDraw.Draw(image).rectangle((8, 32, 40, 50), fill=200)
    sketch = load_sketch(encode(image), SIZE, darken=True)
    assert sketch[40, 20, 0] == 200

"""Drawings in pixels, as phones, scanners and other programs write them, are read as clean ones."""

import io

import numpy as np
import pytest
from PIL import Image

from flipsketch.media.config import REPAIR
from flipsketch.media.sketch import load_sketch, read_sketch
from flipsketch.svg.reader import rasterize_svg

SIZE = 64
HILL = b'<svg viewBox="0 0 64 64"><path d="M8 48C20 8 44 8 56 48H8" fill="none" stroke="#000" \
stroke-width="4"/></svg>'


def grey(size: int = SIZE) -> np.ndarray:
    return rasterize_svg(HILL, size)[..., 0]


def encode(levels: np.ndarray, kind: str = "png", **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(levels).save(content, kind, **options)
    return content.getvalue()


def on_paper(paper: tuple[int, ...], ink: tuple[int, ...]) -> bytes:
    share = grey()[..., None] / 255
    return encode((share * paper + (1 - share) * ink).round().astype(np.uint8))


def draw_24_megapixels() -> bytes:
    content = io.BytesIO()
    drawing = Image.fromarray(grey(512)).resize((4_896, 4_896))
    drawing.convert("1").save(content, "png", compress_level=1)
    return content.getvalue()


def animate() -> bytes:
    content = io.BytesIO()
    blank, drawing = Image.new("L", (SIZE, SIZE), 255), Image.fromarray(grey())
    blank.save(content, "gif", save_all=True, append_images=[drawing])
    return content.getvalue()


RASTERS = {
    "12 bits in 16": lambda: encode(grey().astype(np.uint16) * 16),
    "AVIF": lambda: encode(np.repeat(grey()[..., None], 3, 2), "avif", quality=100),
    "a blank frame before the drawing": animate,
    "blueprint": lambda: on_paper((20, 50, 140), (240, 245, 255)),
    "faint pencil": lambda: on_paper((250, 250, 250), (225, 225, 225)),
    "grey paper": lambda: on_paper((190, 190, 190), (70, 70, 70)),
    "white on black": lambda: encode(255 - grey()),
    "yellow paper": lambda: on_paper((216, 200, 160), (60, 50, 40)),
}


@pytest.mark.parametrize(
    "draw",
    [
        *(pytest.param(draw, id=kind) for kind, draw in sorted(RASTERS.items())),
        pytest.param(draw_24_megapixels, marks=pytest.mark.slow),
    ],
)
def test_a_drawing_in_pixels_is_read_as_a_clean_one(draw):
    drawn = read_sketch(draw(), SIZE, REPAIR).pixels.min(axis=2) < 128
    expected = grey() < 128
    assert (drawn & expected).sum() / (drawn | expected).sum() > 0.9


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS"),
    ],
)
def test_what_is_saved_under_the_name_of_a_picture_is_called_by_its_own(content, name):
    with pytest.raises(ValueError, match=name):
        load_sketch(content, SIZE)

"""A drawing that is small on its page is enlarged where asked, and otherwise told of."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flipsketch.media.config import FIT_MARGIN, SketchConfig
from flipsketch.media.sketch import read_sketch

SIZE = 64
FIT = SketchConfig(fit="ink")


def encode(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def small_svg(stroke="#000", page="") -> bytes:
    return (
        f'<svg viewBox="0 0 1000 1000">{page}<path d="M20 30H80V70" stroke="{stroke}" fill="none" '
        'stroke-width="4"/></svg>'
    ).encode()


def small_raster() -> bytes:
    image = Image.new("L", (1000, 1000), 255)
    ImageDraw.Draw(image).line([(20, 30), (80, 30), (80, 70)], fill=0, width=4)
    return encode(image)


@pytest.mark.parametrize(
    "content",
    [
        small_svg(),
        small_svg("#fff"),
        small_svg("#fff", '<rect width="1000" height="1000" fill="#000"/>'),
        small_raster(),
    ],
)
def test_a_crop_shows_the_ink_and_a_margin(content):
    rows, columns = np.nonzero(read_sketch(content, SIZE, FIT).pixels[..., 0] < 128)
    margin = SIZE * FIT_MARGIN / (1 + 2 * FIT_MARGIN)
    assert abs(columns.min() - margin) < 2 and abs(SIZE - 1 - columns.max() - margin) < 2
    assert np.ptp(rows) == pytest.approx(np.ptp(columns) * 42 / 62, abs=3), "aspect kept"


def test_a_small_drawing_is_told_of():
    for content in (small_svg(), small_raster()):
        (note,) = read_sketch(content, 256).notes
        assert note.startswith(("the drawing is small: 6%", "the drawing is small: 7%"))
        assert not read_sketch(content, 256, FIT).notes


@pytest.mark.parametrize(
    "level, box, note",
    [(0, (4, 4, 60, 60), "more ink than paper: 79%"), (210, (20, 20, 44, 44), "faint: 45 of")],
)
def test_a_silhouette_and_a_pale_shape_are_told_of_and_kept(level, box, note):
    image = Image.new("L", (SIZE, SIZE), 255)
    ImageDraw.Draw(image).rectangle(box, fill=level)
    reading = read_sketch(encode(image), SIZE)
    assert len(reading.notes) == 1 and note in reading.notes[0]
    assert np.array_equal(reading.pixels[..., 0], np.asarray(image))

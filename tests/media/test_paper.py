"""What people photograph, scan or draw light on dark comes out as dark ink on white; what is that
already keeps every pixel."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flipsketch.media.config import AS_IS, SketchConfig
from flipsketch.media.paper import is_clean, is_surely_clean
from flipsketch.media.sketch import read_sketch
from tests.helpers.photos import PHOTOS, Photo

SKETCHES = sorted(Path("data/sketches").resolve().iterdir())
SIZE = 128
REFUSE = SketchConfig(paper="refuse")


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def draw(path: Path, size: int) -> np.ndarray:
    return read_sketch(path.read_bytes(), size, AS_IS).pixels


def reduced(sketch: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(sketch).resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def agreement(found: np.ndarray, sketch: np.ndarray) -> float:
    """Return the intersection over union of two sketches' ink."""
    one, other = (pixels.mean(axis=-1) < 128 for pixels in (found, sketch))
    return float((one & other).sum() / (one | other).sum())


def repair_all(paths: list[Path], photos: dict[str, Photo], side: int) -> dict[str, float]:
    scores = {}
    for path in paths:
        sketch = draw(path, side)
        for seed, (name, photo) in enumerate(photos.items()):
            found = read_sketch(photo.take(sketch, seed), SIZE).pixels
            scores[f"{path.stem}: {name}"] = agreement(found, reduced(sketch))
    return scores


def test_the_ink_of_a_photo_is_that_of_the_drawing():
    some = dict(list(PHOTOS.items())[3::3])
    scores = repair_all([SKETCHES[7]], some, 256)
    assert min(scores.values()) > 0.8, scores


@pytest.mark.slow
@pytest.mark.parametrize("side", [96, 128, 256, 1024])
def test_the_ink_of_most_photos_is_that_of_the_drawing(side):
    # Of large photos fewer: all of them took minutes, and 10 GB.
    scores = repair_all(SKETCHES[::4] if side > 256 else SKETCHES, PHOTOS, side)
    poor = {name: score for name, score in scores.items() if score <= 0.8}
    assert len(poor) < 0.05 * len(scores), poor


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if index % 5 else [])
        for index, path in enumerate(SKETCHES)
    ],
)
def test_a_clean_drawing_keeps_every_pixel(path):
    for content in (path.read_bytes(), encode(Image.fromarray(draw(path, 200)), "JPEG")):
        kept, usual = (read_sketch(content, SIZE, config) for config in (AS_IS, REFUSE))
        assert np.array_equal(usual.pixels, kept.pixels)


def page(colour="white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (256, 256), colour)
    return image, ImageDraw.Draw(image)


def hatched() -> Image.Image:
    image, pen = page()
    for x in range(0, 512, 5):
        pen.line((x, 0, x - 256, 256), fill=0, width=2)
    return image


def mostly_black() -> Image.Image:
    image, pen = page()
    pen.rectangle((0, 60, 255, 255), fill=0)
    pen.ellipse((80, 90, 160, 170), fill="white")
    return image


def shaded() -> Image.Image:
    image, pen = page()
    pen.ellipse((60, 60, 200, 200), fill=(200, 200, 200), outline=0, width=3)
    pen.rectangle((0, 220, 255, 255), fill=(225, 225, 225))
    return image


def coloured() -> Image.Image:
    image, pen = page()
    pen.ellipse((8, 8, 247, 247), fill=(255, 204, 77))
    pen.ellipse((70, 80, 100, 120), fill=(102, 69, 0))
    return image


def pale_shape() -> Image.Image:
    image, pen = page()
    pen.ellipse((40, 70, 215, 185), fill=(225, 232, 237))
    return image


def hairlines() -> Image.Image:
    large = Image.new("RGB", (1024, 1024), "white")
    pen = ImageDraw.Draw(large)
    for y in range(100, 1000, 150):
        pen.line((60, y, 960, 1024 - y), fill=0, width=1)
    return large.resize((256, 256), Image.Resampling.BOX)


def full_bleed_shape() -> Image.Image:
    image, pen = page()
    pen.polygon([(0, 0), (255, 0), (255, 255), (120, 90)], fill=0)
    return image


@pytest.mark.parametrize(
    "make",
    [hatched, mostly_black, shaded, coloured, pale_shape, hairlines, full_bleed_shape],
)
def test_what_only_looks_unclean_keeps_every_pixel(make):
    content = encode(make())
    kept, found = (read_sketch(content, SIZE, config) for config in (AS_IS, REFUSE))
    assert np.array_equal(found.pixels, kept.pixels)


@pytest.mark.parametrize(
    "paper, pen, kind",
    [
        ((250, 240, 190), (20, 20, 20), "whitened the paper: (250, 240, 190)"),
        ((0, 0, 0), (255, 255, 255), "turned light strokes dark: on (0, 0, 0)"),
        ((255, 255, 255), (225, 225, 225), "darkened faint strokes: 30 of 255 levels"),
    ],
)
def test_what_was_done_is_noted_or_refused(paper, pen, kind):
    content = Photo(paper, pen).take(draw(SKETCHES[7], 256), 0)
    assert read_sketch(content, SIZE).notes == (kind,)
    with pytest.raises(ValueError, match="not dark ink on white.*" + kind.split(":")[0]):
        read_sketch(content, SIZE, REFUSE)
    assert not read_sketch(content, SIZE, AS_IS).notes


@pytest.mark.parametrize("size", [64, 128])
def test_grey_strokes_are_told_from_black_hairlines(size):
    grey, hairline = (
        draw_svg(svg("#000"), size, width) for width in (1.5 * 64 / size, 0.2 * 64 / size)
    )
    pencil = Photo(pen=(170, 170, 170)).take(grey, 0)
    assert agreement(read_sketch(pencil, size).pixels, grey) > 0.9
    content = encode(Image.fromarray(hairline))
    assert np.array_equal(read_sketch(content, size, REFUSE).pixels, hairline)


def test_a_flat_page_is_repaired_without_a_trace():
    sketch = draw(SKETCHES[7], SIZE)
    negative = encode(Image.fromarray(255 - sketch))
    assert np.abs(read_sketch(negative, SIZE).pixels.astype(int) - sketch).max() < 40


LINES = '<path d="M8 8L56 40M8 50C20 20 40 20 56 56" stroke="%s" fill="none" stroke-width="3"/>'


def svg(stroke: str, below: str = "") -> bytes:
    return f'<svg viewBox="0 0 64 64">{below}{LINES % stroke}</svg>'.encode()


def draw_svg(content: bytes, size: int, width: float) -> np.ndarray:
    thin = content.replace(b'stroke-width="3"', b'stroke-width="%g"' % width)
    return read_sketch(thin, size, AS_IS).pixels


def test_white_strokes_on_a_transparent_page_are_black_ones():
    black, white = svg("#000"), svg("#fff")
    found = read_sketch(white, SIZE)
    assert np.abs(found.pixels.astype(int) - read_sketch(black, SIZE).pixels).max() <= 1
    assert found.notes == ("turned light strokes dark: on no paper",)
    alpha = Image.fromarray(255 - read_sketch(black, SIZE).pixels).convert("L")
    image = Image.merge("LA", (Image.new("L", alpha.size, 255), alpha))
    found = read_sketch(encode(image), SIZE)
    assert np.abs(found.pixels.astype(int) - read_sketch(black, SIZE).pixels).max() <= 1


@pytest.mark.parametrize("paper, stroke", [("#000", "#fff"), ("#fe9", "#123"), ("#fff", "#ddd")])
def test_the_paper_of_an_svg_is_repaired_too(paper, stroke):
    content = svg(stroke, f'<rect width="64" height="64" fill="{paper}"/>')
    assert agreement(read_sketch(content, SIZE).pixels, read_sketch(svg("#000"), SIZE).pixels) > 0.9


GREY_ICONS = [
    '<path d="M2 14H26L32 20H62V56H2Z" fill="%s"/>',
    '<path d="M0 0H64V64H0ZM8 8V56H56V8Z" fill="%s" fill-rule="evenodd"/>',
    '<path d="M8 10H56V54H8ZM20 10V54" stroke="%s" fill="none" stroke-width="3"/>',
]


@pytest.mark.parametrize("grey", [pytest.param("#808080", marks=pytest.mark.slow), "#bebebe"])
@pytest.mark.parametrize("icon", GREY_ICONS)
def test_an_icon_in_one_grey_has_no_shadow(icon, grey):
    content = f'<svg viewBox="0 0 64 64">{icon % grey}</svg>'.encode()
    picture = encode(Image.fromarray(draw_svg(content, SIZE, 3)))
    for found in (read_sketch(content, SIZE), read_sketch(picture, SIZE)):
        is_stroked = "stroke" in icon
        assert [note.split(":")[0] for note in found.notes] == [
            "darkened faint strokes"
        ] * is_stroked
        assert found.pixels.max() == 255
        assert found.pixels.min() == (0 if is_stroked else int(grey[1:3], 16))


def test_paper_that_is_nearly_white_is_whitened_in_spite_of_noise():
    for noise in (3, 8):
        photo = Photo((245, 245, 245), noise=noise, jpeg=85).take(draw(SKETCHES[7], 256), 0)
        assert np.median(read_sketch(photo, SIZE).pixels) == 255


def test_strokes_too_thin_to_be_seen_are_widened():
    content = svg("#000").replace(b'stroke-width="3"', b'stroke-width="0.02"')
    with pytest.raises(ValueError, match="blank"):
        read_sketch(content, SIZE, AS_IS)
    assert "widened strokes that were too thin to be seen" in read_sketch(content, SIZE).notes


def test_a_photo_of_anything_else_is_refused_with_its_figures():
    random = np.random.default_rng(0)
    blobs = random.integers(0, 255, (12, 12, 3), dtype=np.uint8)
    photo = Image.fromarray(blobs).resize((256, 256), Image.Resampling.BICUBIC)
    with pytest.raises(ValueError, match=r"no drawing on paper but a photo.* vary by \d+%"):
        read_sketch(encode(photo), SIZE)


def test_an_svg_is_no_photo_whatever_it_shows():
    random = np.random.default_rng(0)
    tiles = "".join(
        f'<path d="M{x} {y}h8v8h-8z" fill="#{random.integers(1 << 24):06x}"/>'
        for x in range(0, 64, 8)
        for y in range(0, 64, 8)
    )
    content = f'<svg viewBox="0 0 64 64">{tiles}</svg>'.encode()
    found = read_sketch(content, SIZE)
    assert np.array_equal(found.pixels, read_sketch(content, SIZE, AS_IS).pixels)
    assert found.notes[0].startswith("left a coloured picture as it is")


def test_shadows_are_told_from_shades():
    shadow = Photo(shadow=0.5, soft_edge=True).take(draw(SKETCHES[7], 256), 2)
    assert not is_clean(Image.open(io.BytesIO(shadow)).convert("RGB"))
    assert is_clean(shaded())


@pytest.mark.parametrize("level", [0, 100, 140, 235])
@pytest.mark.parametrize("sides", [(1, 62), (20, 26), (30, 31)])
def test_what_is_clean_at_a_glance_is_clean(level, sides):
    first, last = sides
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[first : last + 1, first : last + 1] = level
    if is_surely_clean(pixels):
        assert level == 0 or is_clean(Image.fromarray(pixels))
    else:
        assert level > 100 or sides != (20, 26)


def inked(paper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a drawing, and a noisy photo of it on paper (256, 256, 3) whose levels go to 1."""
    sketch = draw(SKETCHES[7], 256)
    noise = np.random.default_rng(0).normal(0, 3, sketch.shape)
    return sketch, (paper * np.maximum(sketch, 30) + noise).clip(0, 255).astype(np.uint8)


def test_ink_is_taken_from_a_shadow_with_a_hard_edge():
    paper = np.full((256, 256, 3), 0.8)
    paper[:, :118] *= 0.45
    sketch, photo = inked(paper)
    found = read_sketch(encode(Image.fromarray(photo)), SIZE)
    assert agreement(found.pixels, reduced(sketch)) > 0.8
    assert any(note.startswith("evened out a shadow with an edge") for note in found.notes)


@pytest.mark.parametrize("angle", [0, 12])
def test_a_sheet_on_a_desk_is_cropped(angle):
    sketch, photo = inked(np.full((256, 256, 3), (0.85, 0.8, 0.7)))
    desk = Image.new("RGB", (420, 420), (90, 60, 40))
    sheet = Image.fromarray(photo).convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, True)
    desk.paste(sheet, (60, 50), sheet)
    found = read_sketch(encode(desk), SIZE)
    assert agreement(found.pixels, reduced(sketch)) > 0.5
    assert found.notes[0].startswith("cropped to the sheet of paper")


def test_noise_is_refused_and_grain_smoothed():
    random = np.random.default_rng(0)
    noise = random.integers(0, 255, (300, 300, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="nothing but noise"):
        read_sketch(encode(Image.fromarray(noise)), SIZE)
    sketch = draw(SKETCHES[7], 768)
    grain = 0.6 * np.maximum(sketch, 60) + random.normal(0, 25, (768, 768, 1))
    photo = encode(Image.fromarray(grain.clip(0, 255).astype(np.uint8)))
    found = read_sketch(photo, SIZE)
    assert agreement(found.pixels, reduced(sketch)) > 0.7
    assert any(note.startswith("smoothed a noisy photo") for note in found.notes)

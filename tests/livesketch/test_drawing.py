"""What a sketch's file is to Live-Sketch: strokes, or a picture to be traced."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flipsketch.livesketch.drawing import read_drawing
from flipsketch.livesketch.vector import draw_vector, read_vector
from flipsketch.media.config import SketchConfig
from flipsketch.scoring.ink import ink, ink_iou
from flipsketch.svg.reader import rasterize_svg
from tests.helpers.corpora import SKETCHES

LINE = b'<path d="M10 10H60V50Z" fill="none" stroke="#000" stroke-width="3"/></svg>'
ZIGZAG = '<path d="M30 30L160 40L90 120" fill="none" stroke="#000" stroke-width="5"/>'
COLOURED = b'<svg viewBox="0 0 90 60"><path d="M10 10H60V50Z" fill="#fc0"/>' + LINE


def test_strokes_are_read_as_they_are_also_where_others_would_be_traced():
    svg = (SKETCHES / "fish.svg").read_bytes()
    expected = read_vector(svg).points
    for trace in (False, True):
        np.testing.assert_array_equal(read_drawing(svg, trace=trace)[0].points, expected)


def test_a_picture_is_traced_only_if_that_is_asked_for():
    svg = (SKETCHES / "fish.svg").read_bytes()
    out = io.BytesIO()
    Image.fromarray(rasterize_svg(svg, 256)).crop((0, 32, 256, 224)).save(out, "PNG")
    with pytest.raises(ValueError, match="raster picture.*--trace"):
        read_drawing(out.getvalue())
    drawing, _ = read_drawing(out.getvalue(), trace=True)
    assert drawing.canvas[2:] == (256, 192)
    drawn = draw_vector(drawing, drawing.points, 256)
    assert ink_iou(ink(drawn), ink(rasterize_svg(svg, 256))) > 0.7


def test_other_paint_is_traced_only_if_that_is_asked_for():
    with pytest.raises(ValueError, match="fill #ffcc00.*--trace, or by true in a column trace"):
        read_drawing(COLOURED)
    below = b'<svg viewBox="0 0 90 60">' + LINE
    hidden = below.replace(b"</svg>", b'<path d="M9 9H80V50Z" fill="#fff"/></svg>')
    with pytest.raises(ValueError, match="white fill.*--trace, or by true in a column trace"):
        read_drawing(hidden)
    drawing, _ = read_drawing(COLOURED, trace=True)
    drawn = draw_vector(drawing, drawing.points, 256)
    line = rasterize_svg(b'<svg viewBox="0 0 90 60">' + LINE, 256)
    assert ink_iou(ink(drawn), ink(line)) > 0.7


def test_what_is_traced_is_repaired_first():
    chalk = io.BytesIO()
    board = Image.new("RGB", (200, 150), (20, 50, 40))
    ImageDraw.Draw(board).line([(30, 30), (160, 40), (90, 120)], (230, 230, 220), 5)
    board.save(chalk, "PNG")
    # Paper of two colours, one of which is no sheet that could be taken off.
    yellow = (
        f'<svg viewBox="0 0 200 150"><rect width="200" height="150" fill="#fe9"/>'
        f'<rect width="100" height="150" fill="#fd8"/>{ZIGZAG}</svg>'
    )
    clean = f'<svg viewBox="0 0 200 150">{ZIGZAG}</svg>'.encode()
    drawing, (note,) = read_drawing(chalk.getvalue(), trace=True)
    assert note.startswith("turned light strokes dark: ")
    drawn = draw_vector(drawing, drawing.points, 256)
    assert ink_iou(ink(drawn), ink(rasterize_svg(clean, 256))) > 0.7
    cropped, (note,) = read_drawing(yellow.encode(), SketchConfig(fit="ink"), trace=True)
    assert note.startswith("whitened the paper: ") and cropped.canvas[:2] > (99, 99)
    for content in (chalk.getvalue(), yellow.encode()):
        with pytest.raises(ValueError, match="--paper repair would have"):
            read_drawing(content, SketchConfig("refuse"), trace=True)


def test_what_cannot_be_read_is_not_traced_either():
    for content in (b"<svg viewBox='0 0 9 9'><image href='/etc/passwd'/></svg>", b"no picture"):
        with pytest.raises(ValueError, match="image"):
            read_drawing(content, trace=True)

"""Drawings in strokes on paper that is not white, and on pages that are too large for them."""

import numpy as np
import pytest

from flipsketch.livesketch.drawing import draw_strokes, read_drawing
from flipsketch.livesketch.vector import read_vector, write_vector
from flipsketch.media.config import AS_IS, REPAIR, SketchConfig

REFUSE, FIT = SketchConfig(paper="refuse"), SketchConfig(fit="ink")
LINES = '<path d="M20 30C40 5 60 5 80 70M20 70L70 80" fill="none" stroke="{}" stroke-width="4"/>'
PAGE = '<rect width="100" height="100" fill="{}"/>'


def svg(*body: str, box: str = "0 0 100 100", style: str = "") -> bytes:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" style="{style}">'
    return f"{opening}{''.join(body)}</svg>".encode()


BLACK = svg(LINES.format("black"))
UNCLEAN = {
    "chalk": (svg(PAGE.format("#000"), LINES.format("#fff")), "turned light strokes dark"),
    "board": (svg(PAGE.format("#123"), LINES.format("#eda")), "turned light strokes dark"),
    "dark page": (svg(LINES.format("white"), style="background:#000"), "turned light strokes dark"),
    "no paper": (svg(LINES.format("white")), "turned light strokes dark"),
    "yellow": (svg(PAGE.format("#fea"), LINES.format("#000")), "whitened the paper"),
    "two sheets": (
        svg(PAGE.format("#fff"), PAGE.format("#ccc"), LINES.format("#000")),
        "whitened the paper",
    ),
    "pencil": (svg(LINES.format("#c0c0c0")), "darkened faint strokes"),
}


def draw(content: bytes, config: SketchConfig) -> np.ndarray:
    drawing, _ = read_drawing(content, config)
    return draw_strokes(drawing, drawing.points, 100)


@pytest.mark.parametrize("name", UNCLEAN)
def test_paper_is_taken_off_and_ink_is_dark(name):
    content, kind = UNCLEAN[name]
    drawing, notes = read_drawing(content, REPAIR)
    assert [note.partition(":")[0] for note in notes] == [kind]
    found, expected = draw(content, REPAIR) < 128, draw(BLACK, AS_IS) < 128
    assert (found & expected).sum() / (found | expected).sum() > 0.9
    with pytest.raises(ValueError, match=f"--paper repair would have {kind}"):
        read_drawing(content, REFUSE)


@pytest.mark.parametrize(
    "content",
    [
        BLACK,
        svg(PAGE.format("#fff"), LINES.format("#000")),
        svg(LINES.format("#00f"), '<rect x="5" y="5" width="20" height="90" fill="#000"/>'),
    ],
)
def test_a_clean_drawing_stays_as_it_is(content):
    expected = write_vector(drawing := read_drawing(content, AS_IS)[0], drawing.points)
    for config in (REPAIR, REFUSE):
        drawing, notes = read_drawing(content, config)
        assert notes == () and write_vector(drawing, drawing.points) == expected


def test_a_drawing_is_cropped_to_its_ink_and_a_margin():
    small = svg(LINES.format("#000"), box="-400 -100 900 1000")
    drawing, _ = read_drawing(small, FIT)
    shown = draw_strokes(drawing, drawing.points, 100)
    rows, columns = (np.flatnonzero((shown < 128).any(axis=(axis, 2))) for axis in (1, 0))
    span = max(np.ptp(rows), np.ptp(columns)) + 1
    assert 84 <= span <= 94 and abs(rows[0] + rows[-1] - 99) <= 3
    # The clip's frames are SVGs of the same page.
    again = read_vector(write_vector(drawing, drawing.points))
    assert again.canvas == pytest.approx(drawing.canvas)
    np.testing.assert_allclose(again.points, drawing.points, atol=1e-4)
    stroke_width = drawing.shapes[0].stroke_width * drawing.side
    assert stroke_width == pytest.approx(4)


def test_dashes_are_in_the_units_of_the_page():
    dashed = (
        '<g transform="scale(2)"><path d="M5 25H45" fill="none" stroke="#000" '
        'stroke-dasharray="3 2" stroke-dashoffset="1"/></g>'
    )
    drawing, _ = read_drawing(svg(dashed), REPAIR)
    paint = drawing.shapes[0].paint
    assert (paint["stroke-dasharray"], paint["stroke-dashoffset"]) == ("6 4", 2.0)
    again = read_vector(write_vector(drawing, drawing.points))
    np.testing.assert_array_equal(
        draw_strokes(again, again.points, 100), draw_strokes(drawing, drawing.points, 100)
    )

"""Dashes, dots and pens are those of SVG where cairo's own are not."""

import numpy as np
import pytest

from flipsketch.svg.reader import read_svg

LINE = '<path d="M8 32H56" stroke="#000" stroke-width="{}" {}/>'


def draw(body: str) -> np.ndarray:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{body}</svg>'
    return read_svg(svg.encode(), 64).draw()


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (LINE.format(4, 'stroke-dasharray="8"'), "M8 30h8v4h-8zM24 30h8v4h-8zM40 30h8v4h-8z"),
        (
            LINE.format(4, 'stroke-dasharray="8 16" stroke-dashoffset="-8"'),
            "M16 30h8v4h-8zM40 30h8v4h-8z",
        ),
        # Of 6 parts in all, as the path says.
        (LINE.format(4, 'pathLength="6" stroke-dasharray="1 2"'), "M8 30h8v4h-8zM32 30h8v4h-8z"),
        (LINE.replace("H56", "h0").format(16, 'stroke-linecap="square"'), "M0 24h16v16h-16z"),
        (LINE.replace("H56", "z").format(16, 'stroke-linecap="square"'), "M0 24h16v16h-16z"),
        (
            '<path transform="scale(8 2)" d="M1 16H7" stroke="#000" stroke-width="4" '
            'vector-effect="non-scaling-stroke"/>',
            "M8 30H56V34H8z",
        ),
    ],
)
def test_a_stroke_covers_what_svg_says(body, plain):
    difference = np.abs(draw(body).astype(int) - draw(f'<path d="{plain}"/>'))
    assert difference.mean() < 0.2


def test_paint_order_lays_the_fill_on_the_stroke():
    square = '<path d="M16 16H48V48H16z" fill="#fff" stroke="#000" stroke-width="8" {}/>'
    over, under = draw(square.format("")), draw(square.format('paint-order="stroke"'))
    assert over[18, 32, 0] == 0 and under[18, 32, 0] == 255 and under[14, 32, 0] == 0

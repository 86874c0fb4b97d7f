"""Layers, clips, masks, gradients and patterns show what SVG says, on any paper."""

import numpy as np
import pytest

from flipsketch.svg.reader import read_svg

SIZE = 64
WHOLE = '<rect width="64" height="64" {}/>'


def draw(body: str, paper: int = 255, line_width: float | None = None) -> np.ndarray:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{body}</svg>'
    return read_svg(svg.encode(), SIZE).draw(paper, line_width)


def same(body: str, plain: str) -> bool:
    """Tell whether two bodies are drawn alike, but for rounding at edges."""
    difference = np.abs(draw(body).astype(int) - draw(plain))
    return bool(difference.mean() < 0.2)


RING = '<path d="M8 8H56V56H8ZM24 24H40V40H24Z" fill-rule="evenodd"/>'


@pytest.mark.parametrize(
    "clip",
    [
        '<path clip-rule="evenodd" d="M8 8H56V56H8ZM24 24H40V40H24Z"/>',
        # A union of four, and one that is cut by another.
        '<path d="M8 8H24V56H8ZM40 8H56V56H40Z"/><path d="M8 8H56V24H8Z"/>'
        '<path d="M8 40H56V56H8Z"/>',
        '<g/><rect x="8" y="8" width="48" height="48" clip-path="url(#hole)"/>',
        '<path transform="scale(8)" clip-rule="evenodd" d="M1 1H7V7H1ZM3 3H5V5H3Z"/>',
    ],
)
def test_a_clip_keeps_the_union_of_what_its_shapes_cover(clip):
    hole = '<clipPath id="hole"><path clip-rule="evenodd" d="M0 0H64V64H0ZM24 24H40V40H24Z"/>'
    definition = f'{hole}</clipPath><clipPath id="a">{clip}</clipPath>'
    assert same(definition + WHOLE.format('clip-path="url(#a)"'), RING)


def test_a_mask_lets_through_as_much_as_it_is_light_times_opaque():
    white = WHOLE.format('fill="#fff"')
    contents = {
        WHOLE.format('fill="#808080"'): 127,
        WHOLE.format('fill="#fff" fill-opacity=".5"'): 127,
        f'<g opacity=".5">{white}{white}</g>': 127,
        WHOLE.format('fill="red"'): 255 * (1 - 0.2125),
    }
    for content, expected in contents.items():
        drawn = draw(f'<mask id="a">{content}</mask>' + WHOLE.format('mask="url(#a)"'))
        assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_a_translucent_group_in_a_mask_in_a_clip_is_each_of_them():
    body = (
        '<clipPath id="c"><rect width="32" height="64"/></clipPath>'
        '<mask id="m"><rect width="64" height="64" fill="#808080"/></mask>'
        '<g clip-path="url(#c)"><g mask="url(#m)"><g opacity=".5">'
        f"{WHOLE.format('')}{RING}</g></g></g>"
    )
    drawn = draw(body)
    assert np.abs(drawn[:, :32].astype(int) - 191).max() <= 1 and (drawn[:, 32:] == 255).all()


def test_a_pattern_is_repeated_behind_its_transform_and_opacity():
    pattern = (
        '<pattern id="a" width="8" height="64" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(90)"><rect width="4" height="64"/></pattern>'
    )
    bars = "".join(f'<rect y="{y}" width="64" height="4" opacity=".5"/>' for y in range(0, 64, 8))
    assert same(pattern + WHOLE.format('fill="url(#a)" opacity=".5"'), bars)


def test_a_gradient_on_a_stroke_lies_along_its_outline():
    gradient = (
        '<linearGradient id="a" gradientUnits="userSpaceOnUse" x1="0" x2="64">'
        '<stop offset=".5"/><stop offset=".5" stop-color="#fff"/></linearGradient>'
    )
    line = '<path d="M8 32H56" stroke-width="8" stroke="{}"/>'
    assert same(gradient + line.format("url(#a)"), line.replace("H56", "H32").format("#000"))


def test_light_strokes_show_on_black_paper():
    body = '<g opacity=".5"><path d="M8 32H56" stroke="#fff" stroke-width="8"/>{}</g>'
    dot = '<circle cx="32" cy="32" r="9" fill="#fff"/>'
    for content in ("", dot):
        assert draw(body.format(content)).min() == 255
        drawn = draw(body.format(content), paper=0)
        assert drawn[0, 0].max() == 0 and np.abs(drawn[32, 12].astype(int) - 127).max() <= 1


def test_all_strokes_of_a_scene_take_one_width():
    body = '<g opacity=".5"><path d="M8 16H56" stroke="#000" stroke-width="{0}"/>{1}</g>'
    second = '<path d="M8 48H56" stroke="#000" stroke-width="{}"/>'
    thin = draw(body.format(1, second.format(2)), line_width=6)
    np.testing.assert_array_equal(thin, draw(body.format(6, second.format(6))))

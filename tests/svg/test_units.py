"""Lengths and angles of CSS as numbers."""

import pytest

from flipsketch.svg.units import plain_length, read_angle, read_length, without_font_units


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2", 2.0),
        ("-.5e1PX", -5.0),
        ("3pt", 4.0),
        ("1in", 96.0),
        ("25.4mm", 96.0),
        ("2.54cm", 96.0),
        ("101.6q", 96.0),
        ("1pc", 16.0),
        ("50%", 40.0),
        ("2em", 20.0),
        ("10vw", 30.0),
        ("10vmin", 20.0),
        ("calc(1px + 2 * 3px)", 7.0),
        ("calc((50% - 1em) / 3)", 10.0),
        ("min(3px, max(1px, 2px), 1in)", 2.0),
        ("clamp(1px, 9px, 5px)", 5.0),
        ("calc(-1 * (2px - 5px))", 3.0),
    ],
)
def test_a_length_is_in_user_units(text, expected):
    length = read_length(text, 80.0, font_size=10.0, viewport=(300.0, 200.0))
    assert length == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", "px 1 px|1furlong|calc(1px +)|calc(1px/0)|1e999|calc()|--1".split("|")
)
def test_what_is_no_length_is_an_error(text):
    with pytest.raises(ValueError, match="SVG"):
        read_length(text, 1.0)


def test_a_length_that_depends_on_the_viewport_stays_as_it_is():
    assert plain_length("1mm") == "3.779527559"
    assert plain_length("calc(10% + 2px)") == "calc(10% + 2px)"
    assert without_font_units("calc(2em + 1rem)", 10.0, 20.0) == "calc(20px + 20px)"
    with pytest.raises(ValueError, match="SVG"):
        plain_length("10 %")


@pytest.mark.parametrize("text", ["90", "90deg", "100grad", "0.25turn", "calc(1turn / 4)"])
def test_an_angle_is_in_degrees(text):
    assert read_angle(text) == pytest.approx(90.0)

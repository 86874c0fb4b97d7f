"""Colours of CSS as browsers show them."""

import pytest

from flipsketch.svg.colour import read_colour


@pytest.mark.parametrize(
    "texts, expected",
    [
        ("red RED #f00 #ff0000 #FF0000ff rgb(255,0,0) rgb(100%,0%,0%) rgb(300,-4,0)", "#ff0000"),
        ("hsl(0,100%,50%) hsl(360deg,200%,50%) hsla(0,100%,50%,7) rgb(2550,0,0)", "#ff0000"),
        ("rgb(255_0_0) rgb(255_0_0/1) rgb(255_none_0) hsl(0_100%_50%) hsl(0_100_50)", "#ff0000"),
        ("hwb(0_0%_0%) color(srgb_1_0_0) light-dark(red,blue) RGBA(255,0,0,1.0)", "#ff0000"),
        (
            "rgb(calc(51*5)_0_0) hsl(calc(2*180deg)_100%_50%) activetext device-cmyk(0_1_1_0)",
            "#ff0000",
        ),
        ("#f00_icc-color(x,_1,_0,_0,_0) #ff0000_device-cmyk(0,1,1,0)", "#ff0000"),
        ("white hwb(0_100%_0%) lab(100%_0_0) lch(100_0_0) oklab(1_0_0) canvas", "#ffffff"),
        ("color(display-p3_1_1_1) color(rec2020_1_1_1) color(a98-rgb_1_1_1)", "#ffffff"),
        (
            "color(prophoto-rgb_1_1_1) color(xyz_.9505_1_1.089) color(xyz-d50_.9643_1_.8251)",
            "#ffffff",
        ),
        # The examples of CSS Color 4, sections 9 and 10.
        ("lab(29.2345%_39.3825_20.0664) lch(29.2345%_44.2_27)", "#7d2329"),
        ("oklab(40.101%_0.1147_0.0453) oklch(40.101%_0.12332_21.555)", "#7d2329"),
        ("color(srgb-linear_.2159_.2159_.2159) grey gray #808080 hsl(9,0%,50.2%)", "#808080"),
        ("#f008 #ff000088 rgba(255,0,0,.5333) rgb(255_0_0/53.33%)", "rgba(255,0,0,0.533"),
        ("rgb(30%,10%,50%) rgb(30%_10%_50%)", "#4d1a80"),
        ("transparent rgba(0,0,0,0) #0000 rgb(0,0,0,-1)", "rgba(0,0,0,0)"),
    ],
)
def test_a_colour_has_one_form_however_it_is_written(texts, expected):
    written = [str(read_colour(text.replace("_", " "))) for text in texts.split()]
    assert [text[: len(expected)] for text in written] == [expected] * len(written)


@pytest.mark.parametrize(
    "text",
    (
        "#12345 #ggg rgb(1,2) rgb(1,2,3,4,5) rgb(50%,1,2) hsl(1,2,3) color(srgb) fuzzy none "
        "lab(1,2,3) rgb() url(#a) rgb(1e999,0,0) 'red' hsl(0%,1%,1%) red_blue currentcolor"
    ).split(),
)
def test_what_is_no_colour_is_none(text):
    assert read_colour(text.replace("_", " ")) is None

"""CSS becomes the presentation attributes that a browser would paint with."""

from xml.etree.ElementTree import fromstring

import pytest

from flipsketch.svg.cascade import apply_styles
from flipsketch.svg.geometry import IDENTITY, read_transform


def styled(inner: str, style: str = "", attributes: str = "") -> list[dict[str, str]]:
    """Return the attributes of each element within the root."""
    sheet = f"<style><![CDATA[{style}]]></style>" if style else ""
    root = fromstring(f'<svg viewBox="0 0 100 50" {attributes}>{sheet}{inner}</svg>')
    apply_styles(root)
    return [dict(element.items()) for element in root.iter()][1:]


def stroke(style: str, path: str = '<path class="a b" id="p" stroke="blue"/>') -> str | None:
    return styled(f"<g>{path}</g>", style)[-1].get("stroke")


@pytest.mark.parametrize(
    "style, expected",
    [
        ("path { stroke: red }", "#ff0000"),
        ("#p { stroke: red } .a { stroke: lime } path { stroke: aqua }", "#ff0000"),
        (".a.b { stroke: red } .a { stroke: lime }", "#ff0000"),
        (".a { stroke: lime } .b { stroke: red }", "#ff0000"),
        ("path { stroke: red !important } #p { stroke: lime }", "#ff0000"),
        ("g > path { stroke: red }", "#ff0000"),
        ("svg path:not(.c) { stroke: red }", "#ff0000"),
        ("[id^=p]:first-child { stroke: red }", "#ff0000"),
        ("path:hover, .c { stroke: red }", "#0000ff"),
        ("path:hover, .a { stroke: red }", "#ff0000"),
        (".a { stroke: red } .a::unknown { stroke: lime }", "#ff0000"),
        ("@media print { .a { stroke: lime } } @media screen { .a { stroke: red } }", "#ff0000"),
        ("@media (prefers-color-scheme: dark) { path { stroke: white } }", "#0000ff"),
        ("@media (min-width: 10px) and (max-width: 99in) { .a { stroke: red } }", "#ff0000"),
        ("@media speech, (orientation: landscape) { .a { stroke: red } }", "#ff0000"),
        ("@supports (display: grid) { .a { stroke: red } }", "#ff0000"),
        ("@layer x { .a { stroke: lime } } .a { stroke: red }", "#ff0000"),
        ("g { & .a { stroke: red } > rect { stroke: lime } }", "#ff0000"),
        ("} .a { stroke: lime } .b { stroke: red }", "#ff0000"),
        ("@import url(a.css); @font-face { src: url(data:x;y) } .a { stroke: red }", "#ff0000"),
        ("<!-- .a { stroke: red } -->", "#ff0000"),
        (".a { stroke: red; stroke: fuzzy(1); stroke: #12 }", "#ff0000"),
        (".a { stroke: /* a; b */ red", "#ff0000"),
        (":root { --ink: red } .a { stroke: var(--ink) }", "#ff0000"),
        (".a { stroke: var(--ink, var(--other, red)) }", "#ff0000"),
        (":root { --a: var(--b); --b: var(--a) } .a { stroke: var(--a) }", None),
        (".a { stroke: inherit }", None),
        (".a { stroke: initial }", "none"),
    ],
)
def test_the_strongest_valid_rule_wins(style, expected):
    assert stroke(style) == expected


def test_attributes_give_way_to_rules_these_to_style_and_that_to_important_ones():
    path = '<path fill="aqua" stroke="aqua" color="aqua" style="fill:red; stroke:red"/>'
    rules = "path { fill: lime; stroke: lime !important; color: lime }"
    assert styled(path, rules) == [{"fill": "#ff0000", "stroke": "#00ff00", "color": "#00ff00"}]


def test_lengths_in_units_of_the_font_become_numbers():
    path = '<g style="font-size: 10px"><path stroke-width="0.2em" style="stroke-dasharray:1em,5%"/>'
    assert styled(f"{path}</g>")[1] == {"stroke-width": "2", "stroke-dasharray": "10 5%"}


@pytest.mark.parametrize(
    "style, expected",
    [
        ("transform: translate(10px, 10%)", (1, 0, 0, 1, 10, 5)),
        ("transform: rotate(0.25turn)", (0, 1, -1, 0, 0, 0)),
        ("transform: scale(2); transform-origin: right bottom", (2, 0, 0, 2, -100, -50)),
        ("translate: 5px; scale: 2", (2, 0, 0, 2, 5, 0)),
        ("transform: translate(10, 10)", IDENTITY),
        (
            "transform: scale(3); transform-box: fill-box; transform-origin: center",
            (3, 0, 0, 3, -20, -8),
        ),
    ],
)
def test_a_transform_of_css_becomes_the_attribute(style, expected):
    written = styled(f'<path d="M8 2H12V6" style="{style}"/>')[0].get("transform", "")
    assert read_transform(written) == pytest.approx(expected)


def test_a_transform_refers_to_the_nearest_viewport():
    path = '<path style="transform: scale(2); transform-origin: center"/>'
    elements = styled(f'<svg width="20%" height="1em">{path}</svg>')
    assert read_transform(elements[1]["transform"]) == (2, 0, 0, 2, -10, -8)


def test_the_background_of_the_page_is_kept():
    root = fromstring('<svg style="background: url(a.png) #222 center"/>')
    apply_styles(root)
    assert dict(root.items()) == {"background": "#222222"}


def test_rules_that_would_keep_the_reader_busy_are_refused():
    rules = "".join(f"* {{ stroke-width: {width} }}" for width in range(1_000))
    with pytest.raises(ValueError, match="style rules match too many elements"):
        styled("<path/>" * 3_000, rules)

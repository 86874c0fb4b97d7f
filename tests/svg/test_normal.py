"""What stands for something else is drawn as the plain shapes that it stands for."""

import tracemalloc

import numpy as np
import pytest

from flipsketch.svg.cascade import apply_styles
from flipsketch.svg.definitions import MAX_LEVELS
from flipsketch.svg.document import parse_document
from flipsketch.svg.limits import MAX_DRAWN_ELEMENTS
from flipsketch.svg.normal import Normal, normalize
from flipsketch.svg.reader import read_svg

LINE = '<path d="M10 70C30 10 60 10 90 80" fill="none" stroke="#000" stroke-width="4"/>'
ARROW = '<path d="M0 0L10 5L0 10Z"/>'
STRIPES = '<stop offset="0" stop-color="#000"/><stop offset="1" stop-color="#ccc"/>'
SHADES = f'<linearGradient id="g" gradientUnits="userSpaceOnUse" x1="20" x2="80">{STRIPES}'
TILE = '<path d="M0 8L8 0" stroke="#000" stroke-width="2"/>'


def svg(body: str, root: str = 'viewBox="0 0 100 100"') -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {root}>{body}</svg>'.encode()


def pixels(body: str, root: str = 'viewBox="0 0 100 100"') -> np.ndarray:
    return read_svg(svg(body, root), 100).draw().astype(int)


def normal(body: str, root: str = 'viewBox="0 0 100 100"') -> Normal:
    tree = parse_document(svg(body, root))
    apply_styles(tree)
    return normalize(tree, 100)


def copies(num_levels: int, kind: str) -> str:
    """Return definitions of which each uses the one before ten times."""
    levels = [f"<{kind} id='a0'>{LINE}</{kind}>"]
    for level in range(1, num_levels + 1):
        reference = {
            "g": "<use href='#a{}'/>",
            "mask": "<rect width='9' height='9' mask='url(#a{})'/>",
        }
        levels.append(f"<{kind} id='a{level}'>{reference[kind].format(level - 1) * 10}</{kind}>")
    return "".join(levels)


SAME = {
    "use": (
        f'<defs><g id="a" transform="scale(.5)">{LINE}</g></defs><use href="#a" x="20" y="10"/>',
        f'<g transform="translate(20 10) scale(.5)">{LINE}</g>',
    ),
    "use before its target, properties from the use": (
        '<use href="#a" fill="#444"/><g fill="#000"><defs><path id="a" d="M9 9H50V50"/></defs></g>',
        '<path d="M9 9H50V50" fill="#444"/>',
    ),
    "use of what is hidden where it is written": (
        '<g display="none"><path id="a" d="M9 9H50V50"/></g><use href="#a"/>',
        '<path d="M9 9H50V50"/>',
    ),
    "use of itself": (f'<g id="a">{LINE}<use href="#a" x="9"/></g>', LINE),
    "use of another file": (f'<use href="a.svg#b"/><use href="#none"/>{LINE}', LINE),
    "symbol fitted and cut": (
        '<symbol id="s" viewBox="0 0 10 10"><rect x="-50" width="55" height="5"/></symbol>'
        '<use href="#s" x="20" y="20" width="60" height="40"/>',
        '<rect x="30" y="20" width="20" height="20"/><rect x="20" y="20" width="10" height="20"/>',
    ),
    "nested svg": (
        '<svg x="20" y="10" width="50%" height="40" viewBox="0 0 10 10" preserveAspectRatio="none">'
        '<rect width="100%" height="5"/></svg>',
        '<rect x="20" y="10" width="50" height="20"/>',
    ),
    "nested svg that is sliced": (
        '<svg width="40" height="20" viewBox="0 0 10 10" preserveAspectRatio="xMinYMax slice">'
        '<rect width="10" height="8"/></svg>',
        '<rect width="40" height="12"/>',
    ),
    "effects in the space that a use and a viewport make": (
        '<clipPath id="c"><rect width="20" height="20"/></clipPath><defs><rect id="a" width="90" '
        'height="90"/></defs><use href="#a" x="5" y="10" clip-path="url(#c)"/>'
        '<svg x="50" y="40" width="50" height="60" viewBox="0 0 25 30" clip-path="url(#c)">'
        '<rect width="90" height="90"/></svg>',
        '<rect x="5" y="10" width="20" height="20"/><rect x="50" y="40" width="40" height="40"/>',
    ),
    "switch": (
        '<switch><foreignObject width="9" height="9"/><circle requiredExtensions="x" r="30"/>'
        f'<circle systemLanguage="de" r="30"/>{LINE}<circle r="50"/></switch>',
        LINE,
    ),
    "link and unknown element": (
        f"<a>{LINE}</a><sticker><rect width='9' height='9'/></sticker>",
        LINE,
    ),
    "percentages": (
        '<rect x="10%" y="20%" width="50%" height="25%"/>',
        '<rect x="10" y="20" width="50" height="25"/>',
    ),
    "clip path": (
        '<clipPath id="c"><rect width="50" height="100"/></clipPath>'
        '<g clip-path="url(#c)"><rect x="10" y="10" width="80" height="80"/></g>',
        '<rect x="10" y="10" width="40" height="80"/>',
    ),
    "clip path of a box, cut itself": (
        '<clipPath id="d"><rect width="100" height="30"/></clipPath><clipPath id="c" '
        'clip-path="url(#d)" clipPathUnits="objectBoundingBox"><rect width=".5" height="1"/>'
        '</clipPath><rect x="10" y="10" width="80" height="80" clip-path="url(#c)"/>',
        '<rect x="10" y="10" width="40" height="20"/>',
    ),
    "clip path by use with a rule": (
        '<path id="p" d="M10 10H90V90H10ZM30 30H70V70H30Z" fill="none"/><clipPath id="c">'
        '<use href="#p" clip-rule="evenodd"/></clipPath>'
        '<rect width="100" height="100" clip-path="url(#c)"/>',
        '<path d="M10 10H90V90H10ZM30 30H70V70H30Z" fill-rule="evenodd"/>',
    ),
    "clip path without content": (
        f'<clipPath id="c"/><g clip-path="url(#c)"><rect width="50" height="50"/></g>{LINE}',
        LINE,
    ),
    "clip path and mask that are missing": (
        f'<g clip-path="url(#c)" mask="url(#m)">{LINE}</g>',
        LINE,
    ),
    "mask": (
        '<mask id="m"><rect width="100" height="50" fill="#fff"/></mask>'
        '<rect x="10" y="10" width="80" height="80" mask="url(#m)"/>',
        '<rect x="10" y="10" width="80" height="40"/>',
    ),
    "mask with a region of its own": (
        '<mask id="m" x="0" y="0" width=".5" height="1" mask-type="alpha">'
        '<rect width="100" height="100"/></mask>'
        '<rect x="10" y="10" width="80" height="80" mask="url(#m)"/>',
        '<rect x="10" y="10" width="40" height="80"/>',
    ),
    "mask of itself": (
        '<mask id="m"><rect width="90" height="50" fill="#fff" mask="url(#m)"/></mask>'
        '<rect x="10" y="10" width="80" height="80" mask="url(#m)"/>',
        '<rect x="10" y="10" width="80" height="40"/>',
    ),
    "gradient of a box by way of another": (
        f'<linearGradient id="f" href="#h"/><linearGradient id="h" href="#f">{STRIPES}'
        '</linearGradient><rect x="20" y="20" width="60" height="50" fill="url(#f)"/>',
        f'{SHADES}</linearGradient><rect x="20" y="20" width="60" height="50" fill="url(#g)"/>',
    ),
    "gradient of one stop, of none, that is missing": (
        '<linearGradient id="f"><stop stop-color="#888"/></linearGradient><linearGradient id="h"/>'
        '<rect x="20" y="20" width="60" height="50" fill="url(#f)"/><g fill="url(#h)" '
        'stroke="url(#none)"><circle r="90"/></g><rect width="9" height="9" fill="url(#no) #333"/>',
        '<rect x="20" y="20" width="60" height="50" fill="#888"/>'
        '<rect width="9" height="9" fill="#333"/>',
    ),
    "pattern with a viewBox": (
        '<pattern id="p" width=".25" height=".25" viewBox="0 0 16 16">'
        '<rect width="8" height="16"/></pattern>'
        '<rect x="10" y="10" width="80" height="80" fill="url(#p)"/>',
        "".join(f'<rect x="{x}" y="10" width="10" height="80"/>' for x in (10, 30, 50, 70)),
    ),
    "pattern of itself": (
        '<pattern id="p" width="100" height="20" patternUnits="userSpaceOnUse">'
        '<rect width="100" height="10"/><rect width="9" height="20" fill="url(#p)"/></pattern>'
        '<rect width="100" height="40" fill="url(#p)"/>',
        '<rect width="100" height="10"/><rect y="20" width="100" height="10"/>',
    ),
    "marker turned along its path": (
        f'<marker id="m" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="5" markerHeight="5" '
        f'orient="auto">{ARROW}</marker>'
        '<path d="M50 10V90" stroke="#000" stroke-width="4" marker-end="url(#m)"/>',
        '<path d="M50 10V90" stroke="#000" stroke-width="4"/>'
        f'<g transform="translate(50 90) rotate(90) scale(2) translate(-10 -5)">{ARROW}</g>',
    ),
    "markers at each vertex": (
        '<marker id="m" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" '
        'style="overflow:visible"><rect x="-2" y="-2" width="4" height="4"/></marker>'
        '<polyline points="20,20 60,30 80,90" fill="none" style="marker:url(#m)"/>',
        "".join(
            f'<rect x="{x - 2}" y="{y - 2}" width="4" height="4"/>'
            for x, y in ((20, 20), (60, 30), (80, 90))
        ),
    ),
    "marker at a start that is turned back": (
        f'<marker id="m" viewBox="0 0 10 10" refY="5" orient="auto-start-reverse">{ARROW}</marker>'
        '<line x1="50" y1="50" x2="90" y2="50" stroke="#000" marker-start="url(#m)" '
        'stroke-width="9"/>',
        '<line x1="50" y1="50" x2="90" y2="50" stroke="#000" stroke-width="9"/>'
        f'<g transform="translate(50 50) rotate(180) scale(2.7) translate(0 -5)">{ARROW}</g>',
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_what_stands_for_shapes_is_drawn_as_they_are(case):
    found, plain = map(pixels, SAME[case])
    assert plain.min() < 128
    # Edges are smoothed in other ways where a layer is cut.
    assert np.abs(found - plain).mean() < 0.3 and np.abs(found - plain).max() < 64


def test_a_root_without_size_is_fitted_to_its_strokes():
    found = normal(
        '<rect x="20" y="30" width="40" height="10" stroke="#000" stroke-width="4"/>', ""
    )
    assert found.canvas == [18, 28, 44, 14] and (found.width, found.height) == (100, 32)


@pytest.mark.parametrize(
    ("ratio", "canvas"),
    [
        ("none", [0, 0, 60, 30]),
        ("xMidYMid slice", [0, 25, 100, 50]),
        ("xMinYMin slice", [0, 0, 100, 50]),
        # Bars at the sides show what lies beyond the viewBox.
        ("xMidYMid", [-50, 0, 200, 100]),
        ("xMinYMin", [0, 0, 200, 100]),
        ("nonsense", [-50, 0, 200, 100]),
    ],
)
def test_a_root_is_stretched_and_cut_as_its_aspect_ratio_says(ratio, canvas):
    root = f'viewBox="0 0 100 100" width="60" height="30" preserveAspectRatio="{ratio}"'
    found = normal(LINE, root)
    assert found.canvas == canvas
    (line,) = found.root
    assert line.get("transform") == ("matrix(0.6 0.0 0.0 0.3 0.0 0.0)" if ratio == "none" else None)


def test_a_single_symbol_is_shown_and_of_several_none():
    symbol = f'<symbol id="s" viewBox="10 20 50 50">{LINE}</symbol>'
    found = normal(symbol, 'style="visibility:hidden;width:0;height:0"')
    assert found.canvas == [10, 20, 50, 50] and len(found.root) == 1
    assert not len(normal("<defs><symbol><defs/></symbol></defs>").root)
    with pytest.raises(ValueError, match="sprite of 2 symbols"):
        normal(symbol + symbol)


def test_what_is_left_out_is_noted_once():
    found = normal(
        f"{LINE}<text>a</text><text>b</text><text> </text><text display='none'>c</text>"
        "<image href='a.png' width='9' height='9'/><filter id='f'/>"
        f"<g filter='url(#f)'>{LINE}</g><g style='clip-path: circle(9px at 5px 5px)'>{LINE}</g>"
    )
    what = ("text", "images", "filters", "CSS clip shapes")
    assert found.notes == tuple(f"left out {kind}" for kind in what)
    with pytest.raises(ValueError, match="nothing but text, .*; convert the text to paths"):
        normal("<text>a</text>")
    html = "<foreignObject width='9' height='9'/>"
    assert normal(LINE + f"<switch>{html}{LINE}</switch><switch><text/>{html}</switch>").notes == ()
    assert normal(LINE + f"<switch>{html}</switch>").notes == ("left out embedded HTML",)


def test_a_normal_tree_has_plain_elements_with_computed_paint():
    found = normal(
        '<style>.a{fill:rgba(255,0,0,.5)}</style><g class="a" stroke="#00f" stroke-width="2%">'
        '<g transform="translate(5)"><ellipse rx="9" id="e" opacity=".5" data-name="x"/></g></g>'
        f"<metadata/>{SHADES}</linearGradient><script>alert(1)</script>"
    )
    (layer,) = found.root
    assert dict(layer.items()) == {"opacity": "0.5", "transform": "matrix(1.0 0.0 0.0 1.0 5.0 0.0)"}
    (ellipse,) = layer
    assert dict(ellipse.items()) == {
        **{"cx": "0.0", "cy": "0.0", "rx": "9.0", "ry": "9.0", "stroke": "#0000ff"},
        **{"fill": "#ff0000", "fill-opacity": "0.5", "stroke-width": "2.0"},
    }


@pytest.mark.parametrize(
    "body",
    [
        f"<defs>{copies(9, 'g')}</defs><use href='#a9'/>",
        f"{copies(9, 'mask')}<rect width='9' height='9' mask='url(#a9)'/>",
        f"<marker id='m'>{LINE * 300}</marker>"
        f"<polyline points='{'1 2 ' * 3000}' marker-mid='url(#m)' stroke='#000'/>",
    ],
)
def test_copies_without_number_are_counted_and_not_made(body):
    tree = parse_document(svg(body))
    apply_styles(tree)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"more than {MAX_DRAWN_ELEMENTS:,} elements"):
        normalize(tree, 100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # As many elements as are allowed would take some 40 MB.
    assert peak < 4e6


def test_a_gradient_that_cairo_has_no_numbers_for_is_an_error():
    gradient = f"<linearGradient id='g'>{STRIPES}</linearGradient>"
    body = f"{gradient}<rect width='9' height='9e9' transform='rotate(10)' fill='url(#g)'/>"
    with pytest.raises(ValueError, match="gradient or a pattern far outside"):
        pixels(body, "")


def test_levels_of_copies_end_before_those_of_python():
    chain = "".join(f"<g id='a{i}'><use href='#a{i - 1}'/></g>" for i in range(1, MAX_LEVELS))
    with pytest.raises(ValueError, match=f"more than {MAX_LEVELS} levels"):
        normal(f"<defs><path id='a0'/>{chain}</defs><use href='#a{MAX_LEVELS - 1}'/>")

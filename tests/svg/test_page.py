"""What the plain dialect is: all that it reads is right, all else is left to the slower way."""

import re

import pytest

from flipsketch.svg.document import parse_xml
from flipsketch.svg.page import NotPlain, read_page

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
LINE = '<path d="M8 32 H56" stroke="black" stroke-width="4"/>'


@pytest.mark.parametrize(
    "body, complaint",
    [
        ('<g id="a"/><use href="#a"/>', "<use>"),
        ('<image width="9" height="9" href="x.png"/>', "<image>"),
        ("<script>alert()</script>", "<script>"),
        ("<foreignObject/>", "<foreignObject>"),
        ("<text>hello</text>", "<text>"),
        ('<a href="http://example.org"/>', "<a>"),
        ('<svg width="9" height="9"/>', "<svg>"),
        ('<animate attributeName="d"/>', "<animate>"),
        ('<g xmlns=""><blink/></g>', "<blink>"),
        ('<path href="file:///etc/passwd"/>', "href"),
        ('<g xmlns:x="http://www.w3.org/1999/xlink" x:href="http://example.org/"/>', "href"),
        ('<path d="M0 0L9 9" fill="url(#gradient)"/>', "fill of a <path>"),
        ('<path d="M0 0L9 9" clip-path="URL(file:///etc/passwd)"/>', "clip-path of a <path>"),
        ('<path d="M0 0L9 9" style="stroke:uRl(#a)"/>', "uRl(#a)"),
        ('<path d="M0 0L9 9" style="stroke:u\\72l(#a)"/>', "style"),
        ('<path d="M0 0L9 9" style="width:expression(alert())"/>', "expression"),
        ('<style>@import "http://example.org/a.css";</style>', "@"),
        ("<defs><style>.a{fill:url(http://example.org/)}</style></defs>", "url"),
        ("<style>path{fill:red}</style>", "'path'"),
        ("<style>.a.b{fill:red}</style>", "'.a.b'"),
        ('<path d="M0 0L9 9" stroke-dasharray="0.0001"/>', "stroke-dasharray"),
        ('<path d="M0 0L9 9" style="stroke-dasharray:1,2"/>', "stroke-dasharray"),
        ('<path d="M0 0L9 9" style="transform:scale(2)"/>', "transform"),
        ('<path d="M0 0L9 9" stroke="hsv"/>', "'hsv'"),
        ('<path d="M0 0L9 9" stroke-width="2em"/>', "'2em'"),
        ('<path d="M0 0L9 9" transform="turn(2)"/>', "turn"),
        ('<path d="M0 0L9 9" transform="scale(2"/>', "scale"),
        ('<path d="M0 0L9 9" transform="scale(2, x)"/>', "'x'"),
        ('<path d="M0 0L NaN 5"/>', "NaN"),
        ('<path d="M0 0L1e999 5"/>', "1e999"),
        ('<path d="M0 0L 5"/>', "unreadable path data"),
        ('<path d="L5 5"/>', "unreadable path data"),
        ('<path d="M0 0z5 5"/>', "unreadable path data"),
        ('<path d="M0 0A1 1 0 2 0 5 5"/>', "unreadable path data"),
        ('<rect width="inf" height="9"/>', "'inf'"),
        ('<circle r="1e999"/>', "1e999"),
        ('<path d="M0 0L9 9" opacity="nan"/>', "'nan'"),
        ('<path d="M0 0L9 9" fill="hsl(120, 20, 25%)"/>', "hsl"),
        ('<path d="M0 0L9 9" style="/* none */ fill:none"/>', "/*"),
        ('<path d="M0 0L9 9" style="fill:none !important"/>', "!"),
        ('<path d="M0 0L9 9" stroke-linecap="flat"/>', "'flat'"),
        ('<path d="M0 0L9 9" display="none" style="display:yes"/>', "'yes'"),
        ('<path d="M0 0L9 9" fill="red" style="fill:inherit"/>', "'inherit'"),
        ('<path d="M0 0L9 9" vector-effect="non-scaling-stroke"/>', "vector-effect"),
        ('<path d="M0 0L9 9" style="paint-order:stroke"/>', "paint-order"),
        ('<path d="M0 0L9 9" style="filter:blur(2px)"/>', "filter"),
        ('<path d="M0 0L9 9" systemLanguage="de"/>', "systemLanguage"),
        ('<circle style="r:5px"/>', "where a shape lies"),
        ('<g opacity=".5"><path d="M0 0L9 9"/></g>', "translucent group"),
        ('<path d="M0 0L9 9L0 9" opacity=".5" stroke="red"/>', "translucent shape"),
        ('<path d="M0 0L9 9" stroke-width="-1"/>', "too small"),
        ('<style media="print">.a{fill:red}</style>', "media"),
    ],
)
def test_what_would_be_drawn_wrong_is_not_plain(body, complaint):
    with pytest.raises(NotPlain, match=re.escape(complaint)):
        read(LINE + body)


@pytest.mark.parametrize(
    "opening, complaint",
    [
        ("<svg>", "no viewBox"),
        ('<svg width="100%" height="100%">', "no viewBox"),
        ('<svg width="100000" height="100000">', "100000 x 100000"),
        ('<svg viewBox="0 0 0.5 9">', "0.5 x 9"),
        ('<svg viewBox="0 0 9">', "four numbers"),
        ('<svg viewBox="0 0 9 NaN">', "NaN"),
        ('<svg width="1e999" height="9">', "1e999"),
        ('<svg width="9furlong" height="9">', "9furlong"),
        ('<svg viewBox="0 0 9 9" preserveAspectRatio="none">', "preserveAspectRatio"),
        ('<svg viewBox="0 0 9 9" style="background:black">', "background"),
    ],
)
def test_a_page_of_another_kind_is_not_plain(opening, complaint):
    with pytest.raises(NotPlain, match=re.escape(complaint)):
        read(LINE, opening)


def read(body: str, opening: str = OPEN) -> None:
    read_page(parse_xml(f"{opening}{body}</svg>".encode()), 64).to_drawing(64)

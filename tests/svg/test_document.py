"""What a file says is read, however it is written down; what it refers to is not."""

import gzip
import re

import pytest

from flipsketch.svg.document import MAX_ATTRIBUTES, parse_document, parse_strict
from flipsketch.svg.limits import MAX_BYTES, MAX_ELEMENTS
from flipsketch.svg.reader import SvgReader
from flipsketch.svg.text import refuse_other_files

NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
OPEN = f'<svg {NAMESPACE} viewBox="0 0 64 64">'
LINE = '<path d="M8 32H56" stroke="black" stroke-width="4"/>'
PLAIN = f"{OPEN}{LINE}</svg>"
DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://example.org/svg11.dtd"'


def described(text: str, encoding: str, declared: str = "") -> bytes:
    declaration = f'<?xml version="1.0" encoding="{declared or encoding}"?>'
    return f"{declaration}{OPEN}<title>{text}</title>{LINE}</svg>".encode(encoding)


def shown(content: bytes) -> list[tuple[str, dict[str, str]]]:
    return [(element.tag, dict(element.items())) for element in parse_document(content).iter()]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(PLAIN.encode()),
        gzip.compress(PLAIN[:50].encode()) + gzip.compress(PLAIN[50:].encode()),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        b"\r\n \t<?xml version='1.0'?>" + PLAIN.encode(),
        b"\xef\xbb\xbf\n\xef\xbb\xbf<?xml version='1.0'?>" + PLAIN.encode(),
        b"<?xml version='1.1' standalone='no'?>" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-32"),
        (DOCTYPE + ">" + PLAIN).encode(),
        b"<?xml version='1.0'?>\n<!-- > <!DOCTYPE -->\n<!doctype svg>" + PLAIN.encode(),
        f"""{DOCTYPE} [ <!-- ' ]> --> <!ENTITY a ']>'> <?b "?> <!ATTLIST svg width CDATA "9">
            <!ENTITY % c SYSTEM "file:///etc/passwd"> %c; ]>{PLAIN}""".encode(),
        PLAIN.encode() + b"\0\0<p>left over</p>",
        PLAIN.replace("svg", "s:svg").replace("<path", "<s:path").replace("xmlns", "xmlns:s")
        .replace("2000/s:svg", "2000/svg").encode(),
        PLAIN.replace("http:", "https:").encode(),
        PLAIN.replace("http://www.w3.org/2000/svg", "&ns_svg;").encode(),
        PLAIN.replace("2000/svg", "2000/svg/").encode(),
        PLAIN.replace("viewBox", "viewbox").encode(),
        f"<svg viewBox='0 0 64 64'>{LINE}</svg>".encode(),
    ],
)  # fmt: skip
def test_a_drawing_may_be_written_down_in_many_ways(content):
    assert shown(content) == shown(PLAIN.encode())


@pytest.mark.parametrize(
    "content",
    [
        described("\u00e9", "latin-1"),
        described("\u00e9", "latin-1", "utf-8"),
        described("\u732b", "gb2312"),
        described("\u732b", "shift_jis"),
        described("\u8c93", "big5"),
        described("\u732b", "utf-8", "utf-16"),
        described("\u732b", "utf-8", "klingon"),
        described("\u732b", "utf-16", "utf-8"),
        described("cat", "utf-8", "idna"),
        described("cat & dog, &cat;&nbsp;&#0;\0", "utf-8"),
        described('<s:a x:href="#" inkscape:label="a"/>', "utf-8"),
    ],
)
def test_a_title_does_not_keep_a_drawing_out(content):
    assert [tag for tag, _ in shown(content)] == ["svg", "title", "path"]


def test_the_text_is_decoded_as_declared():
    _, title, _ = parse_document(described("\u732b", "gb2312")).iter()
    assert title.text == "\u732b"


def test_entities_of_the_file_and_of_html_are_served():
    content = f"""{DOCTYPE} [
        <!ENTITY ns_svg "http://www.w3.org/2000/svg"> <!ENTITY st0 'fill:none;font:"a"'>
        <!ENTITY line '<path d="M1 1"/>'> <!ENTITY two "&line;&line;">
        <!ENTITY st0 "the first counts"> <!ENTITY lt "not this one"> ]>
        <svg xmlns="&ns_svg;"><title>a&nbsp;b&lt;c &AMP;&LT;</title><g style="&st0;">&two;</g>
        <!-- &st0; --><desc><![CDATA[&st0;]]></desc></svg>"""
    root = parse_document(content.encode())
    title, group, desc = root
    assert title.text == "a\u00a0b<c &<" and desc.text == "&st0;"
    assert group.get("style") == 'fill:none;font:"a"'
    assert [line.get("d") for line in group] == ["M1 1", "M1 1"]


def test_an_external_entity_that_is_not_used_is_none():
    declared = DOCTYPE + ' [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b PUBLIC "b" "b">]>'
    assert shown((declared + PLAIN).encode()) == shown(PLAIN.encode())


def test_only_svg_is_left_under_its_own_names():
    content = f"""<svg {NAMESPACE} xmlns:x="http://www.w3.org/1999/xlink" xmlns:i="http://i.org/"
        xml:base="file:///" i:width="9" viewbox="0 0 1 1" viewBox="0 0 2 2">
        <!-- note --><?run me?><i:path d="M0 0"><g/></i:path>
        <linearGradient x:href="#a" gradientunits="userSpaceOnUse"/>
        <g href="#b" x:href="#c"><lineargradient xmlns=""/></g></svg>"""
    assert shown(content.encode()) == [
        ("svg", {"viewBox": "0 0 2 2"}),
        ("linearGradient", {"href": "#a", "gradientUnits": "userSpaceOnUse"}),
        ("g", {"href": "#b"}),
        ("linearGradient", {}),
    ]


BOMB = "".join(
    f'<!ENTITY {a} "{f"&{b};" * 10}">' for a, b in zip("bcdefghi", "abcdefgh", strict=True)
)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (f'{DOCTYPE} [<!ENTITY a "ha">{BOMB}]><svg>&i;</svg>', "entities"),
        (f'{DOCTYPE} [<!ENTITY a "&a;">]><svg>&a;</svg>', "refer to each other"),
        (f'{DOCTYPE} [<!ENTITY a "{"a" * 99_999}">]><svg>{"&a;" * 99}</svg>', "expand to more"),
        (f'{DOCTYPE} [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', "another file"),
        (f'{DOCTYPE} [<!ENTITY a "{PLAIN}', "its DOCTYPE has no end"),
        (PLAIN.replace("<path", "<path style='&st0; &st1;'"), "style is the entity &st0; &st1;"),
        (f"<svg>{'&' * 300_000}</svg>", "300,000 `&`"),
        (gzip.compress(bytes(MAX_BYTES + 1)), f"more than {MAX_BYTES:,} bytes"),
        (gzip.compress(PLAIN.encode())[:-20], "compressed with gzip (.svgz) and damaged"),
        (gzip.compress(gzip.compress(PLAIN.encode())), "not XML"),
        (b"<svg>" + b"<g/>" * MAX_ELEMENTS + b"</svg>", f"more than {MAX_ELEMENTS:,} elements"),
        (b"<svg " + b" a=1" * (MAX_ATTRIBUTES + 1), f"more than {MAX_ATTRIBUTES:,} attributes"),
        (b"<!DOCTYPE html><html><title>Not found</title></html>", "HTML page ('Not found'), not"),
        (b"\n<!-- 404 --><HTML><body/></HTML>", "HTML page, not a drawing"),
        (f"<html><body>{PLAIN}</body></html>", "an HTML page with an SVG in it"),
        ("<s:svg>", "cut short or not XML: no element found: line 1"),
        (f"<?xml version='1.0'?>\n{DOCTYPE}\n[]>\n<svg\n<", "line 5, column 0; export it again"),
    ],
)
def test_what_is_no_svg_or_expands_without_end_is_refused(content, complaint):
    content = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_document(content)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a Git LFS pointer"),
        (b"%PDF-1.4\n", "a PDF file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript file"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b'\xef\xbb\xbf\n{"type": "excalidraw"}', "JSON, as Excalidraw"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        refuse_other_files(content)


def test_drawings_are_not_taken_for_other_files():
    for content in (PLAIN.encode(), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b""):
        refuse_other_files(content)


@pytest.mark.parametrize(
    "content",
    [
        DOCTYPE + ">" + PLAIN,
        "\n<?xml version='1.0'?>" + PLAIN,
        PLAIN + "<p/>",
        described("&nbsp;", "utf-8").decode(),
        described("<i:a/>", "utf-8").decode(),
        described("\u732b", "gb2312"),
    ],
)
def test_strict_xml_is_xml_to_every_program(content):
    content = content if isinstance(content, bytes) else content.encode()
    parse_document(content)
    with pytest.raises(ValueError, match="DTD or entities|not XML|not in UTF-8"):
        parse_strict(content)


def test_a_frame_with_a_doctype_is_read_as_fast_as_one_without():
    reader = SvgReader(64)
    frame = f"{DOCTYPE}>{PLAIN}".replace("H56", "L56 32").encode()
    for svg in (gzip.compress(frame), frame):
        reader.read(svg)
        assert reader.page is not None
    # Its only path data between double quotes is in no path.
    entity = b""" [<!ENTITY a ' d="M8 32L56 32" '>]>"""
    head, path = frame.replace(b'"', b"'").split(b">", 1)
    reader.read(head + entity + path)
    assert reader.page is None

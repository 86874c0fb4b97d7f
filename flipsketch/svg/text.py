"""The bytes of an SVG file as text that a parser of XML reads and that declares nothing.

Programs write SVG compressed, in many encodings, below a DOCTYPE, with entities, or not quite as
XML. Here these are undone without a look at any other file: the external part of a DOCTYPE is never
read, and entities serve a bounded number of characters.
"""

import codecs
import gzip
import html
import html.entities
import io
import re
import zlib

from flipsketch.svg.limits import MAX_BYTES

MAX_ENTITY_CHARACTERS = 1 << 21
"""That all entities of a file serve together. Those of Illustrator are names and styles of up to
200 characters, and each element uses one."""
MAX_DOCTYPE_CHARACTERS = 1 << 18
MAX_STRAY_CHARACTERS = 10_000
"""Control characters in a text, which are left out; what has more is no text."""
MAX_REFERENCES = 200_000
MAX_ENTITY_LEVELS = 4
"""Entities within entities."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is its beginning.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    # Without a mark; an XML file begins with `<`.
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Python's codecs that are no character encodings; the time of some grows with the square.
NOT_ENCODINGS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}

# In each pattern what has no end runs to the end of the text: to look for one again and again would
# take a time that grows with the square.
DECLARED_ENCODING = re.compile(rb"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""")
PROLOG = re.compile(r"(?:[\s\ufeff]++|<\?.*?(?:\?>|\Z)|<!--.*?(?:-->|\Z))*+", re.DOTALL)
SUBSET = re.compile(
    r"""<!ENTITY\s+(?P<name>[\w:.-]+)\s+(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')\s*>"""
    r"""|<!ENTITY\s+(?P<elsewhere>[\w:.-]+)\s+(?:SYSTEM|PUBLIC)\b"""
    r"""|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|"[^"]*(?:"|\Z)|'[^']*(?:'|\Z)"""
    r"""|(?P<mark>[\[\]>]|<!)""",
    re.DOTALL,
)
# What XML does not look into, a character by its number, an entity, any other `&`.
REFERENCE = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    r"|&(?:#(?P<decimal>\d{1,7});|#x(?P<hexadecimal>[0-9a-fA-F]{1,6});|(?P<name>[\w:.-]+);)?",
    re.DOTALL,
)
NOT_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
XML_ENTITIES = {"lt", "gt", "amp", "quot", "apos"}

HTML = re.compile(r"<(?:!doctype\s+)?html\b", re.IGNORECASE)
# The first bytes of files that are saved under the name of a drawing.
OTHER_FILES = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run git lfs pull"),
    (b"%PDF", "a PDF file; export the drawing as SVG or PNG"),
    (b"%!PS", "a PostScript file; export the drawing as SVG or PNG"),
    (b"8BPS", "a Photoshop file; export the drawing as SVG or PNG"),
    (
        b"PK\x03\x04",
        "a ZIP archive, as drawing programs write too; export the drawing as SVG or PNG",
    ),
    (b"{", "JSON, as Excalidraw and Lottie write; export the drawing as SVG or PNG"),
)


def refuse_other_files(content: bytes) -> None:
    """Raise ValueError that names what a file is, if it is known and no drawing. (An HTML page may
    begin as an SVG does; `parse_xml` refuses it.)"""
    start = content[:64].removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, what in OTHER_FILES:
        if start.startswith(signature):
            raise ValueError(f"the file is {what}")


def refuse_html(text: str) -> None:
    start = skip_prolog(text)
    if not HTML.match(text, start):
        return
    if re.search(r"<svg\b", text, re.IGNORECASE):
        raise ValueError("the file is an HTML page with an SVG in it; save the <svg> alone")
    title = re.search(r"<title>\s*([^<]{1,80})", text, re.IGNORECASE)
    named = f" ({title[1].strip()!r})" if title else ""
    raise ValueError(
        f"the file is an HTML page{named}, not a drawing; if it was downloaded, the server sent "
        f"this page in its place: download it again"
    )


def unpack(svg: bytes) -> bytes:
    """Return an SVG's own bytes, of .svgz too, within the limit on them."""
    if svg.startswith(b"\x1f\x8b"):
        try:
            svg = gzip.GzipFile(fileobj=io.BytesIO(svg)).read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"the SVG is compressed with gzip (.svgz) and damaged: {error}; compress it again, "
                f"or fetch the whole file"
            ) from error
        if len(svg) > MAX_BYTES:
            raise ValueError(f"the SVG has more than {MAX_BYTES:,} bytes; simplify it")
    if len(svg) > MAX_BYTES:
        raise ValueError(f"the SVG has {len(svg):,} bytes, the limit is {MAX_BYTES:,}; simplify it")
    if not svg.strip():
        raise ValueError("the SVG is empty; write the file again")
    return svg


def read_text(svg: bytes) -> str:
    """Return an SVG's text without XML declaration, DOCTYPE and entities, line by line as in the
    file."""
    text = decode(svg)
    refuse_html(text)
    declared: dict[str, str | None] = {}
    end = skip_prolog(text)
    if text[end : end + 9].upper() == "<!DOCTYPE":
        end = read_doctype(text, end, declared)
    # So that lines keep their numbers.
    text = "\n" * text.count("\n", 0, end) + text[end:]
    text = NOT_CHARACTERS.sub("", text, count=MAX_STRAY_CHARACTERS)
    return serve_entities(text, declared)


def is_utf8(svg: bytes) -> bool:
    """Tell whether an XML file is said to be in UTF-8, as it is where nothing is said."""
    match = DECLARED_ENCODING.match(svg)
    return match is None or match[1].lower() in (b"utf-8", b"utf8", b"us-ascii", b"ascii")


def decode(svg: bytes) -> str:
    """Return the text of bytes in UTF-8, in UTF-16 or UTF-32, or in the encoding that they declare;
    of those in none of these as Windows reads Western text."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if svg.startswith(mark):
            return svg.decode(encoding, "replace")
    match = DECLARED_ENCODING.match(svg)
    for encoding in (match[1].decode("ascii", "replace") if match else "utf-8", "utf-8"):
        try:
            if codecs.lookup(encoding).name in NOT_ENCODINGS:
                continue
            text = svg.decode(encoding)
        except (LookupError, ValueError):
            continue
        # Declared by the program that wrote an earlier version, as UTF-16 is in files in UTF-8.
        if "<" in text[:4096]:
            return text
    return svg.decode("cp1252", "replace")


def skip_prolog(text: str) -> int:
    """Return where the DOCTYPE or the first element begins."""
    match = PROLOG.match(text)
    return match.end() if match else 0


def no_xml(what: object) -> ValueError:
    """Return the error of a file that cannot be parsed."""
    return ValueError(
        f"the SVG is cut short or not XML: {what}; export it again from the program that drew it, "
        f"or, if it was copied or downloaded, fetch the whole file"
    )


def read_doctype(text: str, start: int, declared: dict[str, str | None]) -> int:
    """Return where a DOCTYPE ends; add the entities that it declares, None for one that lies in
    another file. Others, and what else it declares, are not used."""
    level = 0
    for token in SUBSET.finditer(text, start, start + MAX_DOCTYPE_CHARACTERS):
        if token["name"]:
            # The first of two declarations counts.
            declared.setdefault(token["name"], token["double"] or token["single"] or "")
        elif token["elsewhere"]:
            declared.setdefault(token["elsewhere"], None)
            level += 1
        elif token["mark"]:
            level += 1 if token["mark"] in ("<!", "[") else -1
            if level == 0:
                return token.end()
    raise no_xml("its DOCTYPE has no end")


def serve_entities(text: str, declared: dict[str, str | None]) -> str:
    """Replace the references to declared entities and to those of HTML by what they stand for; a
    reference to none is text.

    Raises:
        ValueError: an entity lies in another file, or they expand to too much.
    """
    if (num_references := text.count("&")) > MAX_REFERENCES:
        raise ValueError(
            f"the SVG has {num_references:,} `&`, the limit is {MAX_REFERENCES:,}; export it "
            f"without entities"
        )
    if not num_references:
        return text
    num_served = 0

    def serve(match: re.Match[str]) -> str:
        nonlocal num_served
        reference, name = match[0], match["name"]
        if not reference.startswith("&") or name in XML_ENTITIES:
            return reference
        if name in declared:
            value = declared[name]
            if value is None:
                raise ValueError(
                    f"the SVG's entity {name[:40]} lies in another file, which is not read; write "
                    f"what it stands for into the SVG"
                )
            num_served += len(value)
            if num_served > MAX_ENTITY_CHARACTERS:
                raise ValueError(
                    f"the SVG's entities expand to more than {MAX_ENTITY_CHARACTERS:,} "
                    f"characters; export it without entities"
                )
            # An element as an entity has quotes of its own; else it may stand in an attribute.
            return value if "<" in value else value.replace('"', "&#34;").replace("'", "&#39;")
        if match["decimal"] or match["hexadecimal"]:
            code = int(match["decimal"] or match["hexadecimal"], 10 if match["decimal"] else 16)
            is_character = code < 0x110000 and not NOT_CHARACTERS.match(chr(code))
            return reference if is_character else ""
        if (character := html.entities.html5.get(f"{name};")) is not None:
            return html.escape(character)
        return "&amp;" + reference[1:]

    for _ in range(MAX_ENTITY_LEVELS + 1):
        num_before = num_served
        text = REFERENCE.sub(serve, text)
        if num_served == num_before:
            return text
    raise ValueError(
        f"the SVG's entities refer to each other over more than {MAX_ENTITY_LEVELS} levels; "
        f"export it without entities"
    )

"""An SVG file of unknown origin as a tree of elements that nothing can be hidden in.

`parse_xml` returns the tree as the file has it, with names in their namespaces; `parse_document`
keeps what SVG may draw of it: elements and attributes with bare names. Neither reads another file.
"""

import functools
import re
from contextlib import suppress
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from flipsketch.svg.limits import MAX_ELEMENTS, check_tree
from flipsketch.svg.text import is_utf8, no_xml, read_text, skip_prolog, unpack

SVG_NAMESPACE = "http://www.w3.org/2000/svg"
XLINK_NAMESPACE = "http://www.w3.org/1999/xlink"
SVG_NAMESPACES = ("", "{" + SVG_NAMESPACE)
# What HTML writes in lower case and SVG knows in this case alone.
ELEMENT_NAMES = {
    name.lower(): name
    for name in (
        "svg animateColor animateMotion animateTransform clipPath foreignObject linearGradient "
        "radialGradient textPath"
    ).split()
}
ATTRIBUTE_NAMES = {
    name.lower(): name
    for name in (
        "viewBox preserveAspectRatio gradientUnits gradientTransform spreadMethod clipPathUnits "
        "maskUnits maskContentUnits patternUnits patternContentUnits patternTransform markerUnits "
        "markerWidth markerHeight refX refY pathLength requiredExtensions requiredFeatures "
        "systemLanguage"
    ).split()
}
# Of expat: a prefix that no xmlns declares; more behind the end of the root element.
UNBOUND_PREFIX, JUNK_AT_END = 27, 9
KNOWN_PREFIXES = {"xlink": XLINK_NAMESPACE, "svg": SVG_NAMESPACE}
ENTITIES = re.compile(r"\s*(?:&[\w:.-]+;\s*)+")
MAX_ATTRIBUTES = 10 * MAX_ELEMENTS
MAX_ATTRIBUTES_OF_ELEMENT = 50_000
"""Each `=` counts, as in the drawing that draw.io keeps in an attribute."""


def parse_document(svg: bytes) -> Element:
    """Return the root of what SVG may draw of a file: elements and attributes have bare names in
    SVG's own case, `xlink:href` is `href`; elements of other namespaces, with what is in them, and
    other attributes with a namespace are gone.

    Raises:
        ValueError: it is no SVG, is cut short, or exceeds a limit.
    """
    root = parse_xml(svg)
    elements = [root]
    while elements:
        element = elements.pop()
        element.tag = svg_name(element.tag)
        if any("}" in name or name in ATTRIBUTE_NAMES for name in element.keys()):
            element.attrib = clean_attributes(element.attrib)
        if not all(svg_name(child.tag) for child in element):
            element[:] = [child for child in element if svg_name(child.tag)]
        elements += element
    return root


def clean_attributes(attributes: dict[str, str]) -> dict[str, str]:
    cleaned = {}
    for full_name, value in attributes.items():
        namespace, _, name = full_name.rpartition("}")
        if not namespace:
            name = ATTRIBUTE_NAMES.get(name, name)
            # An attribute in the right case stands.
            if name == full_name or name not in attributes:
                cleaned[name] = value
        elif name == "href" and namespace.endswith("xlink") and name not in attributes:
            cleaned[name] = value
    return cleaned


def parse_xml(svg: bytes) -> Element:
    """Return the root of an SVG within the limits on bytes, elements, depth and numbers, as the
    file has it; SVG's own names have SVG's namespace or none."""
    if not isinstance(svg, bytes):
        kind = type(svg).__name__
        raise TypeError(f"an SVG is read from its bytes, got {kind}: give Path(...).read_bytes()")
    svg = unpack(svg)
    root = None
    # Most files are plain XML, which need not become text first.
    if is_utf8(svg) and b"<!DOCTYPE" not in svg:
        with suppress(ParseError):
            root = build_tree(svg)
    if root is None or root.tag.lower() == "html":
        root = parse_text(read_text(svg))
    return check_root(root)


def parse_strict(svg: bytes) -> Element:
    """Return the root of an SVG as `parse_xml` does, if it is XML in UTF-8 without DOCTYPE."""
    if not is_utf8(svg):
        raise ValueError("the SVG is not in UTF-8")
    if b"<!DOCTYPE" in svg:
        raise ValueError("the SVG has a DTD or entities (<!DOCTYPE ...>); remove them")
    try:
        return check_root(build_tree(unpack(svg)))
    except ParseError as error:
        raise no_xml(error) from error


def build_tree(svg: bytes, *, may_go_on: bool = False) -> Element:
    """Return the root of XML in UTF-8.

    Args:
        may_go_on: something else may follow the root, which is left out.
    """
    check_markup(svg)
    builder = TreeBuilder()
    parser = XMLParser(target=builder, encoding="utf-8")
    try:
        parser.feed(svg)
        return parser.close()
    except ParseError as error:
        if may_go_on and error.code == JUNK_AT_END:
            return builder.close()
        raise


def parse_text(text: str) -> Element:
    """Return the root of nearly right XML: prefixes may be undeclared, as in an <svg> that was cut
    out of a page, and something may follow the root."""
    try:
        try:
            root = build_tree(text.encode(), may_go_on=True)
        except ParseError as error:
            if error.code != UNBOUND_PREFIX:
                raise
            root = build_tree(declare_prefixes(text).encode(), may_go_on=True)
    except ParseError as error:
        raise no_xml(error) from error
    if "&amp;" in text:
        check_references(root)
    return root


def check_references(root: Element) -> None:
    """Raise ValueError for an attribute that is an entity and was not served: without its style an
    outline would be a black shape. (Elsewhere, as in a title, `&...;` is a slip of the pen.)"""
    for element in root.iter():
        for name, value in element.items():
            # Illustrator writes the name of its own extension as an entity.
            is_read = "}" not in name and name != "requiredExtensions"
            if "&" in value and is_read and ENTITIES.fullmatch(value):
                raise ValueError(
                    f"the SVG's {name[:40]} is the entity {value.strip()[:40]}, which is not "
                    f"declared; put back the DOCTYPE that declares it"
                )


def declare_prefixes(text: str) -> str:
    """Return XML in whose root element all prefixes are declared."""
    start = text.index("<", skip_prolog(text))
    tag = text[start : text.index(">", start)]
    used = set(re.findall(r"[\s</]([A-Za-z_][\w.-]*):[A-Za-z_]", text, re.ASCII))
    missing = used - {"xml", "xmlns", *re.findall(r"\sxmlns:([\w.-]+)", tag)}
    declared = "".join(
        f' xmlns:{prefix}="{KNOWN_PREFIXES.get(prefix, "undeclared:" + prefix)}"'
        for prefix in sorted(missing)
    )
    name = re.compile(r"<[^\s/>]*").match(text, start)
    end = name.end() if name else start
    return text[:end] + declared + text[end:]


def check_markup(svg: bytes) -> None:
    """Raise ValueError for more elements or attributes than the limits allow, before they are
    made."""
    # An element takes four bytes or more.
    if len(svg) < 4 * MAX_ELEMENTS:
        return
    num_elements = svg.count(b"<") - sum(map(svg.count, (b"</", b"<!", b"<?")))
    check_count("elements", num_elements, MAX_ELEMENTS)
    num_attributes = svg.count(b"=")
    check_count("attributes", num_attributes, MAX_ATTRIBUTES)
    if num_attributes > MAX_ATTRIBUTES_OF_ELEMENT:
        most = max(tag.count(b"=") for tag in svg.split(b"<"))
        check_count("attributes in one element", most, MAX_ATTRIBUTES_OF_ELEMENT)


def check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise ValueError(f"the SVG has more than {limit:,} {what}; simplify it")


def check_root(root: Element) -> Element:
    """Return an SVG's root, in SVG's namespace or none however the file writes its address."""
    check_tree(root)
    namespace, _, name = root.tag.rpartition("}")
    if name.lower() != "svg" or (namespace and "svg" not in namespace.lower()):
        raise ValueError(
            f"the root element is <{root.tag[:40]}>, but an SVG has <svg>; export the drawing "
            f"as SVG"
        )
    if namespace not in SVG_NAMESPACES:
        for element in root.iter():
            element.tag = element.tag.removeprefix(namespace + "}")
    if name != "svg":
        root.tag = "svg"
    return root


@functools.lru_cache(256)
def svg_name(tag: str) -> str:
    """Return an element's name, empty for an element in an editor's namespace."""
    namespace, _, name = tag.rpartition("}")
    return ELEMENT_NAMES.get(name, name) if namespace in SVG_NAMESPACES else ""

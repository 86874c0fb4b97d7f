"""CSS resolved into presentation attributes, so that nothing after it has to know CSS.

After `apply_styles` each element has its own values (what it inherits stays with its ancestors),
valid and in the form that properties.py describes:

- Colours are `#rrggbb`, `rgba(r,g,b,a)`, `none`, `currentcolor`, `context-fill`, `context-stroke`,
  or `url(#id)` with an optional fallback behind it. `currentcolor` stays in `fill` and `stroke`,
  because a `use` changes what it is; elsewhere (stops) it is resolved here.
- Lengths are plain numbers, but for what depends on the viewport: percentages, `vw`, `calc()` with
  these, which `units.read_length` reads.
- `transform` is SVG's, with `transform-origin` and the properties `translate`, `rotate`, `scale` in
  it, also on `svg` elements; on gradients and patterns it is `gradientTransform` and
  `patternTransform`.
- The root's page colour is its attribute `background`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from flipsketch.svg.placement import NAMES, TRANSFORMS, Placement, place_all
from flipsketch.svg.properties import (
    ALIASES,
    ATTRIBUTES,
    INITIAL,
    LENGTHS,
    PROPERTIES,
    Normalizer,
    expand_shorthand,
)
from flipsketch.svg.stylesheet import Declaration, Rule, is_plain, read_declarations, read_rules
from flipsketch.svg.transforms import PART
from flipsketch.svg.units import (
    FONT_LENGTH,
    FONT_SIZE,
    Size,
    plain_length,
    read_length,
    without_font_units,
    write_number,
)
from flipsketch.svg.variables import define, substitute
from flipsketch.svg.viewport import read_view_box

WIDE = {"inherit", "initial", "unset", "revert", "revert-layer"}
MAX_MATCHES = 2_000_000
"""Declarations that rules give to elements, together."""
MAX_VARIABLE_TEXT = 5_000_000
"""Characters of variables that elements define, together."""
# Resolved here: no `use` comes between these and the element whose colour they take.
OTHER_COLOURS = ("stop-color", "background")

Values = dict[str, str]


@dataclass(frozen=True)
class Context:
    """What an element gets from those around it."""

    root: Element
    color: str = "#000000"
    font_size: float = FONT_SIZE
    root_font_size: float = FONT_SIZE
    viewport: Size = (100.0, 100.0)
    """Of the nearest viewport, in its own units."""
    variables: Values = field(default_factory=dict)
    parent: Values = field(default_factory=dict)
    """For `inherit` of what is not inherited by itself."""


def apply_styles(root: Element) -> None:
    """Resolve all CSS of a tree into presentation attributes, in place.

    Raises:
        ValueError: there is more of it than the limits allow.
    """
    rules = read_rules(root)
    matched = match_rules(root, rules) if rules else {}
    sheet = Sheet(rules)
    stack = [(root, Context(root))]
    while stack:
        element, context = stack.pop()
        inner = sheet.style(element, matched.get(element, ()), context)
        for child in [child for child in element if child.tag == "style"]:
            element.remove(child)
        stack += [(child, inner) for child in reversed(element)]
    place_all(sheet.placements)


def match_rules(root: Element, rules: list[Rule]) -> dict[Element, tuple[int, ...]]:
    """Return the rules of each element, the strongest last."""
    from cssselect2.parser import SelectorError, parse

    from flipsketch.svg.selectors import Tree

    tree = Tree(root)
    found: list[tuple[tuple[int, ...], int, list[int]]] = []
    num_matches = 0
    for number, rule in enumerate(rules):
        try:
            selectors = list(parse(rule.prelude))
            members = [tree.members(selector.parsed_tree) for selector in selectors]
        except (SelectorError, RecursionError, AttributeError):
            # As CSS says: one bad selector takes its rule along. (The library trips over some.)
            continue
        for selector, numbers in zip(selectors, members, strict=True):
            if selector.pseudo_element is None:
                num_matches += len(numbers) * len(rule.declarations)
                found.append((selector.specificity, number, numbers))
        if num_matches > MAX_MATCHES:
            raise ValueError("the SVG's style rules match too many elements; simplify it")
    matched: dict[Element, list[int]] = {}
    for _, rule_number, numbers in sorted(found, key=lambda item: item[:2]):
        for element in numbers:
            matched.setdefault(tree.elements[element], []).append(rule_number)
    return {element: tuple(numbers) for element, numbers in matched.items()}


class Sheet:
    """Rules, and what they come to for elements with the same ones."""

    def __init__(self, rules: list[Rule]) -> None:
        self.normalize = Normalizer()
        self.rules = [list(expand(rule.declarations, self.normalize)) for rule in rules]
        self.merged: dict[tuple[tuple[int, ...], str], Values] = {}
        self.num_defined = 0
        self.placements: list[Placement] = []

    def style(self, element: Element, rules: tuple[int, ...], context: Context) -> Context:
        """Give an element its own values, and return what is around its children."""
        attributes, values = split_attributes(element, self.normalize)
        style = element.get("style", "")
        declared: Values = {}
        if rules or style:
            declared = self.merge(rules, style)
            if element is context.root:
                # A page's size is no size of the drawing.
                declared = {k: v for k, v in declared.items() if not is_page_size(k, v)}
            values |= {name: text for name, text in declared.items() if name[:2] != "--"}
        context = self.define(declared, context)
        if any(text in WIDE or "var(" in text.lower() for text in values.values()):
            values = dict(settle(values, declared, context, self.normalize))
        context = set_context(element, values, context)
        moves = {name: values.pop(name) for name in TRANSFORMS & values.keys()}
        is_css = "transform" in declared
        if moves and not is_css and moves.keys() == {"transform"}:
            if element.tag not in NAMES:
                values |= moves
        elif moves:
            moves["transform-box"] = values.get("transform-box", "view-box")
            moved = Placement(element, moves, is_css, context.viewport, context.font_size)
            self.placements.append(moved)
        if element is not context.root:
            values.pop("background", None)
        element.attrib.clear()
        element.attrib.update(attributes)
        element.attrib.update(values)
        return replace(context, parent=values)

    def merge(self, rules: tuple[int, ...], style: str) -> Values:
        """Return the strongest valid value of each property, from the weakest source up."""
        if (found := self.merged.get((rules, style))) is None:
            if not is_plain(style):
                self.normalize.spend(len(style))
            own = list(expand(read_declarations(style), self.normalize))
            sources = [*(self.rules[rule] for rule in rules), own]
            found = self.merged[rules, style] = {
                name: value
                for is_important in (False, True)
                for source in sources
                for name, value, important in source
                if important == is_important
            }
        return found

    def define(self, declared: Values, context: Context) -> Context:
        """Return the context with the variables that an element defines."""
        own = {name: text for name, text in declared.items() if name.startswith("--")}
        if not own or own.items() <= context.variables.items():
            return context
        self.num_defined += sum(map(len, own.values())) + 20 * len(context.variables)
        if self.num_defined > MAX_VARIABLE_TEXT:
            raise ValueError("the SVG's style defines too many variables; simplify it")
        return replace(context, variables=define(own, context.variables))


def split_attributes(element: Element, normalize: Normalizer) -> tuple[Values, Values]:
    """Return an element's other attributes, and its presentation attributes that are valid."""
    attributes, values = {}, {}
    for name, text in element.items():
        if name not in ATTRIBUTES:
            if name not in ("style", "class"):
                attributes[name] = text
        elif text.strip().lower() in WIDE or "var(" in text.lower():
            values[name] = text.strip()
        elif (value := normalize(name, text, True)) is not None:
            values[name] = value
    return attributes, values


def expand(declarations: Iterable[Declaration], normalize: Normalizer) -> Iterator[Declaration]:
    """Yield what is valid, shorthands as what they stand for."""
    for name, text, important in declarations:
        if name.startswith("--"):
            yield name, text, important
            continue
        for longhand, value in expand_shorthand(ALIASES.get(name, name), text):
            if longhand not in PROPERTIES:
                continue
            if value.lower() in WIDE or "var(" in value.lower():
                yield longhand, value, important
            elif (normal := normalize(longhand, value)) is not None:
                yield longhand, normal, important


def settle(
    values: Values, declared: Values, context: Context, normalize: Normalizer
) -> Iterator[tuple[str, str]]:
    """Yield values without variables, `inherit` and `initial`."""
    for name, text in values.items():
        if "var(" in text.lower():
            try:
                text = substitute(text, context.variables).strip()
            except ValueError:
                text = ""
            if text.lower() not in WIDE:
                # Not the value before it: once there is a variable, that is forgotten.
                text = normalize(name, text, name not in declared) or "unset"
        word = text.lower()
        if word not in WIDE:
            yield name, text
        elif word == "initial" and name in INITIAL:
            yield name, INITIAL[name]
        elif word == "inherit" and name not in INITIAL and name in context.parent:
            yield name, context.parent[name]


def set_context(element: Element, values: Values, context: Context) -> Context:
    """Return what is around the children; make colours and lengths independent of it."""
    color, font_size, viewport = context.color, context.font_size, context.viewport
    root_size = context.root_font_size
    if "font-size" in values:
        plain = without_font_units(values["font-size"], font_size, root_size)
        try:
            font_size = read_length(plain, font_size, viewport=viewport)
        except ValueError:
            # Beyond all numbers; as if it were not set.
            del values["font-size"]
        else:
            values["font-size"] = write_number(font_size)
            root_size = font_size if element is context.root else root_size
    if values.get("color") == "currentcolor":
        del values["color"]
    color = values.get("color", color)
    for name in OTHER_COLOURS:
        if values.get(name) == "currentcolor":
            values[name] = color
    for name in LENGTHS.intersection(values):
        if FONT_LENGTH.search(values[name]):
            parts = PART.findall(without_font_units(values[name], font_size, root_size))
            try:
                values[name] = " ".join(map(plain_length, parts))
            except ValueError:
                del values[name]
    viewport = read_viewport(element, values, viewport)
    if (color, font_size, viewport) == (context.color, context.font_size, context.viewport):
        return context
    return replace(
        context, color=color, font_size=font_size, root_font_size=root_size, viewport=viewport
    )


def read_viewport(element: Element, values: Values, outer: Size) -> Size:
    """Return width and height of the viewport within an element."""
    if (box := read_view_box(element)) is not None:
        return box.width, box.height
    if element.tag != "svg":
        return outer
    try:
        width, height = (
            read_length(values.get(name, "100%"), side, viewport=outer)
            for name, side in zip(("width", "height"), outer, strict=True)
        )
    except ValueError:
        return outer
    return width, height


def is_page_size(name: str, value: str) -> bool:
    """Return whether a property of the root is its size as a part of a page."""
    return name in ("width", "height") and ("%" in value or "v" in value)

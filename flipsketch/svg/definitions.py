"""What a document's elements refer to, found by id, and the definitions made of it."""

import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from flipsketch.svg.elements import DRAWN
from flipsketch.svg.limits import MAX_DRAWN_ELEMENTS
from flipsketch.svg.properties import INITIAL
from flipsketch.svg.scope import Properties, Scope
from flipsketch.svg.viewport import Viewport

URL = re.compile(r"""\s*url\(\s*["']?([^"')]*)["']?\s*\)\s*(.*)""", re.ASCII | re.DOTALL)
MAX_LEVELS = 128
"""Of elements, copies and definitions within one another: each takes up to five of the 1,000 calls
that Python's stack holds."""
MAX_HREFS = 64

T = TypeVar("T")


class Definitions:
    """The definitions of a normal tree, each made when something drawn first refers to it."""

    def __init__(self, root: Element) -> None:
        self.made: list[Element] = []
        self.num_drawn = 0
        """Elements that drawing touches; those of a definition count again wherever it is used."""
        self.level = 0
        self.by_id: dict[str, Element] = {}
        self.parents: dict[Element, Element] = {}
        self.has_copies = False
        for element in root.iter():
            self.has_copies |= element.tag == "use"
            if (name := element.get("id")) is not None:
                self.by_id.setdefault(name, element)
            self.parents.update((child, element) for child in element)
        self.known: dict[Hashable, tuple[Any, int]] = {}
        self.in_progress: list[Element] = []

    def find(self, reference: str) -> Element | None:
        """Return the element that `#id` or `url(#id)` means; None outside of the document."""
        if match := URL.match(reference):
            reference = match[1]
        reference = reference.strip()
        if not reference.startswith("#"):
            return None
        found = self.by_id.get(reference[1:])
        return found if found is not None else self.by_id.get(unquote(reference[1:]))

    def chain(self, element: Element) -> list[Element]:
        """Return an element and, in turn, those that its href takes attributes from."""
        found = [element]
        while len(found) < MAX_HREFS:
            target = self.find(found[-1].get("href", ""))
            if target is None or target in found:
                break
            found.append(target)
        return found

    def add(self, element: Element) -> str:
        """Give a definition its name, and return the reference to it."""
        self.made.append(element)
        name = f"r{len(self.made)}"
        element.set("id", name)
        return f"url(#{name})"

    def once(self, element: Element, key: Hashable, make: Callable[[], T]) -> T | None:
        """Return what `make` returns for an element and a key, made once.

        It is None for an element that is reached from its own content.
        """
        if element in self.in_progress:
            return None
        key = (element, key)
        if key in self.known:
            made, weight = self.known[key]
            self.spend(weight)
            return made
        num_before = self.num_drawn
        self.in_progress.append(element)
        self.descend(3)
        made = make()
        self.level -= 3
        self.in_progress.pop()
        self.known[key] = (made, self.num_drawn - num_before)
        return made

    def descend(self, levels: int = 1) -> None:
        self.level += levels
        if self.level > MAX_LEVELS:
            raise ValueError(
                f"the SVG has more than {MAX_LEVELS} levels of elements with the copies that <use> "
                "makes; simplify it"
            )

    def spend(self, count: int) -> None:
        """Raise ValueError if `count` more elements are too many to draw."""
        self.num_drawn += count
        if self.num_drawn > MAX_DRAWN_ELEMENTS:
            raise ValueError(
                f"the SVG draws more than {MAX_DRAWN_ELEMENTS:,} elements with the copies that "
                "<use>, markers, masks and patterns make; simplify it"
            )

    def ancestors(self, element: Element) -> Iterator[Element]:
        while (parent := self.parents.get(element)) is not None:
            yield parent
            element = parent

    def scope_of(self, element: Element, viewport: Viewport) -> Scope:
        """Return the scope of what is in a definition, which inherits from where it is written."""
        properties: Properties = INITIAL
        for ancestor in (*reversed([*self.ancestors(element)]), element):
            own = {name: value for name, value in ancestor.items() if name in INITIAL}
            properties = {**properties, **own}
        return Scope(viewport, properties)

    def check_copies(self, root: Element) -> None:
        """Raise ValueError if `use` makes too many elements, before any is made.

        A copy within its own target does not count; the count ends just above the limit.
        """
        if not self.has_copies:
            return
        counts: dict[Element, int] = {}
        started: set[Element] = set()
        stack = [root]
        while stack:
            element = stack[-1]
            inner = [child for child in element if child.tag in DRAWN]
            target = self.find(element.get("href", "")) if element.tag == "use" else None
            if target is not None:
                inner = [target]
            if element not in started:
                started.add(element)
                stack += [child for child in inner if child not in started]
                continue
            stack.pop()
            total = 1 + sum(counts.get(child, 0) for child in inner)
            counts.setdefault(element, min(total, MAX_DRAWN_ELEMENTS + 1))
        self.spend(counts[root])
        self.num_drawn = 0

"""What a document's elements refer to, found by id, and the definitions made of it."""

import re
from collections.abc import Callable, Hashable, Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from flipsketch.svg.limits import MAX_DRAWN_ELEMENTS
from flipsketch.svg.scope import INITIAL, Properties, Scope
from flipsketch.svg.viewport import Viewport

URL = re.compile(r"""url\(\s*["']?\s*([^"')]*?)\s*["']?\s*\)\s*(.*)""", re.ASCII | re.DOTALL)


class Definitions:
    """The definitions of a normal tree, each made when something drawn first refers to it."""

    def __init__(self, root: Element) -> None:
        self.made: list[Element] = []
        self.spent = 0
        """Elements that drawing touches: a definition's count again wherever it is used."""
        self.by_id: dict[str, Element] = {}
        self.parents: dict[Element, Element] = {}
        for element in root.iter():
            if (name := element.get("id")) is not None:
                self.by_id.setdefault(name, element)
            self.parents.update((child, element) for child in element)
        self.known: dict[Hashable, tuple[str | None, int]] = {}
        self.in_progress: list[Element] = []

    def find(self, reference: str) -> Element | None:
        """Return the element that `#id` or `url(#id)` means; None outside of the document."""
        if match := URL.match(reference):
            reference = match[1]
        marker, name = reference.strip()[:1], reference.strip()[1:]
        if marker != "#":
            return None
        found = self.by_id.get(name)
        return found if found is not None else self.by_id.get(unquote(name))

    def chain(self, element: Element) -> list[Element]:
        """Return an element and those that it takes attributes from by its href, in turn."""
        found = [element]
        while (target := self.find(found[-1].get("href", ""))) is not None:
            if target in found or len(found) > 100:
                break
            found.append(target)
        return found

    def add(self, element: Element) -> str:
        """Give a definition its name, and return the reference to it."""
        self.made.append(element)
        name = f"r{len(self.made)}"
        element.set("id", name)
        return f"url(#{name})"

    def once(self, element: Element, key: Hashable, make: Callable[[], str | None]) -> str | None:
        """Return the reference that `make` returns for an element, or returned for the same key.

        It is None if the element is reached from its own content.
        """
        if element in self.in_progress:
            return None
        key = (id(element), key)
        if key not in self.known:
            spent = self.spent
            self.in_progress.append(element)
            try:
                reference = make()
            finally:
                self.in_progress.pop()
            self.known[key] = (reference, self.spent - spent)
        else:
            reference, weight = self.known[key]
            self.spend(weight)
        return reference

    def spend(self, count: int) -> None:
        """Raise ValueError if `count` more elements are too many to draw."""
        self.spent += count
        if self.spent > MAX_DRAWN_ELEMENTS:
            raise ValueError(
                f"the SVG draws more than {MAX_DRAWN_ELEMENTS:,} elements with the copies that "
                "<use>, markers, masks and patterns make; simplify it"
            )

    def ancestors(self, element: Element) -> Iterator[Element]:
        while (parent := self.parents.get(element)) is not None:
            yield parent
            element = parent

    def scope_of(self, element: Element, viewport: Viewport) -> Scope:
        """Return the scope of what is in a definition: it inherits from where it is written."""
        properties: Properties = INITIAL
        for ancestor in (*reversed([*self.ancestors(element)]), element):
            own = {name: value for name, value in ancestor.items() if name in INITIAL}
            properties = {**properties, **own}
        return Scope(viewport, properties)

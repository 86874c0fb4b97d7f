"""CSS selectors on a whole tree at once.

cssselect2 reads them. It matches by asking each element, and again its ancestors and siblings,
which a file can make last for hours; here a selector is a mask over all elements, so that its cost
is a few passes over them.
"""

from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from cssselect2 import parser
from cssselect2.parser import SelectorError
from tinycss2.nth import parse_nth

# True of nothing in a still picture.
NEVER = set(
    "hover active focus focus-within focus-visible visited link any-link local-link target "
    "target-within enabled disabled checked indeterminate default valid invalid in-range "
    "out-of-range required optional read-only read-write placeholder-shown autofill current past "
    "future playing paused seeking buffering stalled muted volume-locked user-valid user-invalid "
    "host fullscreen modal popover-open picture-in-picture".split()
)
# Elements passed over by all selectors together: about a second.
MAX_PASSED = 100_000_000

Mask = np.ndarray  # of bool, one an element


class Tree:
    """The elements of a document in its order, and where each stands."""

    def __init__(self, root: Element) -> None:
        elements: list[Element] = []
        parents: list[int] = []
        places: list[int] = []
        befores: list[int] = []
        stack = [(root, -1, 0)]
        last_child: dict[int, int] = {}
        while stack:
            element, parent, place = stack.pop()
            number = len(elements)
            elements.append(element)
            parents.append(parent)
            places.append(place)
            befores.append(last_child.get(parent, -1))
            last_child[parent] = number
            stack += [(child, number, i) for i, child in reversed(list(enumerate(element)))]
        ends = list(range(1, len(elements) + 1))
        for number in range(len(elements) - 1, 0, -1):
            ends[parents[number]] = max(ends[parents[number]], ends[number])
        self.elements = elements
        self.size = len(elements)
        self.parent = np.array(parents)
        """-1 for the root, as is the sibling before a first child."""
        self.before = np.array(befores)
        self.place = np.array(places)
        """Among its siblings, from 0."""
        self.end = np.array(ends)
        """One behind the last element within it."""
        self.is_root = self.parent < 0
        self.found: dict[tuple[str, str], list[int]] = {}
        self.values: dict[str, list[tuple[int, str]]] = {}
        self.passed = 0
        self.index()

    def index(self) -> None:
        for number, element in enumerate(self.elements):
            self.found.setdefault(("tag", element.tag), []).append(number)
            for name, value in element.items():
                self.values.setdefault(name, []).append((number, value))
                if name == "id":
                    self.found.setdefault(("id", value), []).append(number)
                elif name == "class":
                    for word in set(value.split()):
                        self.found.setdefault(("class", word), []).append(number)

    def mask(self, numbers: Any) -> Mask:
        mask = np.zeros(self.size, bool)
        mask[numbers] = True
        return mask

    def spend(self, passed: int) -> None:
        self.passed += passed
        if self.passed > MAX_PASSED:
            raise ValueError("the SVG's style rules have too many selectors for its elements")

    def members(self, selector: Any) -> list[int]:
        """Return the numbers of the elements that a parsed selector matches.

        Raises:
            SelectorError: it has a part that CSS does not know.
        """
        if isinstance(selector, parser.CompoundSelector) and len(selector.simple_selectors) == 1:
            # As most are: without a pass over all elements.
            match selector.simple_selectors[0]:
                case parser.ClassSelector(class_name=name):
                    return self.found.get(("class", name), [])
                case parser.LocalNameSelector(local_name=name):
                    return self.found.get(("tag", name), [])
                case parser.IDSelector(ident=name):
                    return self.found.get(("id", name), [])
        numbers: list[int] = np.flatnonzero(self.match(selector)).tolist()
        return numbers

    def match(self, selector: Any) -> Mask:
        """Return the elements that a parsed selector, or a part of one, matches."""
        self.spend(self.size)
        match selector:
            case parser.CompoundSelector():
                mask = np.ones(self.size, bool)
                for part in selector.simple_selectors:
                    mask &= self.match(part)
                return mask
            case parser.CombinedSelector():
                left, right = self.match(selector.left), self.match(selector.right)
                return right & self.related(left, selector.combinator)
            case parser.LocalNameSelector():
                return self.mask(self.found.get(("tag", selector.local_name), []))
            case parser.ClassSelector():
                return self.mask(self.found.get(("class", selector.class_name), []))
            case parser.IDSelector():
                return self.mask(self.found.get(("id", selector.ident), []))
            case parser.AttributeSelector():
                return self.match_attribute(selector)
            case parser.NegationSelector():
                return ~self.match_any(selector)
            case parser.MatchesAnySelector() | parser.SpecificityAdjustmentSelector():
                return self.match_any(selector)
            case parser.RelationalSelector():
                mask = np.zeros(self.size, bool)
                for relative in selector.selector_list:
                    inner = self.match(relative.selector.parsed_tree)
                    mask |= self.holding(inner, relative.combinator)
                return mask
            case parser.PseudoClassSelector():
                return self.match_state(selector.name)
            case parser.FunctionalPseudoClassSelector():
                return self.match_count(selector)
        raise SelectorError(selector, "unknown selector")

    def match_any(self, selector: Any) -> Mask:
        mask = np.zeros(self.size, bool)
        for inner in selector.selector_list:
            mask |= self.match(inner.parsed_tree)
        return mask

    def related(self, left: Mask, combinator: str) -> Mask:
        """Return what stands in a combinator's relation to any element of `left`."""
        self.spend(3 * self.size)
        if combinator == " ":
            opened = np.zeros(self.size + 1, int)
            # An element's own start does not count: what is within begins one later.
            first = np.flatnonzero(left) + 1
            np.add.at(opened, first, 1)
            np.subtract.at(opened, self.end[left], 1)
            return np.cumsum(opened)[:-1] > 0
        if combinator == "~":
            earliest = np.full(self.size + 1, self.size)
            np.minimum.at(earliest, self.parent[left], self.place[left])
            return self.place > earliest[self.parent]
        near = self.parent if combinator == ">" else self.before
        return (near >= 0) & left[near]

    def holding(self, inner: Mask, combinator: str) -> Mask:
        """Return the elements to which any of `inner` stands in a combinator's relation."""
        self.spend(3 * self.size)
        if combinator == " ":
            before = np.concatenate([[0], np.cumsum(inner)])
            return before[self.end] > before[1:]
        if combinator == "~":
            latest = np.full(self.size + 1, -1)
            np.maximum.at(latest, self.parent[inner], self.place[inner])
            return self.place < latest[self.parent]
        near = (self.parent if combinator == ">" else self.before)[inner]
        return self.mask(near[near >= 0])

    def match_attribute(self, selector: Any) -> Mask:
        values = self.values.get(selector.name, [])
        wanted, ignores_case = selector.value, selector.case_sensitive is False
        self.spend(20 * len(values) + sum(len(value) for _, value in values) // 10)
        if wanted is None:
            return self.mask([number for number, _ in values])
        wanted = wanted.lower() if ignores_case else wanted
        tests = {
            "=": lambda value: value == wanted,
            "~=": lambda value: wanted in value.split(),
            "|=": lambda value: value == wanted or value.startswith(f"{wanted}-"),
            "^=": lambda value: bool(wanted) and value.startswith(wanted),
            "$=": lambda value: bool(wanted) and value.endswith(wanted),
            "*=": lambda value: bool(wanted) and wanted in value,
        }
        test = tests[selector.operator]
        return self.mask(
            [n for n, value in values if test(value.lower() if ignores_case else value)]
        )

    def match_state(self, name: str) -> Mask:
        if name in ("root", "scope"):
            return self.is_root.copy()
        if name == "empty":
            return self.mask([n for n, e in enumerate(self.elements) if not len(e) and not e.text])
        if name in NEVER or name.startswith("-"):
            return np.zeros(self.size, bool)
        ordinals = {"first": "nth", "last": "nth-last"}
        order, _, kind = name.partition("-")
        if kind in ("child", "of-type") and order in ordinals:
            return self.count(f"{ordinals[order]}-{kind}") == 1
        if kind in ("child", "of-type") and order == "only":
            return (self.count(f"nth-{kind}") == 1) & (self.count(f"nth-last-{kind}") == 1)
        raise SelectorError(name, "unknown pseudo-class")

    def match_count(self, selector: Any) -> Mask:
        """Match `:nth-child(an+b of list)` and its like."""
        name, arguments = selector.name, list(selector.arguments)
        if name in ("lang", "dir", "host", "host-context", "state"):
            return np.zeros(self.size, bool)
        among = np.ones(self.size, bool)
        for position, token in enumerate(arguments):
            if token.type == "ident" and token.lower_value == "of":
                among = np.zeros(self.size, bool)
                for inner in parser.parse(arguments[position + 1 :]):
                    among |= self.match(inner.parsed_tree)
                arguments = arguments[:position]
                break
        try:
            parsed = parse_nth(arguments)
        except StopIteration:
            # What the library does with a sign that nothing follows.
            parsed = None
        if parsed is None:
            raise SelectorError(selector, f"invalid arguments of :{name}()")
        step, first = parsed
        distance = self.count(name, among) - first
        if step == 0:
            return among & (distance == 0)
        return among & (distance % step == 0) & (distance // step >= 0)

    def count(self, name: str, among: Mask | None = None) -> np.ndarray:
        """Return each element's number among its siblings, from 1."""
        if name not in ("nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"):
            raise SelectorError(name, "unknown pseudo-class")
        self.spend(30 * self.size)
        counted = np.ones(self.size, bool) if among is None else among
        numbers = range(self.size)
        if "last" in name:
            numbers = numbers[::-1]
        seen: dict[object, int] = {}
        counts = np.zeros(self.size, int)
        parents = self.parent.tolist()
        for number in numbers:
            tag = self.elements[number].tag if name.endswith("type") else None
            if counted[number]:
                key = (parents[number], tag)
                counts[number] = seen[key] = seen.get(key, 0) + 1
        return counts

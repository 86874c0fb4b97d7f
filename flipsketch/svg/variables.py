"""CSS variables: `var(--name, fallback)` replaced by what the name stands for."""

import re

from flipsketch.svg.calculation import closing

VAR = re.compile(r"(?<![\w-])var\(", re.IGNORECASE)
NAME = re.compile(r"\s*(--[^\s,()]*)\s*")
MAX_LENGTH = 10_000
"""Of a value in characters; values made of values can double at each step."""
MAX_DEPTH = 50

Values = dict[str, str]


def substitute(text: str, values: Values, depth: int = 0) -> str:
    """Return a text with each `var()` replaced.

    Raises:
        ValueError: a variable has neither a value nor a fallback, or the text gets too long.
    """
    parts, position = [], 0
    while found := VAR.search(text, position):
        parts.append(text[position : found.start()])
        end = closing(text, found.end())
        name, _, fallback = text[found.end() : end].partition(",")
        named = NAME.fullmatch(name)
        if named is None or depth > MAX_DEPTH:
            raise ValueError(f"the SVG has {text[:40]!r}, whose variables cannot be read")
        if named[1] in values:
            parts.append(values[named[1]])
        elif "," in text[found.end() : end]:
            parts.append(substitute(fallback, values, depth + 1))
        else:
            raise ValueError(f"the SVG has no variable {named[1][:40]}")
        position = end + 1
        if sum(map(len, parts)) > MAX_LENGTH:
            raise ValueError(f"the SVG's variables make {text[:40]!r} too long")
    return "".join(parts) + text[position:]


def define(own: Values, inherited: Values) -> Values:
    """Return the variables of an element that sets some; those in a circle are gone."""
    known = {name: value for name, value in inherited.items() if name not in own}
    waiting = dict(own)
    # A value can only be said once those in it are; in a circle none ever is.
    for _ in range(MAX_DEPTH):
        ready = {
            name: text
            for name, text in waiting.items()
            if not any(word in waiting for word in names_in(text))
        }
        if not ready:
            break
        for name, text in ready.items():
            del waiting[name]
            try:
                known[name] = substitute(text, known)
            except ValueError:
                continue
    return known


def names_in(text: str) -> list[str]:
    return re.findall(r"--[^\s,()]*", text) if VAR.search(text) else []

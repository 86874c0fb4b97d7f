"""calc() of CSS, with min(), max() and clamp()."""

import re
from collections.abc import Callable, Iterator
from typing import Any

MAX_DEPTH = 32
PARENTHESIS = re.compile(r"[()]")
FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "clamp": lambda low, value, high: max(low, min(value, high)),
}


def calculate(text: str, unit_size: Callable[[str], float]) -> float:
    """Return the value of one function of CSS, as in `calc(1em + 2 * 3px)`.

    Args:
        unit_size: returns a unit's size; "%" is a unit, "" is not asked for. May raise ValueError.

    Raises:
        ValueError: it is malformed, or has no value.
    """
    from tinycss2 import parse_one_component_value

    token = parse_one_component_value(text, skip_comments=True)
    if token.type != "function":
        raise ValueError(f"the SVG has the length {text[:40]!r}; use a number and a unit")
    try:
        return value_of(token, unit_size, 0)
    except (ArithmeticError, KeyError, TypeError) as error:
        raise ValueError(f"the SVG has {text[:40]!r}, which has no value") from error


def replace_calculations(text: str) -> str:
    """Return a text with each `calc()` of numbers or percentages replaced by its value.

    Raises:
        ValueError: one has no value.
    """
    parts, position = [], 0
    while (start := text.find("calc(", position)) >= 0:
        end = closing(text, start + len("calc(")) + 1
        written = text[start:end]
        value = calculate(written, {"%": 1.0, "deg": 1.0}.__getitem__)
        unit = "%" if "%" in written else "deg" if "deg" in written else ""
        parts += [text[position:start], f"{value:.10g}{unit}"]
        position = end
    return "".join(parts) + text[position:]


def closing(text: str, position: int) -> int:
    """Return where the parenthesis that was opened before a position is closed."""
    depth = 1
    for found in PARENTHESIS.finditer(text, position):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return found.start()
    return len(text)


def value_of(token: Any, unit_size: Callable[[str], float], depth: int) -> float:
    if depth > MAX_DEPTH:
        raise ValueError("the SVG has calc() within calc() at too many levels")
    if token.type == "number":
        return float(token.value)
    if token.type == "percentage":
        return float(token.value) * unit_size("%")
    if token.type == "dimension":
        return float(token.value) * unit_size(token.unit)
    if token.type == "() block":
        return sum_of(token.content, unit_size, depth + 1)
    if token.type != "function":
        raise ValueError(f"the SVG has {token.serialize()[:20]!r} in a calc()")
    if token.lower_name in ("calc", "-webkit-calc", "-moz-calc"):
        return sum_of(token.arguments, unit_size, depth + 1)
    arguments = [
        sum_of(argument, unit_size, depth + 1) for argument in split_at_commas(token.arguments)
    ]
    return FUNCTIONS[token.lower_name](*arguments)


def split_at_commas(tokens: list[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    for token in tokens:
        if token == ",":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def sum_of(tokens: list[Any], unit_size: Callable[[str], float], depth: int) -> float:
    """Return the value of terms and products, with `*` and `/` before `+` and `-`."""
    tokens = [token for token in tokens if token.type not in ("whitespace", "comment")]
    total, sign = 0.0, 1.0
    product, operator = 1.0, "*"
    is_operand = True
    for token in tokens:
        if is_operand:
            value = value_of(token, unit_size, depth)
            product = product * value if operator == "*" else product / value
        elif token in ("*", "/"):
            operator = token.value
        elif token in ("+", "-"):
            total += sign * product
            sign, product, operator = (1.0 if token == "+" else -1.0), 1.0, "*"
        else:
            raise ValueError("the SVG has a calc() with two values in a row")
        is_operand = not is_operand
    if is_operand:
        raise ValueError("the SVG has a calc() that ends in an operator")
    return total + sign * product

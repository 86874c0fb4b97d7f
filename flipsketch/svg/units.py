"""CSS lengths and angles in user units and degrees: units, percentages, calc()."""

import math
import re

from flipsketch.svg.geometry import NUMBER, PIXELS

FONT_SIZE = 16.0
"""CSS's `medium`, in user units."""

LENGTH = re.compile(rf"\s*({NUMBER.pattern})([a-z%]*)\s*", re.ASCII | re.IGNORECASE)
ABSOLUTE = {**PIXELS, "q": 96 / 101.6}
# In font sizes; browsers take half of one for what no font says.
FONT_UNITS = {"em": 1.0, "rem": 1.0, "ex": 0.5, "ch": 0.5, "cap": 0.7, "ic": 1.0, "lh": 1.2}
FONT_UNITS["rlh"] = FONT_UNITS["lh"]
FONT_LENGTH = re.compile(
    rf"(?<![\w.#-])({NUMBER.pattern})({'|'.join(FONT_UNITS)})(?![\w%])", re.ASCII | re.IGNORECASE
)
VIEWPORT = re.compile(r"[sld]?v(w|h|i|b|min|max)", re.ASCII | re.IGNORECASE)
DEGREES = {"": 1.0, "deg": 1.0, "grad": 0.9, "rad": 180 / math.pi, "turn": 360.0}

Size = tuple[float, float]
"""Width and height."""


def read_length(
    text: str,
    reference: float | None = None,
    font_size: float = FONT_SIZE,
    viewport: Size | None = None,
) -> float:
    """Return a length in user units.

    Args:
        reference: what a percentage is one of.
        font_size: of the element, in user units.
        viewport: width and height that `vw` and `vh` refer to.

    Raises:
        ValueError: it is no length, or needs what is not given.
    """
    found = LENGTH.fullmatch(text)
    if found is not None:
        number, unit = float(found[1]), found[2].lower()
        return finite(text, number * unit_size(unit, reference, font_size, viewport))
    from flipsketch.svg.calculation import calculate

    return finite(
        text, calculate(text, lambda unit: unit_size(unit, reference, font_size, viewport))
    )


def unit_size(unit: str, reference: float | None, font_size: float, viewport: Size | None) -> float:
    """Return a unit's size in user units."""
    unit = unit.lower()
    if unit in ABSOLUTE:
        return ABSOLUTE[unit]
    if unit == "%" and reference is not None:
        return reference / 100
    if unit in FONT_UNITS:
        return FONT_UNITS[unit] * font_size
    if viewport is not None and (found := VIEWPORT.fullmatch(unit)):
        width, height = viewport
        sides = {"w": width, "i": width, "h": height, "b": height}
        return sides.get(found[1].lower(), (min if "min" in unit else max)(viewport)) / 100
    raise ValueError(f"the SVG has a length in {unit[:20]!r}, which is not known here")


def finite(text: str, number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"the SVG has the length {text[:40]!r}; it must be a finite number")
    return number


def plain_length(text: str) -> str:
    """Return a length as a plain number; what depends on the viewport stays as it is.

    Raises:
        ValueError: it is no length.
    """
    try:
        return write_number(read_length(text))
    except ValueError:
        read_length(text, 1.0, viewport=(1.0, 1.0))
        return text.strip().lower()


def without_font_units(text: str, font_size: float, root_font_size: float) -> str:
    """Return a text with lengths such as `2em` in user units."""

    def replace(found: re.Match[str]) -> str:
        unit = found[2].lower()
        size = root_font_size if unit.startswith("r") else font_size
        return f"{write_number(float(found[1]) * FONT_UNITS[unit] * size)}px"

    return FONT_LENGTH.sub(replace, text)


def write_number(number: float) -> str:
    return f"{number:.10g}"


def read_angle(text: str) -> float:
    """Return a CSS angle in degrees; also one without a unit."""
    found = LENGTH.fullmatch(text)
    if found is not None and found[2].lower() in DEGREES:
        return finite(text, float(found[1]) * DEGREES[found[2].lower()])
    from flipsketch.svg.calculation import calculate

    return finite(text, calculate(text, lambda unit: DEGREES[unit.lower()]))

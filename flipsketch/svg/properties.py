"""The properties of SVG that change a picture, and which of their values are valid.

A valid value is written in one form: colours as in colour.py, lengths as in units.py, keywords in
lower case, references as `url(#id)`, in paints with a fallback behind it: `url(#id) none`.
"""

import re
from collections.abc import Callable

from flipsketch.svg.colour import PLAIN_FUNCTION, read_colour
from flipsketch.svg.geometry import NUMBER, read_transform
from flipsketch.svg.placement import TRANSFORMS
from flipsketch.svg.transforms import PART, read_css_transform, read_origin
from flipsketch.svg.units import FONT_LENGTH, plain_length, read_length, write_number

INITIAL = {
    "color": "#000000",
    "fill": "#000000",
    "fill-opacity": "1",
    "fill-rule": "nonzero",
    "stroke": "none",
    "stroke-width": "1",
    "stroke-opacity": "1",
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-miterlimit": "4",
    "stroke-dasharray": "none",
    "stroke-dashoffset": "0",
    "visibility": "visible",
    "clip-rule": "nonzero",
    "marker-start": "none",
    "marker-mid": "none",
    "marker-end": "none",
    "paint-order": "normal",
    "font-size": "16",
}
"""The inherited properties, and their values where nothing sets them."""
KEYWORDS = {
    "fill-rule": {"nonzero", "evenodd"},
    "clip-rule": {"nonzero", "evenodd"},
    "stroke-linecap": {"butt", "round", "square"},
    "visibility": {"visible", "hidden", "collapse"},
    "overflow": {"visible", "hidden", "scroll", "auto", "clip"},
    "mask-type": {"luminance", "alpha"},
    "isolation": {"auto", "isolate"},
    "transform-box": {"view-box", "fill-box", "stroke-box", "content-box", "border-box"},
    "mix-blend-mode": set(
        "normal multiply screen overlay darken lighten color-dodge color-burn hard-light "
        "soft-light difference exclusion hue saturation color luminosity plus-lighter".split()
    ),
}
DISPLAYED = set(
    "inline block inline-block list-item flex inline-flex grid inline-grid contents flow flow-root "
    "table inline-table table-row table-cell run-in compact marker ruby".split()
)
FONT_SIZES = {
    **{"xx-small": 9 / 16, "x-small": 10 / 16, "small": 13 / 16, "medium": 1.0, "large": 18 / 16},
    **{"x-large": 1.5, "xx-large": 2.0, "xxx-large": 3.0},
}
ALIASES = {
    "-webkit-transform": "transform",
    "-webkit-transform-origin": "transform-origin",
    "-webkit-clip-path": "clip-path",
    "-webkit-mask": "mask",
    "-webkit-filter": "filter",
    "background-color": "background",
}
# With a lower limit of zero.
SIZES = {"r", "rx", "ry", "width", "height", "stroke-width", "fr", "markerWidth", "markerHeight"}
POSITIONS = {"x", "y", "cx", "cy"}
# These are attributes only, never properties of CSS.
ATTRIBUTE_LENGTHS = {"x1", "y1", "x2", "y2", "fx", "fy", "fr", "markerWidth", "markerHeight"}
MAX_DASHES = 1_000
MAX_CHARACTERS = 500_000
"""Of different values with functions, such as calc(), which are read token by token."""
# In characters; no value that a program writes comes near these, but for the data of a path.
MAX_VALUE, MAX_FUNCTION, MAX_KNOWN = 200_000, 2_000, 200

# An empty place in a list.
GAP = re.compile(r",\s*(?:,|\Z)|\A,")
# So that a reference ends at its parenthesis.
ESCAPED = {ord(mark): f"%{ord(mark):02x}" for mark in "()\"'"}
FONT = re.compile(rf"(?:^|\s)({NUMBER.pattern}(?:[a-z]+|%))(?:\s*/\s*\S+)?\s", re.IGNORECASE)
INITIAL_WORDS = ("initial", "inherit", "unset", "revert")
COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.S)
NUMBER_OR_PERCENT = re.compile(rf"{NUMBER.pattern}%?", re.ASCII)


class Normalizer:
    """Writes values in their one form; one for each document, most of whose elements share them."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str, bool], str | None] = {}
        self.num_characters = 0

    def __call__(self, name: str, text: str, is_attribute: bool = False) -> str | None:
        """Return a property's value in its one form, None if it is not valid.

        Args:
            is_attribute: allows lengths without a unit, which CSS allows for strokes alone.

        Raises:
            ValueError: reading all different values of the document would take too long.
        """
        key = (name, text, is_attribute)
        if key in self.known:
            return self.known[key]
        if "(" in text and name not in TRANSFORMS and not PLAIN_FUNCTION.match(text.strip()):
            self.spend(len(text))
        value = normalize(name, text, is_attribute)
        if len(text) < MAX_KNOWN:
            self.known[key] = value
        return value

    def spend(self, num_characters: int) -> None:
        """Account for text that is read token by token."""
        self.num_characters += num_characters
        if self.num_characters > MAX_CHARACTERS:
            raise ValueError(
                f"the SVG has more than {MAX_CHARACTERS:,} characters of different functions in "
                f"its styles, such as calc(); simplify it"
            )


def normalize(name: str, text: str, is_attribute: bool) -> str | None:
    if "/*" in text:
        text = COMMENT.sub(" ", text)
    text = text.strip()
    # What is still open at the end is closed there.
    text += ")" * (text.count("(") - text.count(")"))
    if not text or len(text) > (MAX_FUNCTION if "(" in text and name != "d" else MAX_VALUE):
        return None
    try:
        return PARSERS[name](text, is_attribute)
    except ValueError:
        return None


def expand_shorthand(name: str, text: str) -> list[tuple[str, str]]:
    """Return the properties that a shorthand sets, or the one that is none."""
    if name == "marker":
        return [(f"marker-{place}", text) for place in ("start", "mid", "end")]
    if name == "font":
        found = FONT.search(text)
        return [("font-size", found[1])] if found else []
    if name == "all":
        return [(longhand, text) for longhand in PROPERTIES if text.lower() in INITIAL_WORDS]
    return [(name, text)]


def read_paint(text: str, is_attribute: bool) -> str | None:
    lowered = text.lower()
    if lowered in ("none", "currentcolor", "context-fill", "context-stroke"):
        return lowered
    if lowered.startswith("url("):
        reference, rest = split_url(text)
        if not rest:
            return reference or "none"
        fallback = read_paint(rest, is_attribute)
        if fallback is None or fallback.startswith(("url", "context")):
            return None
        return f"{reference} {fallback}" if reference else fallback
    colour = read_colour(text)
    if colour is None:
        return None
    return str(colour) if colour.alpha > 0 else "none"


def split_url(text: str) -> tuple[str, str]:
    """Return `url(#id)`, or nothing for what is outside of the file, and the text behind it."""
    rest = text[4:].lstrip() if text[:4].lower() == "url(" else ""
    quote = rest[:1] if rest[:1] in ("'", '"') else ""
    target, _, rest = rest[len(quote) :].partition(quote or ")")
    if quote:
        rest = rest.lstrip().removeprefix(")")
    target = target.strip()
    if not target:
        raise ValueError(f"the SVG has the reference {text[:40]!r}")
    if target[0] != "#" or len(target) == 1:
        return "", rest.strip()
    return f"url({target.translate(ESCAPED)})", rest.strip()


def read_plain_colour(text: str, is_attribute: bool) -> str | None:
    if text.lower() == "currentcolor":
        return "currentcolor"
    colour = read_colour(text)
    return None if colour is None else str(colour)


def read_background(text: str, is_attribute: bool) -> str | None:
    """The colour of a background, of whatever else it has."""
    colours = [read_plain_colour(part, False) for part in PART.findall(text)]
    return next((colour for colour in colours if colour is not None), "rgba(0,0,0,0)")


def read_alpha(text: str, is_attribute: bool) -> str:
    if NUMBER_OR_PERCENT.fullmatch(text):
        number = float(text.rstrip("%")) / (100 if text[-1] == "%" else 1)
    else:
        number = read_length(text, 1.0)
    return write_number(min(1.0, max(0.0, number)))


def read_size(text: str, is_attribute: bool) -> str | None:
    """A length that cannot be negative."""
    length = read_position(text, is_attribute)
    return None if length is None or length.startswith("-") else length


def read_position(text: str, is_attribute: bool) -> str | None:
    return relative_length(text)


def read_side(text: str, is_attribute: bool) -> str | None:
    """A width or a height, which CSS takes with a unit alone."""
    if not is_attribute and NUMBER.fullmatch(text) and float(text) != 0:
        return None
    return read_size(text, is_attribute)


def relative_length(text: str) -> str:
    """Return a length as a plain number, or as it is in units of the font, whose size may differ
    from element to element."""
    if NUMBER.fullmatch(text):
        read_length(text)
        return text
    plain = plain_length(text)
    return text.lower() if FONT_LENGTH.search(text) else plain


def read_dashes(text: str, is_attribute: bool) -> str | None:
    if text.lower() == "none":
        return "none"
    parts = PART.findall(text) if len(text) < 20 * MAX_DASHES else []
    if not 0 < len(parts) <= MAX_DASHES or GAP.search(text):
        return None
    lengths = [relative_length(part) for part in parts]
    if any(length[0] == "-" for length in lengths):
        return None
    # A pattern without length is a solid line.
    return "none" if all(length in ("0", "0%") for length in lengths) else " ".join(lengths)


def read_miter_limit(text: str, is_attribute: bool) -> str | None:
    number = read_length(text)
    return write_number(number) if number >= 0 else None


def read_font_size(text: str, is_attribute: bool) -> str | None:
    lowered = text.lower()
    if lowered in FONT_SIZES:
        return write_number(FONT_SIZES[lowered] * 16)
    if lowered in ("smaller", "larger"):
        return "0.8333333333em" if lowered == "smaller" else "1.2em"
    if lowered[-1:] == "%":
        return f"{write_number(read_length(lowered, 1.0))}em"
    return read_side(text, is_attribute)


def read_display(text: str, is_attribute: bool) -> str | None:
    words = text.lower().split()
    if words == ["none"]:
        return "none"
    return (
        "inline" if all(word.startswith("table") or word in DISPLAYED for word in words) else None
    )


def read_overflow(text: str, is_attribute: bool) -> str | None:
    words = text.lower().split()
    return words[0] if len(words) <= 2 and set(words) <= KEYWORDS["overflow"] else None


BASIC_SHAPE = re.compile(
    r"\s*(inset|xywh|rect|circle|ellipse|polygon|path|shape)\(", re.ASCII | re.IGNORECASE
)


def read_link(text: str, is_attribute: bool) -> str:
    if text.lower() == "none":
        return "none"
    reference, _ = split_url(text)
    return reference or "none"


def read_clip(text: str, is_attribute: bool) -> str:
    # Shapes of CSS, such as circle(), are not drawn, so that they need not be understood.
    is_shape = BASIC_SHAPE.match(text) is not None
    return text.lower() if is_shape else read_link(text, is_attribute)


def read_filter(text: str, is_attribute: bool) -> str:
    # None is drawn, so that it need not be understood.
    return text if text.lower() != "none" else "none"


def read_vector_effect(text: str, is_attribute: bool) -> str:
    return "non-scaling-stroke" if "non-scaling-stroke" in text.lower().split() else "none"


def read_paint_order(text: str, is_attribute: bool) -> str | None:
    words = text.lower().split()
    if words == ["normal"]:
        return "normal"
    layers = ["fill", "stroke", "markers"]
    if not set(words) <= set(layers) or len(set(words)) < len(words):
        return None
    return " ".join(words + [layer for layer in layers if layer not in words])


def read_transform_value(text: str, is_attribute: bool) -> str | None:
    if text.lower() == "none":
        return None if is_attribute else "none"
    if is_attribute:
        read_transform(text)
    else:
        read_css_transform(text, (1.0, 1.0))
    return text


def read_origin_value(text: str, is_attribute: bool) -> str:
    read_origin(text, (1.0, 1.0))
    return text.lower()


def read_step(kind: str) -> Callable[[str, bool], str]:
    """Return the parser of one of the properties `translate`, `rotate` and `scale`."""

    def parse(text: str, is_attribute: bool) -> str:
        if text.lower() == "none":
            return "none"
        written = f"{kind}({', '.join(PART.findall(text))})"
        read_css_transform(written, (1.0, 1.0))
        return written

    return parse


def read_path_property(text: str, is_attribute: bool) -> str | None:
    found = re.fullmatch(r"""path\(\s*(?:\w+\s*,)?\s*(["'])(.*)\1\s*\)""", text, re.S | re.I)
    return found[2] if found else ("" if text.lower() == "none" else None)


def read_join(text: str, is_attribute: bool) -> str | None:
    word = text.lower()
    # What no browser draws; cut or curved tips are those of a miter without the tip.
    word = "miter" if word in ("arcs", "miter-clip") else word
    return word if word in ("miter", "round", "bevel") else None


def keyword_parser(name: str) -> Callable[[str, bool], str | None]:
    return lambda text, is_attribute: text.lower() if text.lower() in KEYWORDS[name] else None


PARSERS: dict[str, Callable[[str, bool], str | None]] = {
    **{name: keyword_parser(name) for name in KEYWORDS},
    **dict.fromkeys(("fill", "stroke"), read_paint),
    **dict.fromkeys(("color", "stop-color"), read_plain_colour),
    "background": read_background,
    **dict.fromkeys(
        ("opacity", "fill-opacity", "stroke-opacity", "stop-opacity", "offset"), read_alpha
    ),
    **dict.fromkeys(SIZES, read_size),
    **dict.fromkeys(("width", "height"), read_side),
    **dict.fromkeys(POSITIONS | ATTRIBUTE_LENGTHS - SIZES, read_position),
    "clip-path": read_clip,
    **dict.fromkeys(("mask", "marker-start", "marker-mid", "marker-end"), read_link),
    "stroke-dashoffset": read_position,
    "stroke-dasharray": read_dashes,
    "stroke-miterlimit": read_miter_limit,
    "stroke-linejoin": read_join,
    "font-size": read_font_size,
    "display": read_display,
    "overflow": read_overflow,
    "filter": read_filter,
    "vector-effect": read_vector_effect,
    "paint-order": read_paint_order,
    "transform": read_transform_value,
    "transform-origin": read_origin_value,
    "translate": read_step("translate"),
    "rotate": read_step("rotate"),
    "scale": read_step("scale"),
    "d": read_path_property,
}
# `d` is path data where it is an attribute, and not checked here.
ATTRIBUTES = set(PARSERS) - {"d", "translate", "rotate", "scale", "background"}
PROPERTIES = set(PARSERS) - ATTRIBUTE_LENGTHS - {"offset"}
# With a value that is a length, perhaps in units of the font.
LENGTHS = SIZES | POSITIONS | ATTRIBUTE_LENGTHS | {"stroke-dasharray", "stroke-dashoffset"}

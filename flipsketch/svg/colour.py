"""CSS colours as sRGB: every form of CSS Color 4, and what SVG adds to it."""

import colorsys
import math
import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

from flipsketch.svg.calculation import replace_calculations

Triple = tuple[float, float, float]

HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.ASCII)
# What SVG allows behind a colour: the same in another space, for devices that print it.
DEVICE_COLOUR = re.compile(r"\s(?:icc-color|device-[a-z]+|cielab|cielch)\(", re.ASCII)
# What most programs write, read without the library: it takes 30 times as long.
LEVEL = r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?%?)\s*"
PLAIN_FUNCTION = re.compile(
    rf"(rgb|hsl)a?\({LEVEL},{LEVEL},{LEVEL}(?:,{LEVEL})?\)", re.ASCII | re.IGNORECASE
)
MAX_TEXT = 1_000

# As browsers show them on a light page; the names of CSS 2 stand for newer ones (CSS Color 4, A).
SYSTEM_COLOURS = {
    name: value
    for value, names in (
        (
            "#000000",
            "buttonborder buttontext canvastext fieldtext marktext activeborder captiontext "
            "inactiveborder infotext menutext threeddarkshadow threedhighlight "
            "threedlightshadow threedshadow windowframe windowtext",
        ),
        (
            "#ffffff",
            "accentcolortext canvas field highlighttext selecteditemtext activecaption "
            "appworkspace background inactivecaption infobackground menu scrollbar window",
        ),
        ("#efefef", "buttonface buttonhighlight buttonshadow threedface"),
        ("#808080", "graytext inactivecaptiontext"),
        ("#3367d1", "accentcolor highlight selecteditem"),
        ("#ffff00", "mark"),
        ("#0000ee", "linktext"),
        ("#551a8b", "visitedtext"),
        ("#ff0000", "activetext"),
    )
    for name in names.split()
}

# Rows to linear sRGB. Source: CSS Color 4, section 18, "Sample code for color conversions".
XYZ_TO_SRGB = (
    (3.2409699419045226, -1.537383177570094, -0.4986107602930034),
    (-0.9692436362808796, 1.8759675015077202, 0.04155505740717559),
    (0.05563007969699366, -0.20397695888897652, 1.0569715142428786),
)
D50_TO_D65 = (
    (0.955473421488075, -0.02309845494876471, 0.06325924320057072),
    (-0.0283697093338637, 1.0099953980813041, 0.021041441191917323),
    (0.012314014864481998, -0.020507649298898964, 1.330365926242124),
)
TO_XYZ = {
    "display-p3": (
        (0.4865709486482162, 0.26566769316909306, 0.1982172852343625),
        (0.2289745640697488, 0.6917385218365064, 0.079286914093745),
        (0.0, 0.04511338185890264, 1.043944368900976),
    ),
    "a98-rgb": (
        (0.5766690429101305, 0.1855582379065463, 0.1882286462349947),
        (0.29734497525053605, 0.6273635662554661, 0.0752914584939978),
        (0.02703136138641234, 0.07068885253582723, 0.9913375368376388),
    ),
    "prophoto-rgb": (
        (0.7977666449006423, 0.13518129740053308, 0.0313477341283922),
        (0.2880748288194013, 0.711835234241873, 0.00008993693872564),
        (0.0, 0.0, 0.8251046025104602),
    ),
    "rec2020": (
        (0.6369580483012914, 0.14461690358620832, 0.1688809751641721),
        (0.2627002120112671, 0.6779980715188708, 0.05930171646986196),
        (0.0, 0.028072693049087428, 1.060985057710791),
    ),
}


class Colour(NamedTuple):
    red: int
    green: int
    blue: int
    alpha: float

    def __str__(self) -> str:
        """As SVG writes it: `#rrggbb`, or `rgba(r,g,b,a)` if it is translucent."""
        if self.alpha >= 1:
            return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"
        return f"rgba({self.red},{self.green},{self.blue},{self.alpha:g})"


def read_colour(text: str) -> Colour | None:
    """Return a colour in sRGB, clamped; None for what is no colour, and for `currentcolor`.

    A missing channel (`none`) is 0, and a colour that sRGB lacks is clipped by channel, as
    browsers do.
    """
    text = text.strip().lower()
    if len(text) > MAX_TEXT:
        return None
    if found := DEVICE_COLOUR.search(text):
        text = text[: found.start()].rstrip()
    text = SYSTEM_COLOURS.get(text, text)
    if "calc(" in text:
        try:
            text = replace_calculations(text)
        except ValueError:
            return None
    if HEX.fullmatch(text):
        digits = text[1:]
        if len(digits) < 6:
            digits = "".join(2 * digit for digit in digits)
        red, green, blue, *alpha = bytes.fromhex(digits)
        return Colour(red, green, blue, alpha[0] / 255 if alpha else 1.0)
    if plain := PLAIN_FUNCTION.fullmatch(text):
        return read_function(*plain.groups())
    from tinycss2.color5 import parse_color

    try:
        found_colour = parse_color(text)
    except (ValueError, AttributeError, TypeError, IndexError):
        # What the library does with some malformed functions.
        return None
    if found_colour is None or isinstance(found_colour, str):
        return None
    levels = to_srgb(found_colour.space, [value or 0.0 for value in found_colour.coordinates])
    return None if levels is None else to_colour(levels, found_colour.alpha)


def split_colour(text: str) -> tuple[str, float]:
    """Return a colour as `#rrggbb` or `none`, and its opacity."""
    if text in ("none", "transparent"):
        return "none", 1.0
    colour = read_colour(text)
    if colour is None:
        raise ValueError(f"the SVG has the colour {text[:40]!r}")
    return str(colour._replace(alpha=1.0)), colour.alpha


def read_function(
    kind: str, first: str, second: str, third: str, last: str | None
) -> Colour | None:
    """Return the colour of rgb() or hsl(), whose levels have commas between them."""
    alpha = 1.0 if last is None else read_level(last, 1.0)
    if kind == "rgb":
        levels = (first, second, third)
        if len({level[-1] == "%" for level in levels}) > 1:
            return None
        red, green, blue = (read_level(level, 255.0) for level in levels)
        return to_colour((red, green, blue), alpha)
    if first[-1] == "%" or second[-1] != "%" or third[-1] != "%":
        return None
    found = to_srgb("hsl", [float(first), *(float(level[:-1]) for level in (second, third))])
    return None if found is None else to_colour(found, alpha)


def read_level(text: str, whole: float) -> float:
    """Return a part of one, from a percentage or a number of which `whole` is one."""
    return float(text[:-1]) / 100 if text[-1] == "%" else float(text) / whole


def to_colour(levels: Triple, alpha: float) -> Colour | None:
    # Not a number, or infinite: from a number with hundreds of digits.
    if not all(map(math.isfinite, (*levels, alpha))):
        return None
    # Halves up, as browsers do: 30% is 77.
    red, green, blue = (math.floor(255 * min(1.0, max(0.0, level)) + 0.5) for level in levels)
    return Colour(red, green, blue, min(1.0, max(0.0, alpha)))


def to_srgb(space: str, numbers: list[float]) -> Triple | None:
    """Return red, green and blue, from 0 to 1 unless sRGB lacks the colour."""
    if space == "device-cmyk":
        cyan, magenta, yellow, black = numbers
        return (1 - cyan) * (1 - black), (1 - magenta) * (1 - black), (1 - yellow) * (1 - black)
    if len(numbers) != 3:
        return None
    first, second, third = numbers
    if space == "srgb":
        return first, second, third
    if space == "hsl":
        saturation, lightness = (min(1.0, max(0.0, part / 100)) for part in (second, third))
        return colorsys.hls_to_rgb(first / 360 % 1, lightness, saturation)
    if space == "hwb":
        white, black = (min(1.0, max(0.0, part / 100)) for part in (second, third))
        if white + black >= 1:
            return (white / (white + black),) * 3
        red, green, blue = colorsys.hls_to_rgb(first / 360 % 1, 0.5, 1.0)
        reach = 1 - white - black
        return red * reach + white, green * reach + white, blue * reach + white
    if space in ("lab", "lch", "oklab", "oklch"):
        from tinycss2.color4 import Color

        is_ok = space.startswith("ok")
        *found, _ = Color(space, numbers, 1.0).to("xyz-d65" if is_ok else "xyz-d50")
        return from_xyz(found if is_ok else multiply(D50_TO_D65, found))
    if space == "srgb-linear":
        return encode(first), encode(second), encode(third)
    if space in ("xyz", "xyz-d65"):
        return from_xyz(numbers)
    if space == "xyz-d50":
        return from_xyz(multiply(D50_TO_D65, numbers))
    if space in TO_XYZ:
        found = multiply(TO_XYZ[space], [decode(space, number) for number in numbers])
        return from_xyz(multiply(D50_TO_D65, found) if space == "prophoto-rgb" else found)
    return None


def multiply(matrix: tuple[Triple, Triple, Triple], vector: Sequence[float]) -> Triple:
    first, second, third = (sum(map(operator.mul, row, vector)) for row in matrix)
    return first, second, third


def from_xyz(xyz: Sequence[float]) -> Triple:
    """Return sRGB levels of a colour relative to D65."""
    red, green, blue = multiply(XYZ_TO_SRGB, xyz)
    return encode(red), encode(green), encode(blue)


def encode(level: float) -> float:
    """Return an sRGB level of a linear one."""
    if abs(level) <= 0.0031308:
        return 12.92 * level
    return math.copysign(1.055 * abs(level) ** (1 / 2.4) - 0.055, level)


def decode(space: str, level: float) -> float:
    """Return the linear level of one of an RGB space."""
    size = abs(level)
    if space == "a98-rgb":
        linear = size ** (563 / 256)
    elif space == "prophoto-rgb":
        linear = size**1.8 if size > 16 / 512 else size / 16
    elif space == "rec2020":
        alpha, beta = 1.09929682680944, 0.018053968510807
        linear = ((size + alpha - 1) / alpha) ** (1 / 0.45) if size >= 4.5 * beta else size / 4.5
    else:
        linear = ((size + 0.055) / 1.055) ** 2.4 if size > 0.04045 else size / 12.92
    return math.copysign(linear, level)

"""Opacities, angles and colours of resolved attributes."""

import math

from flipsketch.svg.units import read_angle
from flipsketch.svg.viewport import read_side


def read_fraction(text: str, default: float) -> float:
    value = read_side(text, 1.0)
    return default if value is None else min(1.0, max(0.0, value))


def split_colour(text: str) -> tuple[str, float]:
    """Return a colour as `#rrggbb` or `none`, and its opacity."""
    if text.startswith("rgba("):
        red, green, blue, alpha = text[5:].rstrip(")").split(",")
        return f"#{int(red):02x}{int(green):02x}{int(blue):02x}", read_fraction(alpha, 1.0)
    if text in ("none", "transparent"):
        return "none", 1.0
    return text, 1.0


def read_turn(text: str) -> float:
    """Return an angle in radians, 0 if it cannot be read."""
    try:
        return math.radians(read_angle(text))
    except ValueError:
        return 0.0

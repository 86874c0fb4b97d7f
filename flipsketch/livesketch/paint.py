"""The paint of shapes: which of it is ink that Live-Sketch can move."""

from flipsketch.svg.render import Paint

Levels = tuple[int, int, int]
"""Red, green and blue, of 255."""

MIN_INK = 16 / 255
"""What is fainter than this on white paper cannot be seen."""
MIN_FILL_INK = 0.75
TRACE_IT = "have it traced: by --trace, or by true in a column trace of its row"
"""What to do with a drawing that has other paint."""


def levels_of(paint: Paint, name: str) -> Levels:
    """Return red, green and blue of a paint that is not none."""
    red, green, blue = bytes.fromhex(str(paint[name])[1:])
    return red, green, blue


def ink_of(paint: Paint, name: str) -> float:
    return darkness(paint, name) * float(paint.get(f"{name}-opacity", 1.0))


def darkness(paint: Paint, name: str) -> float:
    if paint[name] == "none":
        return 0.0
    red, green, blue = levels_of(paint, name)
    return 1 - (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def scale_dashes(paint: Paint, scale: float) -> None:
    """Turn dashes from a shape's units into those of the canvas."""
    dashes = str(paint.pop("stroke-dasharray", "")).split()
    offset = float(paint.pop("stroke-dashoffset", 0.0))
    if dashes:
        paint["stroke-dasharray"] = " ".join(f"{float(dash) * scale:.9g}" for dash in dashes)
        if offset:
            paint["stroke-dashoffset"] = float(f"{offset * scale:.9g}")


def check_stroke(paint: Paint, has_ink_below: bool, where: str) -> bool:
    """Return whether the stroke leaves ink. Raises ValueError if it hides what lies below."""
    if paint["stroke"] == "none" or not float(paint["stroke-width"]) > 0:
        return False
    if ink_of(paint, "stroke") >= MIN_INK:
        return True
    check_hides_nothing(paint, "stroke", has_ink_below, where)
    return False


def check_fill(paint: Paint, has_ink_below: bool, where: str) -> bool:
    """Return whether the fill is black. Raises ValueError for a fill of another colour."""
    if paint["fill"] == "none":
        return False
    ink = ink_of(paint, "fill")
    if ink >= MIN_FILL_INK:
        return True
    if ink >= MIN_INK:
        raise ValueError(
            f"{where} has the fill {paint['fill']} at {float(paint['fill-opacity']):.0%}; "
            f"Live-Sketch moves strokes and black fills: remove the fill, or {TRACE_IT}"
        )
    check_hides_nothing(paint, "fill", has_ink_below, where)
    return False


def check_hides_nothing(paint: Paint, name: str, has_ink_below: bool, where: str) -> None:
    # White below all others is paper. What is nearly transparent neither hides nor shows.
    if has_ink_below and float(paint[f"{name}-opacity"]) >= MIN_INK:
        raise ValueError(
            f"{where} has the white {name} {paint[name]} above others or on its fill; Live-Sketch "
            f"moves ink and cannot hide it: cut what lies below and remove the {name}, or "
            + TRACE_IT
        )

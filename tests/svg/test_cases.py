"""Drawings as other programs and people write them are drawn as a plain one that looks the same.

A file of `cases/` that is not named below is drawn as `HILL`.
"""

from pathlib import Path

import numpy as np
import pytest

from flipsketch.media.config import AS_IS, REPAIR
from flipsketch.media.sketch import load_sketch, read_sketch
from flipsketch.svg.reader import rasterize_svg

CASES = Path(__file__).parent / "cases"
SIZE = 64
HILL = '<path d="M8 48C20 8 44 8 56 48H8" fill="none" stroke="#000" stroke-width="4"/>'
LEFT_HALF = '<rect x="16" y="16" width="16" height="32"/>'
HALVES = LEFT_HALF + '<rect x="32" y="16" width="16" height="32" fill="#999"/>'
BLUE_ON_RED = (
    '<rect x="8" y="8" width="32" height="32" fill="#f00"/>'
    '<rect x="24" y="24" width="32" height="32" fill="#00f"/>'
)
WIDE = "0 0 64 32"


def hill(colour: str, opacity: float = 1) -> str:
    return HILL.replace('"#000"', f'"{colour}" stroke-opacity="{opacity}"')


def lines(data: str, width: float = 4) -> str:
    return f'<path d="{data}" fill="none" stroke="#000" stroke-width="{width:g}"/>'


# By hand, from the standards of SVG and CSS.
EQUIVALENTS = {
    "use-symbol": lines("M16 16H48V48H16Z"),
    "nested-svg": lines("M22.4 10.4H41.6V29.6H22.4Z", 2.4),
    "nested-svg-clips": '<rect x="16" y="24" width="32" height="16"/>',
    "clip-half": LEFT_HALF,
    "clip-box": LEFT_HALF,
    "clip-box-of-hidden": LEFT_HALF,
    "clip-use": LEFT_HALF,
    "mask-inside": lines("M10 10H54V54H10Z"),
    "mask-luminance": LEFT_HALF,
    "mask-alpha": LEFT_HALF,
    "gradient-repeat": '<path d="M16 16h8v32h-8zM32 16h8v32h-8z"/>',
    "gradient-linear": HALVES,
    "gradient-user-space": HALVES,
    "gradient-chain": HALVES,
    "gradient-relative-path": HALVES,
    "gradient-radial": '<circle cx="32" cy="32" r="16"/>',
    "pattern": lines("M8 10H56M8 18H56M8 26H56M8 34H56M8 42H56M8 50H56", 2),
    "pattern-transform": lines("M14 8V56M22 8V56M30 8V56M38 8V56M46 8V56M54 8V56", 2),
    "marker-end": lines("M8 32H40") + '<path d="M40 24L56 32L40 40Z"/>',
    "marker-every": lines("M8 32H32V56", 2)
    + '<path d="M4 28h8v8h-8zM28 28h8v8h-8zM28 52h8v8h-8z"/>',
    "opacity-group": '<path d="M8 32H56M32 8V56" stroke="#808080" stroke-width="12"/>'
    '<circle cx="32" cy="32" r="16" fill="#808080"/>',
    "opacity-shape": '<rect x="12" y="12" width="40" height="40" fill="#808080"/>',
    "blend-multiply": BLUE_ON_RED + '<rect x="24" y="24" width="16" height="16"/>',
    "blend-isolated": BLUE_ON_RED,
    "blend-with-nothing": '<rect x="8" y="8" width="32" height="32"/>',
    "paint-order": '<rect x="8" y="8" width="48" height="48"/>'
    '<rect x="16" y="16" width="32" height="32" fill="#999"/>',
    "colour-hsl-over": hill("#008000"),
    "colour-hsla": hill("#206020", 0.8),
    "colour-hsl-degrees": hill("#008000"),
    "colour-hwb": hill("#008000"),
    "colour-icc": hill("#111"),
    "colour-oklch": hill("#002e5d"),
    "colour-lab": hill("#483d86"),
    "colour-percent": hill("#204d68"),
    "colour-spaces": hill("#000", 0.8),
    "colour-out-of-range": hill("#0100ff"),
    "colour-four-numbers": hill("#008000"),
    "colour-hex-8": hill("#000", 0.5),
    "colour-hex-4": hill("#000", 8 / 15),
    "colour-current": hill("#080"),
    "dash": lines("M8 32H20M26 32H38M44 32H56"),
    "dash-odd": lines("M8 32H16M24 32H32M40 32H48"),
    "dash-offset": lines("M8 32H14M20 32H32M38 32H50"),
    "dash-of-circle": lines("M48 32A16 16 0 0 1 16 32"),
    "stroke-non-scaling": lines("M8 32H56"),
    "stroke-non-scaling-circle": lines("M16 32A16 16 0 0 0 48 32A16 16 0 0 0 16 32Z"),
    "stroke-square-dot": '<rect x="24" y="24" width="16" height="16"/>',
    "stroke-round-dot": '<circle cx="32" cy="32" r="8"/>',
    "ellipse-one-radius": '<circle cx="32" cy="32" r="16"/>',
    "size-far-away-in-layer": '<rect x="8" y="8" width="16" height="16" fill="#808080"/>',
    "size-tiny": (WIDE, lines("M8 24C20 0 44 0 56 24H8")),
    "size-aspect-bars": (WIDE, '<rect x="8" y="8" width="16" height="16"/>'),
    "size-square-page": (WIDE, '<rect x="8" y="8" width="16" height="16"/>'),
    "size-aspect-none": (WIDE, '<rect x="16" y="8" width="32" height="16"/>'),
    "size-aspect-slice": (WIDE, '<rect x="16" width="32" height="32"/>'),
    "size-overflow": '<rect y="24" width="64" height="16"/>',
    "path-odd-points": HILL + lines("M8 56H56"),
    "path-compact-arc": '<circle cx="32" cy="32" r="16"/>',
}
# What the message names, and the kind of the note.
REFUSALS = {
    "refused-html": "HTML",
    "refused-html-around": "HTML",
    "refused-lfs": "Git LFS",
    "refused-only-text": "text",
    "refused-only-image": "image",
}
NOTES = {
    "without-text": "left out text",
    "without-image": "left out images",
    "without-filter": "left out filters",
    "without-foreign": "left out",
}
# Edges of a hard stop are not smoothed.
JAGGED = {"gradient-radial", "gradient-repeat"}


def names(start: str = "", but: tuple[str, ...] = ()) -> list[str]:
    return sorted(path.name for path in CASES.glob(f"{start}*") if not path.name.startswith(but))


def read_case(name: str) -> bytes:
    return (CASES / name).read_bytes()


def draw_equivalent(name: str) -> np.ndarray:
    """Return what a case looks like, drawn from a file of few words."""
    equivalent = EQUIVALENTS.get(name.partition(".")[0], HILL)
    view_box, body = equivalent if isinstance(equivalent, tuple) else ("0 0 64 64", equivalent)
    return rasterize_svg(f'<svg viewBox="{view_box}">{body}</svg>'.encode(), SIZE)


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other)


def test_every_claim_has_its_case():
    cases = {name.partition(".")[0] for name in names()}
    assert not {*EQUIVALENTS, *REFUSALS, *NOTES, *JAGGED} - cases


@pytest.mark.parametrize(
    "name",
    names(but=("refused-", "paper-", "size-none")),
)
def test_a_drawing_is_drawn_as_a_plain_one_that_looks_the_same(name):
    case = name.partition(".")[0]
    drawn = read_sketch(read_case(name), SIZE, AS_IS)
    different = differences(drawn.pixels, draw_equivalent(name))
    if case in JAGGED:
        assert different.mean() < 2
    else:
        # Of curves, edges are smoothed a little otherwise.
        assert different.max() <= 32
    kinds = [note.partition(":")[0] for note in drawn.notes]
    assert any(NOTES.get(case, "") in kind for kind in kinds) if case in NOTES else not kinds


@pytest.mark.parametrize("name", names("paper-"))
def test_light_or_faint_strokes_are_made_dark_on_white(name):
    drawn = read_sketch(read_case(name), SIZE, REPAIR)
    assert differences(drawn.pixels, draw_equivalent(name)).mean() < 5
    assert drawn.notes


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_what_is_no_drawing_is_called_by_its_name(name):
    with pytest.raises(ValueError, match=REFUSALS[name]):
        load_sketch(read_case(f"{name}.svg"), SIZE)


def test_without_a_size_the_page_is_the_drawing():
    rows, columns = np.nonzero(load_sketch(read_case("size-none.svg"), SIZE).min(axis=2) < 128)
    # 52 units wide and 36 high, with its strokes.
    width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert 0.75 * SIZE < width <= SIZE and abs(width / height - 52 / 36) < 0.1
    assert abs(columns.min() + columns.max() - SIZE) < 4 and abs(rows.min() + rows.max() - SIZE) < 4


def test_a_drawing_of_thousands_of_strokes_is_drawn_as_one_of_a_single_path():
    places = [(x, y + 0.5) for y in range(0, 64, 2) for x in range(0, 64, 4)] * 12
    strokes = "".join(f'<path d="M{x} {y}h2" stroke="#000"/>' for x, y in places)
    path = "".join(f"M{x} {y}h2" for x, y in places[: len(places) // 12])
    assert len(places) > 6_000
    drawn, expected = (
        rasterize_svg(f'<svg viewBox="0 0 64 64">{body}</svg>'.encode(), SIZE)
        for body in (strokes, f'<path d="{path}" stroke="#000"/>')
    )
    assert np.ptp(expected) == 255 and np.array_equal(drawn, expected)

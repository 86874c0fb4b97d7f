"""Backdrops of filled drawings: bands of colour, ground or water, and soft blotches."""

import math

from flipsketch.doodles.actors import SIDE
from flipsketch.doodles.strokes import Roll, Stroke, curve, ellipse, lines

SKIES = (
    ("#bfe0f5", "#e8f4fb"),
    ("#f7d9b8", "#fbeedd"),
    ("#9fc8ea", "#dcefe6"),
    ("#c9c6ea", "#f3e6ee"),
)
GROUNDS = "#a9c987", "#c9b98a", "#8fb97a", "#d8cba8", "#e9eef2"
WATERS = ("#bfe3ea", "#7fb8d0"), ("#a8d8e0", "#4f9ab8"), ("#c8e6dc", "#78b8b0")
WALLS = (
    ("#f2e3cc", "#ecd6b8"),
    ("#dfe8dd", "#cfdccb"),
    ("#e8dce6", "#dac8d8"),
    ("#dde4ee", "#c9d4e2"),
)
TABLES = "#b98a5a", "#c9a878", "#8f7a68", "#a8b0b8"


def backdrop(scenery: str, floor: float, roll: Roll) -> list[tuple[Stroke, float]]:
    """Return filled outlines with their opacity, back to front, on a canvas of 256 x 256.

    Args:
        scenery: `ground`, `sky`, `water` or `room`.
        floor: y of the line that subjects on the ground or in a room stand on.
    """
    horizon = min(floor - roll(0, 10), SIDE - 12)
    pairs = {"water": WATERS, "room": WALLS}.get(scenery, SKIES)
    upper, lower = pairs[int(roll(0, len(pairs)))]
    num_bands = int(roll(4, 8))
    strokes = [(sheet(0.0, 0.0, 0.0, upper), 1.0)]
    for number in range(1, num_bands):
        share = number / (num_bands - 1)
        strokes.append(
            (
                sheet(
                    SIDE * number / num_bands, roll(1, 7), roll(0, 1), blend(upper, lower, share)
                ),
                1.0,
            )
        )
    for _ in range(int(roll(3, 8))):
        at = complex(roll(0, SIDE), roll(0, SIDE))
        colour = roll.pick("#ffffff", lower, upper, "#e8e0d0")
        width = roll(20, 60)
        strokes += [
            (ellipse(at, width * size, width * size * 0.6, fill=colour), 0.16)
            for size in (1.0, 0.75, 0.5)
        ]
    if scenery in ("ground", "room"):
        ground = roll.pick(*(GROUNDS if scenery == "ground" else TABLES))
        strokes.append(
            (sheet(horizon, roll(0, 5) if scenery == "ground" else 0.0, roll(0, 1), ground), 1.0)
        )
        for _ in range(5):
            at = complex(roll(0, SIDE), horizon + 6 + roll(0, 1) * max(4.0, SIDE - horizon - 8))
            strokes.append(
                (ellipse(at, roll(12, 40), 3, fill=roll.pick("#000000", "#ffffff")), 0.08)
            )
    return strokes


def sheet(top: float, depth: float, phase: float, fill: str) -> Stroke:
    """The part of the canvas below a wavy line."""
    edge = [
        complex(SIDE * k / 6, top + depth * math.sin(2 * math.pi * (phase + 0.23 * k)))
        for k in range(7)
    ]
    rest = lines(edge[-1], complex(SIDE, SIDE), complex(0, SIDE), edge[0])
    return Stroke(curve(*edge).points + rest.points[1:], fill)


def blend(start: str, end: str, share: float) -> str:
    """Mix two colours; a share of 0 gives the first one."""
    pairs = zip(bytes.fromhex(start[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)

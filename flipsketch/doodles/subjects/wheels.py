"""Vehicles on wheels, facing right: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    box,
    circle,
    curve,
    lines,
    polar,
    polygon,
)
from flipsketch.doodles.subject import Subject, sideways

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#e8e4dc"
GLASS = "#cfe6f2"


def wheel(
    centre: complex, radius: float, act: Act, spokes: int = 3, fill: str = "#55565c"
) -> list[Stroke]:
    """It rolls as far as the vehicle goes."""
    turned = math.degrees(act.travel / radius)
    rim = radius * 0.94
    return [
        circle(centre, radius, fill, turned),
        *(lines(centre, centre + polar(rim, turned + 360 * k / spokes)) for k in range(spokes)),
    ]


def smoke(source: complex, act: Act) -> list[Stroke]:
    """Puffs that rise, grow and drift behind."""
    puffs = []
    for number in range(3):
        share = (act.cycle * 0.5 + number / 3) % 1.0
        puffs.append(
            circle(
                source + complex(-0.5 * share, -0.38 * share), 0.05 + 0.12 * share, "#d8dade", 90
            )
        )
    return puffs


def car(roll: Roll, act: Act) -> list[Stroke]:
    paint, r = roll.pick(*PAINTS), roll(0.19, 0.25)
    high, nose, tail = roll.thick(0.3, 0.46), roll(0.3, 0.4), roll(-0.5, -0.3)
    bump = 0.012 * act.swing()
    belt, floor = -0.06 + bump, 0.34 + bump
    roof = belt - high
    return [
        polygon(
            complex(tail - 0.12, belt),
            complex(tail + 0.1, roof),
            complex(nose - 0.22, roof),
            complex(nose + 0.1, belt),
            fill=GLASS,
        ),
        lines(complex((tail + nose) / 2, roof), complex((tail + nose) / 2, belt)),
        curve(
            complex(-0.98, floor),
            complex(-1.0, belt + 0.08),
            complex(-0.85, belt),
            complex(nose + 0.1, belt),
            complex(0.82, belt + 0.06),
            complex(1.0, belt + 0.18),
            complex(1.0, floor),
            fill=paint,
        ),
        lines(complex(-0.98, floor), complex(1.0, floor)),
        circle(complex(0.9, belt + 0.2), 0.05, "#f2d04a"),
        *wheel(complex(-0.55, floor), r, act),
        *wheel(complex(0.56, floor), r, act),
    ]


def lorry(roll: Roll, act: Act) -> list[Stroke]:
    paint, load, r = roll.pick(*PAINTS), roll.pick("#c0b49a", "#e8e4dc", "#b07a4a"), roll(0.16, 0.2)
    high, cab = roll.thick(0.55, 0.85), roll(0.3, 0.4)
    floor = 0.42 + 0.012 * act.swing()
    front = 0.95
    return [
        box(-1.0, floor - high, front - cab - 0.08, floor, load),
        polygon(
            complex(front - cab, floor),
            complex(front - cab, floor - 0.58),
            complex(front - 0.1, floor - 0.58),
            complex(front, floor - 0.26),
            complex(front, floor),
            fill=paint,
        ),
        polygon(
            complex(front - cab + 0.08, floor - 0.28),
            complex(front - cab + 0.08, floor - 0.5),
            complex(front - 0.14, floor - 0.5),
            complex(front - 0.06, floor - 0.28),
            fill=GLASS,
        ),
        *(stroke for x in (-0.7, -0.2, 0.7) for stroke in wheel(complex(x, floor + 0.04), r, act)),
    ]


def bicycle(roll: Roll, act: Act) -> list[Stroke]:
    r = roll(0.36, 0.42)
    rear, front, high = complex(-0.52, 0.3), complex(0.54, 0.3), roll.thick(0.45, 0.58)
    hub, seat, head = -0.06 + 0.3j, complex(-0.2, 0.3 - high), complex(0.36, 0.3 - high)
    turn = math.degrees(act.travel / r) * 0.5
    crank = polar(0.15, turn)
    return [
        *wheel(rear, r, act, int(roll(5, 8)), ""),
        *wheel(front, r, act, int(roll(5, 8)), ""),
        lines(rear, hub, head, seat, rear),
        lines(seat - complex(0.03, 0.12), hub),
        lines(seat - complex(0.18, 0.12), seat - complex(-0.1, 0.12)),
        lines(front, head, head - complex(0.05, 0.16)),
        curve(head - complex(0.05, 0.16), head + complex(0.12, -0.2), head + complex(0.16, -0.08)),
        circle(hub, 0.08),
        lines(hub - crank - 0.07, hub - crank + 0.07),
        lines(hub - crank, hub + crank),
        lines(hub + crank - 0.07, hub + crank + 0.07),
    ]


def train(roll: Roll, act: Act) -> list[Stroke]:
    paint, r = roll.pick("#3f7d52", "#b8484a", "#3f5f8a"), roll(0.19, 0.23)
    boiler, chimney = roll.thick(0.17, 0.26), roll(0.22, 0.34)
    floor = 0.36
    axle = floor + 0.04
    rod = polar(r * 0.55, math.degrees(act.travel / r))
    return [
        *smoke(complex(0.62, floor - 2 * boiler - chimney - 0.08), act),
        polygon(
            complex(0.54, floor - 2 * boiler),
            complex(0.5, floor - 2 * boiler - chimney),
            complex(0.76, floor - 2 * boiler - chimney),
            complex(0.7, floor - 2 * boiler),
            fill="#44464e",
        ),
        arc(complex(0.18, floor - 2 * boiler), 0.13, 0.13, 180, 180, "#e0a53a"),
        box(-0.2, floor - 2 * boiler, 0.85, floor, paint),
        box(-0.82, floor - roll(0.78, 0.9), -0.2, floor, paint),
        box(-0.68, floor - 0.62, -0.36, floor - 0.36, GLASS),
        lines(complex(-0.92, floor - 0.84), complex(-0.12, floor - 0.84)),
        polygon(
            complex(0.85, floor - 0.04),
            complex(1.05, floor + 0.22),
            complex(0.85, floor + 0.22),
            fill="#44464e",
        ),
        *(stroke for x in (-0.55, 0.02, 0.52) for stroke in wheel(complex(x, axle), r, act)),
        lines(complex(-0.55, axle) + rod, complex(0.52, axle) + rod),
    ]


WHEELS: dict[str, Subject] = {
    "car": Subject(
        car,
        ("car|cars",),
        {
            **sideways("drive", "drive|drive along|roll|drive away", (3, 4)),
        },
        ("low", "tall"),
    ),
    "lorry": Subject(
        lorry,
        ("truck|trucks", "lorry|lorries"),
        {
            **sideways("drive", "drive|drive along|roll", (3, 4)),
        },
        ("low", "tall"),
    ),
    "bicycle": Subject(
        bicycle,
        ("bicycle|bicycles", "bike|bikes"),
        {
            **sideways("roll", "roll|roll along|go"),
        },
    ),
    "train": Subject(
        train,
        ("train|trains", "steam engine|steam engines"),
        {
            **sideways("drive", "drive|roll|steam along"),
        },
        ("", ""),
    ),
}

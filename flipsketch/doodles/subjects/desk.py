"""Things on a desk: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    curve,
    dot,
    ellipse,
    lines,
    loop,
    move,
    polygon,
)
from flipsketch.doodles.subject import CLOSER, SHAKE, Subject, action, sideways
from flipsketch.doodles.subjects.household import PAINTS


def scissors(roll: Roll, act: Act) -> list[Stroke]:
    handle, blade, ring = roll.pick(*PAINTS), roll(0.85, 0.95), roll.thick(0.17, 0.25)
    gape = 15 + 13 * act.swing()
    strokes = []
    for side in (-1, 1):
        half = [
            loop(
                -0.12 + 0.02j,
                complex(-0.12, -0.06),
                complex(blade * 0.55, -0.075),
                complex(blade, 0.03),
                complex(blade * 0.5, 0.05),
                fill="#c8d0d8",
            ),
            lines(-0.1 + 0j, complex(-0.5, 0.03)),
            ellipse(complex(-0.5 - ring, 0.06), ring * 1.15, ring * 0.85, fill=handle),
        ]
        if side > 0:
            half = [Stroke([z.conjugate() for z in stroke.points], stroke.fill) for stroke in half]
        strokes += move(half, turn=side * gape)
    return [*strokes, dot(0j, 0.045)]


def cup(roll: Roll, act: Act) -> list[Stroke]:
    """Something hot, steaming."""
    paint, wide, deep = roll.pick(*PAINTS), roll.thick(0.42, 0.6), roll(0.6, 0.75)
    lip = 0.05
    steam = []
    for x in (-0.26, 0.0, 0.26):
        rise = 0.05 * act.swing(x)
        steam.append(
            curve(
                *(
                    complex(
                        x + 0.08 * math.sin(2 * math.pi * (act.cycle + 0.3 * k + x)),
                        -0.12 - 0.16 * k + rise,
                    )
                    for k in range(5)
                )
            )
        )
    return [
        *steam,
        curve(
            complex(wide * 0.94, lip + 0.1),
            complex(wide + 0.28, lip + 0.08),
            complex(wide + 0.26, lip + deep * 0.55),
            complex(wide * 0.8, lip + deep * 0.62),
        ),
        curve(
            complex(-wide, lip),
            complex(-wide * 0.92, lip + deep * 0.6),
            complex(-wide * 0.6, lip + deep),
            complex(wide * 0.6, lip + deep),
            complex(wide * 0.92, lip + deep * 0.6),
            complex(wide, lip),
            fill=paint,
        ),
        ellipse(complex(0, lip), wide, 0.1, fill="#8a5a3a"),
        arc(complex(0, lip + deep + 0.02), wide * 1.35, 0.1, 0, 180, "#e8e4dc"),
        lines(complex(-wide * 1.35, lip + deep + 0.02), complex(wide * 1.35, lip + deep + 0.02)),
    ]


def book(roll: Roll, act: Act) -> list[Stroke]:
    """Open, and a page turns over."""
    cover, wide, high = roll.pick(*PAINTS), roll.thick(0.7, 0.92), roll(0.5, 0.62)
    sag = roll(0.08, 0.14)

    def page(x: float, lift: float, fill: str) -> Stroke:
        upper = curve(
            -high * 0.5j,
            complex(x * 0.5, -high * 0.5 - sag - lift),
            complex(x, -high * 0.5 - lift * 1.3),
        ).points
        lower = curve(
            complex(x, high * 0.5 - lift * 1.3),
            complex(x * 0.5, high * 0.5 - sag - lift),
            high * 0.5j,
        ).points
        return Stroke(upper + lines(upper[-1], lower[0]).points[1:] + lower[1:], fill)

    share = act.cycle % 1.0
    turning = page(
        wide * 0.94 * math.cos(math.pi * share), 0.3 * math.sin(math.pi * share), "#fbf8f0"
    )
    words = [
        lines(complex(side * wide * 0.25, y), complex(side * wide * 0.78, y - sag * 0.5))
        for side in (-1, 1)
        for y in (-0.06, 0.12)
    ]
    return [
        polygon(
            complex(-wide - 0.08, -high * 0.5 + 0.08),
            complex(wide + 0.08, -high * 0.5 + 0.08),
            complex(wide + 0.08, high * 0.5 + 0.1),
            complex(-wide - 0.08, high * 0.5 + 0.1),
            fill=cover,
        ),
        page(-wide, 0.0, "#fbf8f0"),
        page(wide, 0.0, "#fbf8f0"),
        *words,
        turning,
        lines(-high * 0.5j, high * 0.5j),
    ]


DESK: dict[str, Subject] = {
    "scissors": Subject(
        scissors,
        ("pair of scissors|pairs of scissors",),
        {
            "cut": action("stay", "open and close|snip|cut", (2.0, 3.0)),
            **sideways("cut", "cut its way|move and snip", (2.0, 3.0)),
        },
        ("", ""),
        "room",
    ),
    "cup": Subject(
        cup,
        ("cup of tea|cups of tea", "cup of coffee|cups of coffee"),
        {
            "steam": action("stay", "steam|give off steam", (1.5, 2.5)),
            "shake": SHAKE,
            **sideways("slide", "slide|slide along", (1.5, 2.5)),
        },
        ("narrow", "wide"),
        "room",
    ),
    "book": Subject(
        book,
        ("book|books",),
        {
            "turn": action("stay", "turn its pages|turn a page", (1.0, 1.99)),
            "closer": CLOSER,
        },
        ("narrow", "wide"),
        "room",
    ),
}

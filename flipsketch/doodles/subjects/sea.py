"""Animals of the water, facing right: how each is drawn, and what it can do."""

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    circle,
    curve,
    dot,
    ellipse,
    lines,
    loop,
    mirror,
    polar,
    polygon,
)
from flipsketch.doodles.subject import Subject, action, sideways


def fish(roll: Roll, act: Act) -> list[Stroke]:
    body, fin = (
        roll.pick("#ef8a3c", "#5aa0c8", "#d9534f", "#e6c04a"),
        roll.pick("#c9622a", "#3d6f96"),
    )
    fat, tail = roll.thick(0.26, 0.5), roll(0.32, 0.48)
    wag = act.swing()
    root = complex(-0.62, 0.03 * wag)
    tips = [root + complex(-0.36 + 0.06 * wag * side, tail * side + 0.14 * wag) for side in (-1, 1)]
    strokes = [
        curve(
            root - 0.02j,
            tips[0],
            root + complex(-0.22, 0.08 * wag),
            tips[1],
            root + 0.02j,
            fill=fin,
        ),
        curve(
            complex(-0.1, -fat * 0.9),
            complex(-0.22, -fat - roll(0.14, 0.26)),
            complex(-0.4, -fat * 0.62),
            fill=fin,
        ),
        loop(
            0.85 + 0.02j,
            complex(0.5, -fat * 0.75),
            complex(0.05, -fat),
            complex(-0.4, -fat * 0.5),
            root,
            complex(-0.4, fat * 0.5),
            complex(0.05, fat),
            complex(0.5, fat * 0.75),
            fill=body,
        ),
        dot(complex(0.56, -fat * 0.25), 0.05),
        curve(0.83 + 0.05j, complex(0.72, 0.1), 0.66 + 0.09j),
        arc(0.18, 0.12, fat * 0.75, -65, 130),
        curve(0.05 + 0.08j, complex(-0.2, 0.2 + 0.12 * wag), complex(-0.12, 0.05), fill=fin),
    ]
    if roll(0, 1) < 0.5:
        strokes.append(arc(-0.12, 0.1, fat * 0.6, -60, 120))
    return strokes


def whale(roll: Roll, act: Act) -> list[Stroke]:
    skin = roll.pick("#5f86b0", "#6f7f96", "#4a7a9a")
    fat, wag = roll.thick(0.36, 0.5), act.swing()
    root = complex(-0.72, -0.1 + 0.1 * wag)
    fluke = root + complex(-0.16, -0.12 + 0.1 * wag)
    spout = roll(0.24, 0.34) * (1 + 0.25 * act.swing(0.3))
    top = complex(0.42, -fat * 0.85)
    return [
        curve(
            top,
            top - 0.06 - spout * 0.8j,
            top + complex(-0.2, -spout),
            top + complex(-0.26, -spout * 0.6),
        ),
        curve(
            top,
            top + 0.06 - spout * 0.8j,
            top + complex(0.2, -spout),
            top + complex(0.26, -spout * 0.6),
        ),
        loop(
            fluke,
            fluke + complex(-0.2, -0.26),
            fluke + complex(0.0, -0.2),
            fluke + complex(0.04, -0.04),
            fluke + complex(0.2, -0.14),
            fluke + complex(0.22, 0.0),
            root + complex(0.04, 0.06),
            fill=skin,
        ),
        loop(
            root,
            complex(-0.4, -fat * 0.3),
            complex(0.05, -fat * 0.9),
            complex(0.55, -fat * 0.75),
            complex(0.88, -0.05),
            complex(0.75, fat * 0.7),
            complex(0.2, fat),
            complex(-0.35, fat * 0.6),
            root + 0.12j,
            fill=skin,
        ),
        curve(0.86 + 0.08j, complex(0.55, 0.2), complex(0.42, 0.12)),
        dot(0.52 - 0.04j, 0.04),
        curve(
            0.15 + 0.18j,
            complex(0.0, fat + 0.12 + 0.1 * wag),
            complex(-0.12, fat * 0.75),
            fill=skin,
        ),
    ]


def jellyfish(roll: Roll, act: Act) -> list[Stroke]:
    colour = roll.pick("#d98fc0", "#8fb4e0", "#c2a0e0", "#f0b8a0")
    wide, high = roll.thick(0.5, 0.75), roll(0.5, 0.65)
    pulse = 0.14 * act.swing()
    wide, high = wide * (1 - pulse), high * (1 + pulse)
    count = int(roll(4, 7))
    length = roll(0.7, 1.0)
    arms = []
    for number in range(count):
        x = wide * 0.8 * (2 * number / (count - 1) - 1)
        points = [
            complex(
                x + 0.08 * k / 4 * act.swing(0.15 * number - 0.2 * k) * 1.6,
                length * k / 4 * (1 - 0.5 * pulse),
            )
            for k in range(5)
        ]
        arms.append(curve(*points))
    hem = [complex(wide * (1 - 2 * k / 6), 0.07 * (k % 2)) for k in range(7)]
    return [
        *arms,
        Stroke(arc(0j, wide, high, 180, 180).points + curve(*hem).points[1:], colour),
        *(dot(complex(side * wide * 0.3, -high * 0.35), 0.035) for side in (-1, 1)),
        arc(complex(0, -high * 0.3), 0.1, 0.07, 30, 120),
    ]


def duck(roll: Roll, act: Act) -> list[Stroke]:
    """It swims."""
    body = roll.pick("#f0d050", "#e9e4d8", "#a98a68")
    head = roll.pick("#f0d050", "#3f7d52", "#e9e4d8")
    fat, r = roll.thick(0.26, 0.4), roll(0.18, 0.23)
    nod = (0.13 if act.motion == "nod" else 0.03) * act.swing()
    face = complex(0.5 + nod, -roll(0.5, 0.62) + abs(nod))
    drift = 0.08 * act.swing(0.25)
    ripples = ((-1.0, 8, fat + 0.02, 0.05, drift), (-0.6, 5, fat + 0.2, 0.04, -drift))
    return [
        loop(
            complex(0.42 + nod * 0.5, -0.3),
            0.56 - 0.02j,
            complex(0.3, fat * 0.9),
            complex(-0.2, fat),
            complex(-0.66, 0.05),
            complex(-0.95, -0.28),
            complex(-0.5, -0.16),
            complex(0.1, -0.14),
            fill=body,
        ),
        polygon(
            face + complex(r * 0.85, -0.05),
            face + complex(r + 0.22, 0.02),
            face + complex(r + 0.18, 0.1),
            face + complex(r * 0.8, 0.1),
            fill="#e8902c",
        ),
        circle(face, r, head),
        dot(face + 0.06 - 0.04j, 0.03),
        curve(0.2 - 0.06j, 0.2j, complex(-0.45, 0.03), -0.2 - 0.06j),
        *(
            curve(*(complex(x + 0.27 * k + shift, y + d * (-1) ** k) for k in range(count)))
            for x, count, y, d, shift in ripples
        ),
    ]


def crab(roll: Roll, act: Act) -> list[Stroke]:
    skin = roll.pick("#d95b43", "#e07a3c", "#b8484a")
    wide, high = roll(0.5, 0.6), roll.thick(0.28, 0.4)
    gape = 14 + 14 * act.swing()
    half = [
        *(
            lines(
                complex(wide * (0.9 - 0.12 * k), 0.1 + 0.09 * k),
                complex(wide + 0.22 - 0.1 * k, 0.12 + 0.1 * k),
                complex(wide + 0.3 - 0.14 * k + 0.05 * act.swing(0.33 * k), 0.4 + 0.06 * k),
            )
            for k in range(3)
        ),
        curve(complex(wide * 0.85, -0.1), complex(wide + 0.2, -0.15), complex(wide + 0.16, -0.42)),
        lines(complex(0.14, -high * 0.8), complex(0.16, -high - 0.16)),
        dot(complex(0.16, -high - 0.18), 0.05),
    ]
    wrist = complex(wide + 0.16, -0.42)
    size = roll(0.26, 0.34)
    for side in (-1, 1):
        tip = wrist + polar(size * 1.4, -90 + side * gape)
        half.append(
            loop(
                wrist,
                wrist + polar(size, -90 + side * (gape + 38)),
                tip,
                wrist + polar(size * 0.5, -90 + side * gape * 0.3),
                fill=skin,
            )
        )
    return [
        *half,
        *mirror(half),
        ellipse(0j, wide, high, fill=skin),
        arc(0.02j, 0.16, 0.1, 20, 140),
    ]


SEA: dict[str, Subject] = {
    "fish": Subject(
        fish,
        ("fish|fish",),
        {
            **sideways("swim", "swim|swim along|swim away", (2.5, 3.5)),
            "wag": action("stay", "wag its tail|move its tail"),
            "dive": action("descend", "dive|swim down|dive into the deep", (2.5, 3.5)),
        },
        ("slender", "round"),
        "water",
    ),
    "whale": Subject(
        whale,
        ("whale|whales",),
        {
            **sideways("swim", "swim|swim along|swim away", (1.5, 2.5)),
            "spout": action("stay", "spout water|blow water into the air", (1.5, 2.5)),
        },
        ("slim", "fat"),
        "water",
    ),
    "jellyfish": Subject(
        jellyfish,
        ("jellyfish|jellyfish",),
        {
            "up": action("up", "swim up|rise|float upwards"),
            "down": action("down", "sink|float down"),
            "pulse": action("stay", "wave its tentacles|pulse|open and close"),
            **sideways("drift", "drift|float"),
        },
        ("narrow", "wide"),
        "water",
    ),
    "duck": Subject(
        duck,
        ("duck|ducks",),
        {
            **sideways("swim", "swim|paddle|swim along"),
            "nod": action("stay", "nod its head|bob its head"),
        },
        ("slim", "fat"),
        "water",
    ),
    "crab": Subject(
        crab,
        ("crab|crabs",),
        {
            **sideways("scuttle", "scuttle|crawl|walk sideways"),
            "snap": action("stay", "snap its claws|open and close its claws", (1.5, 2.5)),
        },
        ("flat", "round"),
        "water",
    ),
}

"""Plants: how each is drawn, and what it can do."""

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    circle,
    curve,
    ellipse,
    lines,
    loop,
    mix,
    polar,
    polygon,
)
from flipsketch.doodles.subject import GROW, ROCK, SHRINK, SPIN, SWAY, Subject, action, once


def flower(roll: Roll, act: Act) -> list[Stroke]:
    petal, heart = (
        roll.pick("#e06a8a", "#f0b83a", "#c05ab0", "#e8e4f0", "#d9534f"),
        roll.pick("#e8b030", "#8a5a34"),
    )
    count, size, middle = int(roll(5, 9)), roll(0.34, 0.42), roll(0.11, 0.16)
    wide = roll.thick(0.1, 0.2)
    open_ = act.progress if act.motion.startswith("open") else 1.0
    if act.motion.startswith("close"):
        open_ = 1 - act.progress
    head = complex(roll(-0.08, 0.08), -0.42)
    foot, bow = 0.95j, roll(-0.12, 0.12)
    petals = []
    for number in range(count):
        # Shut, all point up, short and narrow.
        angle = -90 + (360 * number / count - 180 * (count - 1) / count) * (0.1 + 0.9 * open_)
        long = size * (0.75 + 0.25 * open_)
        way, side = polar(1, angle), polar(1, angle + 90)
        root = head + way * middle * 0.8 * open_
        petals.append(
            loop(
                root,
                root + way * long * 0.6 + side * wide * (0.6 + 0.4 * open_),
                root + way * long,
                root + way * long * 0.6 - side * wide * (0.6 + 0.4 * open_),
                fill=petal,
            )
        )
    stem = curve(foot, foot * 0.5 + bow, head + middle * 1j)
    leaves = []
    for side, y in ((-1, 0.62), (1, roll(0.4, 0.5))):
        root = complex(bow * 0.8, y)
        tip = root + complex(side * roll(0.34, 0.46), -0.22)
        leaves.append(
            loop(root, mix(root, tip, 0.5) - 0.1j, tip, mix(root, tip, 0.6) + 0.08j, fill="#5f9e4a")
        )
    return [stem, *leaves, *petals, circle(head, middle * (0.55 + 0.45 * open_), heart)]


def tree(roll: Roll, act: Act) -> list[Stroke]:
    crown, bark = (
        roll.pick("#5f9e4a", "#7fae3c", "#3f7d52", "#d98a3a"),
        roll.pick("#8a5a34", "#6b4a32"),
    )
    wide, trunk = roll.thick(0.42, 0.68), roll(0.1, 0.15)
    bumps = int(roll(7, 10))
    rustle = 0.05 * act.swing()
    centre = -0.32j + rustle
    points = []
    for number in range(2 * bumps):
        far = 1.0 if number % 2 else 0.84
        way = polar(far, 360 * number / (2 * bumps))
        points.append(centre + complex(way.real * wide, way.imag * roll(0.54, 0.6)))
    apples = [
        circle(centre + complex(x * wide, y), 0.055, "#d9534f")
        for x, y in ((-0.45, -0.1), (0.1, -0.28), (0.5, 0.05), (-0.05, 0.16))
    ]
    has_apples = roll(0, 1) < 0.5
    return [
        curve(
            complex(-trunk * 1.7, 0.95),
            complex(-trunk, 0.7),
            complex(-trunk * 0.8, 0.1),
            complex(trunk * 0.8, 0.1),
            complex(trunk, 0.7),
            complex(trunk * 1.7, 0.95),
            fill=bark,
        ),
        loop(*points, fill=crown),
        *(
            apples
            if has_apples
            else [
                arc(centre + complex(x * wide, y), 0.14, 0.1, 190, 160)
                for x, y in ((-0.35, 0.0), (0.25, -0.15))
            ]
        ),
    ]


def leaf(roll: Roll, act: Act) -> list[Stroke]:
    colour = roll.pick("#d98a3a", "#c9504a", "#8fae3c", "#e0b040")
    wide, bend = roll.thick(0.24, 0.46), roll(-0.1, 0.1)
    tip, root = complex(bend, -0.8), 0.45j
    ribs = []
    for y in (0.2, -0.1, -0.4):
        here = complex(bend * (0.45 - y) / 1.3, y)
        ribs += [
            lines(here, here + complex(side * wide * (0.62 - 0.3 * abs(y + 0.1)), -0.16))
            for side in (-1, 1)
        ]
    return [
        loop(
            tip,
            complex(wide * 0.8, -0.35),
            complex(wide * 0.9, 0.1),
            root,
            complex(-wide * 0.9, 0.1),
            complex(-wide * 0.8, -0.35),
            fill=colour,
        ),
        curve(tip, complex(bend * 0.6, -0.2), root, complex(roll(-0.1, 0.1), 0.85)),
        *ribs,
    ]


def mushroom(roll: Roll, act: Act) -> list[Stroke]:
    cap = roll.pick("#d9534f", "#b07a4a", "#c98b4a")
    wide, high, stem = roll(0.62, 0.85), roll(0.5, 0.7), roll.thick(0.16, 0.3)
    return [
        curve(
            complex(-stem, 0.0),
            complex(-stem * 0.85, 0.4),
            complex(-stem * 1.25, 0.8),
            complex(0, 0.88),
            complex(stem * 1.25, 0.8),
            complex(stem * 0.85, 0.4),
            complex(stem, 0.0),
            fill="#f1e6d2",
        ),
        arc(0.05j, wide, high, 180, 180, cap),
        curve(
            complex(-wide, 0.05),
            complex(-wide * 0.5, 0.15),
            0.18j,
            complex(wide * 0.5, 0.15),
            complex(wide, 0.05),
            fill="#f1e6d2",
        ),
        *(
            ellipse(complex(x * wide, -high * y), roll(0.08, 0.12), 0.08, fill="#ffffff")
            for x, y in ((-0.5, 0.35), (0.0, 0.65), (0.48, 0.3), (-0.05, 0.2))
        ),
    ]


def cactus(roll: Roll, act: Act) -> list[Stroke]:
    skin, wide = roll.pick("#5f9e4a", "#4f8a5a"), roll.thick(0.17, 0.27)
    arms = []
    for side, y, up in ((-1, roll(0.0, 0.15), 0.42), (1, roll(-0.2, -0.05), 0.36)):
        inner, outer, r = side * wide, side * (wide + 0.36), 0.1
        sway = 0.15 * act.swing(0.25 * (side > 0))
        arms.append(
            curve(
                complex(inner, y - r),
                complex(inner + side * 0.14, y - r),
                complex(outer - side * 2 * r + sway * 0.5, y - up * 0.7),
                complex(outer - side * r + sway, y - up - 0.12),
                complex(outer + sway * 0.5, y - up * 0.7),
                complex(outer - side * 0.04, y),
                complex(inner + side * 0.1, y + r),
                complex(inner, y + r),
                fill=skin,
            )
        )
    pot = 0.34
    return [
        *arms,
        curve(
            complex(-wide, 0.5),
            complex(-wide, -0.4),
            complex(-wide * 0.7, -0.75),
            -0.85j,
            complex(wide * 0.7, -0.75),
            complex(wide, -0.4),
            complex(wide, 0.5),
            fill=skin,
        ),
        *(
            lines(complex(x * wide, -0.5 + 0.1 * abs(x)), complex(x * wide, 0.45))
            for x in (-0.35, 0.35)
        ),
        polygon(
            complex(-pot, 0.48),
            complex(pot, 0.48),
            complex(pot * 0.75, 0.95),
            complex(-pot * 0.75, 0.95),
            fill="#c9744a",
        ),
    ]


PLANTS: dict[str, Subject] = {
    "flower": Subject(
        flower,
        ("flower|flowers",),
        {
            "open": once("open its petals|open|bloom|unfold its petals"),
            "close": once("close its petals|close|fold its petals"),
            "sway": SWAY,
            "grow": GROW,
        },
        ("thin-petalled", "broad-petalled"),
        foot=0.95j,
    ),
    "tree": Subject(
        tree,
        ("tree|trees",),
        {
            "sway": action("sway", "sway in the wind|sway|bend in the wind"),
            "grow": GROW,
            "shake": action("shake", "shake|shake in the storm"),
        },
        ("slender", "broad"),
    ),
    "leaf": Subject(
        leaf,
        ("leaf|leaves",),
        {
            "fall": action("float-down", "fall|fall to the ground|float down|drift down"),
            "spin": SPIN,
            "sway": SWAY,
        },
        ("narrow", "broad"),
        "sky",
        0.85j,
    ),
    "mushroom": Subject(
        mushroom,
        ("mushroom|mushrooms", "toadstool|toadstools"),
        {
            "grow": action("grow", "grow|grow out of the ground|grow bigger"),
            "shrink": SHRINK,
            "sway": ROCK,
            "jump": action("jump", "jump up and down|hop"),
        },
        ("slender", "thick"),
    ),
    "cactus": Subject(
        cactus,
        ("cactus|cacti",),
        {
            "wave": action("stay", "wave its arms|move its arms"),
            "dance": action("sway", "dance|sway from side to side"),
            "grow": GROW,
        },
        ("thin", "thick"),
        "room",
    ),
}

"""Animals that crawl, facing right: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    circle,
    curve,
    dot,
    limb,
    lines,
    loop,
    mix,
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import Subject, action, once, sideways


def snail(roll: Roll, act: Act) -> list[Stroke]:
    skin, shell = (
        roll.pick("#d8b98a", "#c2b280", "#b9a6a0"),
        roll.pick("#a4683c", "#c98550", "#8c6f9c"),
    )
    big, turns = roll.thick(0.38, 0.54), roll(2.0, 2.6)
    stretch = 0.07 * act.swing()
    centre = complex(-0.2, 0.42 - big)
    tip = 0.78 + stretch
    spiral = [
        centre + polar(big * (1 - 0.92 * k / 14), 90 - 360 * turns * k / 14) for k in range(15)
    ]
    stalks = [
        curve(
            complex(tip - 0.12, -0.05),
            complex(tip - 0.1 + x, -0.25),
            complex(tip - 0.08 + 2 * x, top),
        )
        for x, top in ((-0.06, -roll(0.4, 0.52)), (0.09, -roll(0.38, 0.48)))
    ]
    return [
        loop(
            complex(-0.85 - stretch, 0.5),
            -0.5 + 0.36j,
            0.3 + 0.3j,
            complex(tip - 0.26, 0.05),
            complex(tip - 0.1, -0.1),
            complex(tip + 0.04, 0.02),
            complex(tip - 0.04, 0.34),
            complex(tip - 0.2, 0.5),
            0.0 + 0.54j,
            fill=skin,
        ),
        circle(centre, big, shell, 90),
        curve(*spiral),
        *stalks,
        *(dot(stalk.points[-1], 0.035) for stalk in stalks),
    ]


def turtle(roll: Roll, act: Act) -> list[Stroke]:
    skin, shell = roll.pick("#7fa650", "#9aa85a"), roll.pick("#4f7a3a", "#8a6a3c", "#5d7b6a")
    high, nod = roll.thick(0.42, 0.66), 0.05 * act.swing()
    stride = roll(22, 30)
    paddles = [
        limb(complex(x, 0.2), roll(0.3, 0.38), 90 - stride * act.swing(shift), 0.19, skin, 0.06)
        for x, shift in ((-0.42, 0.0), (-0.22, 0.5), (0.3, 0.25), (0.46, 0.75))
    ]
    head = complex(0.84 + nod, -0.14 + nod)
    return [
        curve(
            0.5 + 0.02j,
            head - 0.1 - 0.13j,
            head + 0.06 - 0.13j,
            head + 0.14,
            head + 0.02 + 0.11j,
            0.62 + 0.14j,
            0.5 + 0.2j,
            fill=skin,
        ),
        dot(head + 0.04 - 0.03j, 0.03),
        *paddles,
        lines(-0.62 + 0.12j, complex(-0.86, 0.2 + nod), -0.6 + 0.22j, fill=skin),
        arc(0.2j, 0.66, high, 180, 180, shell),
        curve(-0.7 + 0.2j, 0.26j, 0.7 + 0.2j),
        polygon(
            *(
                complex(0, 0.2 - high * 0.5) + complex(0.24 * z.real, 0.24 * high * 1.5 * z.imag)
                for z in (polar(1, 60 * k) for k in range(6))
            )
        ),
        *(
            lines(complex(side * 0.24, 0.2 - high * 0.5), complex(side * 0.56, 0.2 - high * 0.52))
            for side in (-1, 1)
        ),
    ]


def caterpillar(roll: Roll, act: Act) -> list[Stroke]:
    one, other = roll.pick("#8fbf4d", "#a8cf6a", "#d0b84a"), roll.pick("#6fa03c", "#b8d878")
    count, size = int(roll(5, 8)), roll.thick(0.17, 0.25)
    strokes = []
    gap = 1.6 / count
    for number in range(count):
        # The wave runs from tail to head.
        lift = 0.14 * (1 + act.swing(-0.16 * number))
        centre = complex(-0.85 + gap * number + 0.05 * act.swing(0.25 - 0.16 * number), -lift)
        strokes.append(circle(centre, size, other if number % 2 else one))
        strokes.append(lines(centre + size * 1j, centre + complex(0.02, size + 0.1)))
    head = complex(-0.85 + gap * count, -0.2 - 0.08 * act.swing(-0.16 * count))
    big = size * 1.25
    return [
        *strokes,
        circle(head, big, one),
        *(dot(head + complex(x, -0.04), 0.03) for x in (0.0, 0.13)),
        arc(head + 0.07, 0.09, 0.08, 30, 120),
        *(
            curve(
                head + complex(x, -big),
                head + complex(x * 1.8, -big - 0.12),
                head + complex(x * 2.6 + 0.03, -big - roll(0.18, 0.26)),
            )
            for x in (-0.07, 0.08)
        ),
    ]


def snake(roll: Roll, act: Act) -> list[Stroke]:
    skin = roll.pick("#6f9e4a", "#b08a4a", "#5c8a8a", "#a85a4a")
    width, depth, waves = roll.thick(0.08, 0.15), roll(0.16, 0.24), roll(1.3, 1.8)
    spine = [
        complex(-1 + 1.65 * k / 12, depth * math.sin(2 * math.pi * (waves * k / 12 - act.cycle)))
        for k in range(13)
    ]
    upper, lower = [], []
    for k, here in enumerate(spine):
        ahead = spine[min(k + 1, 12)] - spine[max(k - 1, 0)]
        side = ahead / abs(ahead) * 1j * width * min(1.0, 0.25 + k / 4)
        upper.append(here - side)
        lower.append(here + side)
    head = spine[-1]
    tongue = head + 0.3
    return [
        lines(tongue, tongue + 0.14),
        lines(tongue + 0.24 - 0.06j, tongue + 0.14, tongue + 0.24 + 0.06j),
        loop(
            *upper,
            head + complex(0.12, -width * 1.35),
            head + 0.31,
            head + complex(0.12, width * 1.35),
            *reversed(lower),
            fill=skin,
        ),
        dot(head + complex(0.14, -width * 0.45), 0.032),
        *(lines(mix(upper[k], lower[k], 0.1), mix(upper[k], lower[k], 0.9)) for k in (3, 5, 7, 9)),
    ]


def spider(roll: Roll, act: Act) -> list[Stroke]:
    skin = roll.pick("#5a5560", "#7a4a3a", "#3f3f48")
    body, head = roll.thick(0.2, 0.32), roll(0.12, 0.16)
    way = {"down": act.progress, "climb": 1 - act.progress}.get(act.motion.split("-")[0], 0.5)
    centre = complex(0, -0.5 + 1.1 * way)
    strokes = [lines(-1.1j, centre - body * 1j)]
    for side in (-1, 1):
        for number in range(4):
            kick = 0.07 * act.swing(0.27 * number + 0.13 * side)
            knee = centre + complex(side * roll(0.46, 0.54), -0.34 + 0.2 * number + kick)
            foot = knee + complex(side * (0.26 - 0.07 * number), 0.3)
            root = centre + complex(side * body * 0.7, body * (-0.45 + 0.3 * number))
            strokes.append(lines(root, knee, foot))
    hung = [
        *strokes,
        circle(centre, body, skin),
        circle(centre + complex(0, body + head * 0.7), head, skin),
        *(dot(centre + complex(side * 0.05, body + head * 0.8), 0.022) for side in (-1, 1)),
    ]
    turn = 17 * act.swing() if act.motion == "swing" else 0.0
    return [lines(-0.35 - 1.1j, 0.35 - 1.1j), *move(hung, turn=turn, about=-1.1j)]


CRAWLERS: dict[str, Subject] = {
    "snail": Subject(
        snail,
        ("snail|snails",),
        {
            **sideways("crawl", "crawl|creep|creep along", (1.5, 2.5)),
        },
    ),
    "turtle": Subject(
        turtle,
        ("turtle|turtles", "tortoise|tortoises"),
        {
            **sideways("crawl", "crawl|walk|plod along", (1.5, 2.5)),
        },
        ("flat", "tall"),
    ),
    "caterpillar": Subject(
        caterpillar,
        ("caterpillar|caterpillars",),
        {
            **sideways("crawl", "crawl|creep|inch along", (1.5, 2.5)),
            "wriggle": action("stay", "wriggle|wriggle its body", (1.5, 2.5)),
        },
        ("thin", "fat"),
    ),
    "snake": Subject(
        snake,
        ("snake|snakes",),
        {
            **sideways("slither", "slither|slither along|crawl", (1.5, 2.5)),
            "wriggle": action("stay", "wriggle|writhe", (1.5, 2.5)),
        },
        ("thin", "thick"),
    ),
    "spider": Subject(
        spider,
        ("spider|spiders",),
        {
            "down": once("come down on its thread|lower itself on a thread|descend on its thread"),
            "climb": once("climb up its thread|climb its thread"),
            "swing": action("stay", "swing on its thread|swing from a thread", (1.2, 2.0)),
        },
        ("", "fat"),
        "room",
    ),
}

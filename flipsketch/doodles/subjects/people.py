"""People, facing right: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    circle,
    curve,
    dot,
    lines,
    loop,
    mix,
    move,
    polar,
)
from flipsketch.doodles.subject import JUMP, Subject, action, sideways

SKINS = "#f1c9a5", "#d9a07a", "#8d5a3c", "#e6b58c"
SHIRTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0"


def bent(root: complex, upper: complex, lower: complex) -> Stroke:
    """An arm or a leg as one line, with its elbow or knee."""
    return lines(root, root + upper, root + upper + lower)


Angles = tuple[list[float], list[float]]


def limb_angles(kind: str, act: Act) -> tuple[Angles, Angles]:
    """Return the angles of thighs and shins, then of upper and lower arms; left before right.

    90 hangs down, 0 points ahead.
    """
    swing = act.swing()
    if kind in ("walk", "run"):
        stride, lift, bend = (46, 70, 70) if kind == "run" else (30, 30, 22)
        thighs = [90 - stride * swing * side for side in (-1, 1)]
        shins = [
            thigh + lift * max(0.0, act.swing(0.25 + 0.5 * (side > 0)))
            for thigh, side in zip(thighs, (-1, 1), strict=True)
        ]
        uppers = [90 + stride * 0.9 * swing * side for side in (-1, 1)]
        return (thighs, shins), (uppers, [upper - bend for upper in uppers])
    if kind == "wave":
        return ([100, 80], [98, 82]), ([112, -24 + 16 * swing], [106, -78 + 52 * swing])
    if kind == "jump":
        high = max(0.0, math.sin(math.pi * (act.cycle % 1.0)))
        thighs, shins = [90 + 34 * high, 90 - 34 * high], [94 + 20 * high, 86 - 20 * high]
        uppers = [120 + 90 * high, 60 - 90 * high]
        return (thighs, shins), (uppers, [uppers[0] + 8, uppers[1] - 8])
    uppers, lowers = [222 + 30 * swing, -42 - 30 * swing], [246 + 30 * swing, -66 - 30 * swing]
    return ([104, 76], [100, 80]), (uppers, lowers)


def person(roll: Roll, act: Act) -> list[Stroke]:
    skin, shirt, hair = (
        roll.pick(*SKINS),
        roll.pick(*SHIRTS),
        roll.pick("#4a3426", "#222222", "#c98b4a"),
    )
    wide, head = roll.thick(0.12, 0.24), roll(0.17, 0.22)
    arm, leg, long_hair = roll(0.2, 0.25), roll(0.27, 0.33), roll(0, 1) < 0.4
    kind = act.motion.split("-")[0]
    shoulder, hip = -0.36j, 0.2j
    is_going = kind in ("walk", "run")
    if is_going:
        wide *= 0.8
    lean = {"walk": 0.02, "run": 0.1}.get(kind, 0.0)
    neck = shoulder + lean
    face = neck + complex(lean * 0.5, -0.1 - head)
    hips = [hip - wide * 0.55, hip + wide * 0.55]
    shoulders = [neck - wide * 0.9 + 0.06j, neck + wide * 0.9 + 0.06j]
    limbs = [
        [
            bent(root, polar(size, up), polar(size, low))
            for root, up, low in zip(roots, ups, lows, strict=True)
        ]
        for roots, size, (ups, lows) in zip(
            (hips, shoulders), (leg, arm), limb_angles(kind, act), strict=True
        )
    ]
    shoes = [
        lines(line.points[-1], line.points[-1] + (0.1 if is_going else side * 0.09))
        for line, side in zip(limbs[0], (-1, 1), strict=True)
    ]
    crown = [arc(face - 0.02j, head * 1.1, head * 1.1, 180, 180, hair)]
    if long_hair:
        crown = [
            curve(
                face + head * polar(1.1, 60),
                face + head * polar(1.3, 120),
                face + head * polar(1.15, 180),
                face + head * polar(1.12, 240),
                face + head * polar(1.1, 310),
                fill=hair,
            )
        ]
    return [
        *(crown if long_hair else []),
        *limbs[0],
        *shoes,
        loop(
            neck - wide,
            neck + wide,
            neck + wide * 1.05 + 0.3j,
            hip + wide * 0.9 + 0.04j,
            hip - wide * 0.9 + 0.04j,
            neck - wide * 1.05 + 0.3j,
            fill=shirt,
        ),
        *limbs[1],
        circle(face, head, skin),
        *([] if long_hair else crown),
        *(dot(face + complex(x, 0.01), 0.022) for x in ((0.1,) if lean else (-0.07, 0.07))),
        arc(face + complex(0.07 if lean else 0, 0.05), 0.07, 0.05, 20, 140),
    ]


def dancer(roll: Roll, act: Act) -> list[Stroke]:
    skin, dress = roll.pick(*SKINS), roll.pick("#d96a9a", "#d9534f", "#8a6fc0", "#4fa6a6")
    wide, head = roll.thick(0.34, 0.56), roll(0.13, 0.17)
    long = roll(0.34, 0.44)
    swing = act.swing()
    lean = 9 * swing
    waist, neck = 0j, -0.42j
    hem = [
        complex(
            wide * (1 - 2 * k / 6) + 0.1 * swing, long + 0.06 * (k % 2) + 0.08 * swing * (k / 3 - 1)
        )
        for k in range(7)
    ]
    face = neck - complex(0, 0.05 + head)
    raise_ = [-150 - 40 * swing, -30 - 40 * swing]
    arms = [
        curve(
            neck + 0.05j,
            neck + polar(0.26, angle + 12 * side),
            neck + polar(0.48, angle - 14 * side),
        )
        for angle, side in zip(raise_, (-1, 1), strict=True)
    ]
    kick = 28 * max(0.0, act.swing(0.1))
    legs = [
        lines(0.3j - 0.06, 0.62j - 0.07, 0.92j - 0.04, 0.98j + 0.03),
        lines(
            0.3j + 0.08,
            0.3j + 0.08 + polar(0.34, 80 - kick),
            0.3j + 0.08 + polar(0.68, 80 - 1.4 * kick),
        ),
    ]
    top = [
        *arms,
        Stroke(
            [
                *lines(waist - 0.09, neck - 0.1 + 0.06j, neck + 0.1 + 0.06j, waist + 0.09).points,
                *curve(
                    waist + 0.09,
                    mix(waist, hem[0], 0.6) + 0.04,
                    *hem,
                    mix(waist, hem[-1], 0.6) - 0.04,
                    waist - 0.09,
                ).points[1:],
            ],
            dress,
        ),
        lines(waist - 0.09, waist + 0.09),
        circle(face, head, skin),
        circle(face - complex(0, head + 0.05), 0.07, "#4a3426"),
        arc(face, head, head, 190, 160, "#4a3426"),
        *(dot(face + complex(x, 0.02), 0.018) for x in (-0.05, 0.05)),
    ]
    return [*legs, *move(top, turn=lean, about=0.3j)]


def swing(roll: Roll, act: Act) -> list[Stroke]:
    """A child on a swing."""
    skin, shirt = roll.pick(*SKINS), roll.pick(*SHIRTS)
    rope, head = roll(0.95, 1.1), roll.thick(0.13, 0.18)
    top, spread = -0.85j, roll(0.55, 0.7)
    angle = 32 * act.swing()
    seat = top + rope * 1j
    legs = -18 * act.swing(0.05)
    rider = [
        lines(
            seat - 0.02,
            seat + 0.24 - 0.02j,
            seat + 0.24 - 0.02j + polar(0.28, 84 + legs),
            seat + 0.32 + polar(0.28, 84 + legs),
        ),
        loop(
            seat - 0.1 - 0.02j,
            seat - 0.1 - 0.36j,
            seat + 0.08 - 0.36j,
            seat + 0.1 - 0.02j,
            fill=shirt,
        ),
        lines(seat + 0.02 - 0.3j, seat + 0.06 - 0.18j, seat + 0.01 - 0.42j),
        circle(seat - 0.02 - complex(0, 0.38 + head), head, skin),
        dot(seat + 0.06 - complex(0, 0.4 + head), 0.02),
        arc(seat - 0.02 - complex(0, 0.38 + head), head, head, 160, 150, "#4a3426"),
        lines(top, seat),
        lines(seat - 0.18, seat + 0.2),
    ]
    return [
        lines(complex(-spread, -0.85), complex(spread, -0.85)),
        *(
            lines(
                complex(side * (spread + 0.18), 0.75),
                complex(side * spread, -0.85),
                complex(side * (spread - 0.18), 0.75),
            )
            for side in (-1, 1)
        ),
        *move(rider, turn=angle, about=top),
    ]


PEOPLE: dict[str, Subject] = {
    "person": Subject(
        person,
        ("person|people", "child|children"),
        {
            **sideways("walk", "walk|walk along|stroll"),
            **sideways("run", "run|run along|jog", (2.5, 3.5)),
            "wave": action("stay", "wave|wave a hand|wave hello"),
            "jump": JUMP,
            "cheer": action("stay", "cheer|raise both arms|wave both arms", (1.5, 2.5)),
        },
        ("thin", "stout"),
    ),
    "dancer": Subject(
        dancer,
        ("dancer|dancers", "ballerina|ballerinas"),
        {
            "dance": action("stay", "dance|dance on the spot", (1.5, 2.5)),
            "jump": action("jump", "leap|jump into the air|leap up and down"),
            **sideways("dance", "dance|dance along", (1.5, 2.5)),
        },
        ("", ""),
        "room",
    ),
    "swing": Subject(
        swing,
        ("child on a swing|children on swings", "person on a swing|people on swings"),
        {
            "swing": action("stay", "swing back and forth|swing to and fro|swing", (1.2, 2.0)),
        },
    ),
}

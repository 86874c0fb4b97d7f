"""People, and what looks like them, facing right: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    box,
    circle,
    curve,
    dot,
    ellipse,
    lines,
    loop,
    mix,
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import CLOSER, GROW, JUMP, ROCK, Subject, deed, once, sideways

SKINS = "#f1c9a5", "#d9a07a", "#8d5a3c", "#e6b58c"
SHIRTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0"


def bent(root: complex, upper: complex, lower: complex) -> Stroke:
    """An arm or a leg as one line, with its elbow or knee."""
    return lines(root, root + upper, root + upper + lower)


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
    lean = 0.0
    swing = act.swing()
    # Angles of upper and lower limb, right after left; 90 hangs down, 0 points ahead.
    if kind in ("walk", "run"):
        wide *= 0.8
        lean, stride, lift = (0.1, 46, 70) if kind == "run" else (0.02, 30, 30)
        thighs = [90 - stride * swing * side for side in (-1, 1)]
        shins = [
            thigh + lift * max(0.0, act.swing(0.25 + 0.5 * (side > 0)))
            for thigh, side in zip(thighs, (-1, 1), strict=True)
        ]
        uppers = [90 + stride * 0.9 * swing * side for side in (-1, 1)]
        bend = 70 if kind == "run" else 22
        lowers = [upper - bend for upper in uppers]
    elif kind == "wave":
        thighs, shins = [100, 80], [98, 82]
        uppers, lowers = [112, -24 + 16 * swing], [106, -78 + 52 * swing]
    elif kind == "jump":
        high = max(0.0, math.sin(math.pi * (act.cycle % 1.0)))
        thighs, shins = [90 + 34 * high, 90 - 34 * high], [94 + 20 * high, 86 - 20 * high]
        uppers = [120 + 90 * high, 60 - 90 * high]
        lowers = [uppers[0] + 8, uppers[1] - 8]
    else:  # cheer
        thighs, shins = [104, 76], [100, 80]
        uppers, lowers = [222 + 30 * swing, -42 - 30 * swing], [246 + 30 * swing, -66 - 30 * swing]
    neck = shoulder + lean
    face = neck + complex(lean * 0.5, -0.1 - head)
    hips = [hip - wide * 0.55, hip + wide * 0.55]
    shoulders = [neck - wide * 0.9 + 0.06j, neck + wide * 0.9 + 0.06j]
    limbs = [
        [
            bent(root, polar(size, up), polar(size, low))
            for root, up, low in zip(roots, ups, lows, strict=True)
        ]
        for roots, size, ups, lows in ((hips, leg, thighs, shins), (shoulders, arm, uppers, lowers))
    ]
    shoes = [
        lines(line.points[-1], line.points[-1] + (0.1 if kind in ("walk", "run") else side * 0.09))
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


def snowman(roll: Roll, act: Act) -> list[Stroke]:
    belly, chest, head = roll.thick(0.38, 0.5), roll(0.27, 0.33), roll(0.2, 0.24)
    hat = roll(0.2, 0.3)
    low = 0.9 - belly
    middle = low - belly * 0.8 - chest * 0.75
    high = middle - chest * 0.8 - head * 0.75
    wave = 32 * act.swing() if act.motion.startswith("wave") else 0.0
    arms = []
    for side, turn in ((-1, 0.0), (1, wave)):
        shoulder = complex(side * chest * 0.9, middle - 0.06)
        out = polar(0.4, -30 * side - turn)
        hand = shoulder + side * out
        arms += [
            lines(shoulder, hand),
            *(lines(hand, hand + side * out * polar(0.3, lean)) for lean in (-35, 30)),
        ]
    face = complex(0, high)
    return [
        *arms,
        circle(low * 1j, belly, "#f7f9fc"),
        circle(middle * 1j, chest, "#f7f9fc"),
        circle(face, head, "#f7f9fc"),
        *(dot(complex(0, middle + y), 0.025) for y in (-0.08, 0.08)),
        *(dot(face + complex(x, -0.05), 0.025) for x in (-0.08, 0.08)),
        polygon(face, face + complex(roll(0.2, 0.3), 0.06), face + 0.07j, fill="#ef8a3c"),
        lines(
            face + complex(-head - 0.06, -head * 0.72), face + complex(head + 0.06, -head * 0.72)
        ),
        box(-head * 0.72, high - head * 0.72 - hat, head * 0.72, high - head * 0.72, "#3c4454"),
    ]


def face(roll: Roll, act: Act) -> list[Stroke]:
    skin = roll.pick("#f2d04a", *SKINS)
    wide = roll.thick(0.68, 0.88)
    eye, apart, grin = roll(0.09, 0.13), roll(0.26, 0.34), roll(0.2, 0.3)
    kind = act.motion.split("-")[0]
    # A blink is short: shut for a third of each cycle.
    shut = max(0.05, 1 - 1.6 * max(0.0, act.swing())) if kind in ("blink", "wink") else 1.0
    smile = -grin + 2.2 * grin * act.progress if kind == "smile" else grin
    gape = 0.16 * (1 + act.swing()) if kind == "talk" else 0.0
    mouth = [
        complex(-0.36, 0.3),
        complex(-0.18, 0.3 + smile * 0.75),
        complex(0, 0.3 + smile),
        complex(0.18, 0.3 + smile * 0.75),
        complex(0.36, 0.3),
    ]
    if kind == "talk":
        mouth_strokes = [ellipse(0.36j, roll(0.2, 0.28), 0.06 + gape, fill="#b8484a")]
    else:
        mouth_strokes = [curve(*mouth)]
    tuft = roll(0.1, 0.2)
    return [
        ellipse(0j, wide, 0.85, fill=skin),
        ellipse(
            complex(-apart, -0.18),
            eye,
            eye * 1.3 * (1.0 if kind == "wink" else shut),
            fill="#222222",
        ),
        ellipse(complex(apart, -0.18), eye, eye * 1.3 * shut, fill="#222222"),
        *(arc(complex(side * apart, -0.34), 0.13, 0.08, 200, 140) for side in (-1, 1)),
        curve(0.02 - 0.06j, 0.06 + 0.08j, -0.02 + 0.1j),
        *mouth_strokes,
        *(
            curve(
                complex(x, -0.84),
                complex(x * 1.6 + 0.04, -0.84 - tuft * 0.7),
                complex(x * 2.4 + 0.1, -0.84 - tuft),
            )
            for x in (-0.1, 0.0, 0.1)
        ),
    ]


def robot(roll: Roll, act: Act) -> list[Stroke]:
    metal, light = (
        roll.pick("#a9b4c0", "#c0b49a", "#8fa6b8"),
        roll.pick("#d9534f", "#5aa0c8", "#e0c04a"),
    )
    wide, head = roll.thick(0.26, 0.42), roll(0.22, 0.3)
    kind = act.motion.split("-")[0]
    swing = act.swing()
    stride = 24 * swing if kind == "walk" else 0.0
    reach = {"walk": (80 + stride, 100 - stride), "wave": (100, -30 + 46 * swing)}.get(
        kind, (140 + 50 * swing, 40 + 50 * swing)
    )
    turn = 10 * act.swing(0.25) if kind == "dance" else 0.0
    top = [
        *(
            lines(
                complex(side * wide, -0.2),
                complex(side * wide, -0.2) + side * 0.1,
                complex(side * (wide + 0.1), -0.2) + polar(0.46, angle),
            )
            for side, angle in zip(
                (-1, 1), (180 - reach[0] if kind == "walk" else reach[0], reach[1]), strict=True
            )
        ),
        box(-wide, -0.3, wide, 0.32, metal),
        circle(complex(-wide * 0.4, 0), 0.07, light),
        lines(complex(wide * 0.1, -0.08), complex(wide * 0.7, -0.08)),
        lines(complex(wide * 0.1, 0.08), complex(wide * 0.7, 0.08)),
        box(-head, -0.78, head, -0.36, metal),
        *(circle(complex(side * head * 0.45, -0.6), 0.06, light) for side in (-1, 1)),
        lines(complex(-head * 0.5, -0.45), complex(head * 0.5, -0.45)),
        lines(-0.78j, -0.95j),
        circle(-0.99j, 0.045, light),
    ]
    legs = []
    for side in (-1, 1):
        foot = complex(side * wide * 0.5, 0.32) + polar(0.42, 90 - side * stride)
        legs += [lines(complex(side * wide * 0.5, 0.32), foot), lines(foot - 0.07, foot + 0.13)]
    return [*legs, *move(top, turn=turn, about=0.3j)]


PEOPLE: dict[str, Subject] = {
    "person": Subject(
        person,
        ("person|people", "child|children"),
        {
            **sideways("walk", "walk|walk along|stroll"),
            **sideways("run", "run|run along|jog", (2.5, 3.5)),
            "wave": deed("stay", "wave|wave a hand|wave hello"),
            "jump": JUMP,
            "cheer": deed("stay", "cheer|raise both arms|wave both arms", (1.5, 2.5)),
        },
        ("thin", "stout"),
    ),
    "dancer": Subject(
        dancer,
        ("dancer|dancers", "ballerina|ballerinas"),
        {
            "dance": deed("stay", "dance|dance on the spot", (1.5, 2.5)),
            "jump": deed("jump", "leap|jump into the air|leap up and down"),
            **sideways("dance", "dance|dance along", (1.5, 2.5)),
        },
        ("", ""),
        "room",
    ),
    "swing": Subject(
        swing,
        ("child on a swing|children on swings", "person on a swing|people on swings"),
        {
            "swing": deed("stay", "swing back and forth|swing to and fro|swing", (1.2, 2.0)),
        },
    ),
    "snowman": Subject(
        snowman,
        ("snowman|snowmen",),
        {
            "wave": deed("stay", "wave|wave an arm|wave hello"),
            "melt": deed("shrink", "melt away|melt|shrink"),
            "grow": GROW,
            "sway": ROCK,
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
    "face": Subject(
        face,
        ("face|faces",),
        {
            "blink": deed("stay", "blink|blink its eyes|open and close its eyes", (1.6, 2.6)),
            "wink": deed("stay", "wink|wink an eye", (1.2, 2.2)),
            "smile": once("begin to smile|start to smile|cheer up"),
            "talk": deed("stay", "talk|speak|open and close its mouth"),
            "closer": CLOSER,
            "shake": deed("shake", "shake from side to side|shake"),
        },
        ("thin", "round"),
        "room",
    ),
    "robot": Subject(
        robot,
        ("robot|robots",),
        {
            **sideways("walk", "walk|march|walk along"),
            "wave": deed("stay", "wave|wave an arm|wave hello"),
            "dance": deed("stay", "dance|swing its arms", (1.5, 2.5)),
        },
        ("thin", "wide"),
        "room",
    ),
}

"""A snowman, a face and a robot: how each is drawn, and what it can do."""

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
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import CLOSER, GROW, JUMP, ROCK, Subject, action, once, sideways
from flipsketch.doodles.subjects.people import SKINS


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


FIGURES: dict[str, Subject] = {
    "snowman": Subject(
        snowman,
        ("snowman|snowmen",),
        {
            "wave": action("stay", "wave|wave an arm|wave hello"),
            "melt": action("shrink", "melt away|melt|shrink"),
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
            "blink": action("stay", "blink|blink its eyes|open and close its eyes", (1.6, 2.6)),
            "wink": action("stay", "wink|wink an eye", (1.2, 2.2)),
            "smile": once("begin to smile|start to smile|cheer up"),
            "talk": action("stay", "talk|speak|open and close its mouth"),
            "closer": CLOSER,
            "shake": action("shake", "shake from side to side|shake"),
        },
        ("thin", "round"),
        "room",
    ),
    "robot": Subject(
        robot,
        ("robot|robots",),
        {
            **sideways("walk", "walk|march|walk along"),
            "wave": action("stay", "wave|wave an arm|wave hello"),
            "dance": action("stay", "dance|swing its arms", (1.5, 2.5)),
        },
        ("thin", "wide"),
        "room",
    ),
}

"""Animals that fly, facing right: how each is drawn, and what it can do."""

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
    mix,
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import Subject, action, sideways


def bird(roll: Roll, act: Act) -> list[Stroke]:
    body, wing = (
        roll.pick("#4f86c6", "#c9504a", "#e0a53a", "#7a7f8a"),
        roll.pick("#35629b", "#5d5148"),
    )
    fat, head = roll.thick(0.2, 0.34), roll(0.16, 0.22)
    span, flap = roll(0.6, 0.8), 0.2 + 0.8 * act.swing()
    face = complex(0.52, -0.16 - fat / 2)

    def make_wing(root: complex, size: float) -> Stroke:
        tip = root + complex(-0.25 * size, -span * flap * size)
        return curve(
            root + 0.2,
            root + 0.12 - 0.45j * flap * size,
            tip,
            tip - 0.12 + 0.1j,
            root - 0.3 - 0.25j * flap * size,
            root - 0.2,
            fill=wing,
        )

    beak = roll(0.14, 0.24)
    strokes = [
        make_wing(0.15 - fat * 0.8j, 0.85),
        polygon(
            face + head * 0.9 - 0.06j,
            face + head + beak + 0.03j,
            face + head * 0.85 + 0.09j,
            fill="#e8902c",
        ),
        polygon(
            -0.5 - 0.06j,
            complex(-0.98, -roll(0.1, 0.25)),
            complex(-0.95, roll(0.05, 0.2)),
            -0.48 + 0.08j,
            fill=wing,
        ),
        loop(
            face - head * 1j,
            face + head,
            mix(face, 0.3, 0.45) + 0.16,
            complex(0, fat),
            -0.52 + 0.06j,
            -0.5 - 0.07j,
            complex(-0.05, -fat * 0.95),
            face - head * 0.95,
            fill=body,
        ),
        dot(face + 0.04 - 0.03j),
        make_wing(0.08 - fat * 0.4j, 1.0),
    ]
    if act.motion.startswith("hop"):
        strokes += [
            lines(
                complex(x, fat * 0.9), complex(x + 0.02, fat + 0.22), complex(x + 0.12, fat + 0.22)
            )
            for x in (-0.05, 0.12)
        ]
    return strokes


def butterfly(roll: Roll, act: Act) -> list[Stroke]:
    upper, lower = (
        roll.pick("#e8873a", "#5b8fd6", "#c75b9b", "#e3c14d"),
        roll.pick("#f0b860", "#8a6fc0"),
    )
    wide, high = roll.thick(0.6, 0.9), roll(0.55, 0.75)
    # Seen from the front, a wing that folds gets narrow.
    fold = 0.66 + 0.34 * act.swing()
    rise = 0.12 * act.swing(0.25)
    wings = [
        loop(
            0.04 - 0.1j,
            complex(wide * 0.45, -high - rise),
            complex(wide, -high * 0.85 - rise),
            complex(wide * 0.85, -0.12),
            0.06 + 0.05j,
            fill=upper,
        ),
        loop(
            0.05 + 0.06j,
            complex(wide * 0.7, 0.08),
            complex(wide * 0.72, high * 0.7 - rise),
            complex(wide * 0.3, high * 0.8 - rise),
            fill=lower,
        ),
        circle(complex(wide * 0.65, -high * 0.5 - rise), roll(0.08, 0.14), "#ffffff"),
    ]
    wings = move(wings, zoom=complex(fold, 1))
    return [
        *wings,
        *mirror(wings),
        ellipse(0j, 0.06, roll(0.38, 0.46), fill="#4a3b32"),
        circle(-0.46j, 0.075, "#4a3b32"),
        curve(-0.02 - 0.52j, -0.08 - 0.7j, complex(-roll(0.16, 0.26), -0.82)),
        curve(0.02 - 0.52j, 0.08 - 0.7j, complex(roll(0.16, 0.26), -0.82)),
    ]


def bee(roll: Roll, act: Act) -> list[Stroke]:
    fat, long = roll.thick(0.28, 0.38), roll(0.5, 0.6)
    flap = 18 * act.swing()
    size = roll(0.42, 0.54)
    wings = [
        ellipse(
            complex(x, -fat * 0.85) + polar(size, angle + flap),
            size,
            size * 0.4,
            angle + flap,
            "#dceaf5",
            180,
        )
        for x, angle in ((0.05, -118), (0.1, -72))
    ]
    bands = [
        arc(complex(x, 0), 0.07, fat * (1 - abs(x) * 0.35), -80, 160) for x in (-0.28, -0.05, 0.18)
    ]
    return [
        polygon(
            complex(-long, -0.06), complex(-long - 0.18, 0.0), complex(-long, 0.06), fill="#333333"
        ),
        *wings,
        ellipse(0j, long, fat, fill="#f2c230"),
        *bands,
        dot(complex(long * 0.72, -0.06), 0.04),
        arc(complex(long * 0.7, 0.06), 0.08, 0.07, 30, 110),
        *(
            curve(
                complex(long * 0.72, -fat * 0.65),
                complex(long * 0.85, -fat * 1.1),
                complex(long + x, -fat - 0.16),
            )
            for x in (0.0, 0.16)
        ),
    ]


FLIERS: dict[str, Subject] = {
    "bird": Subject(
        bird,
        ("bird|birds",),
        {
            **sideways("fly", "fly|fly off|flap its way", (2.5, 3.5)),
            "flap": action("stay", "flap its wings|beat its wings|flutter its wings"),
            "fly-up": action("climb", "take off|fly upwards|soar into the sky", (2.5, 3.5)),
            "hop": action("jump", "hop up and down|hop"),
        },
        ("slim", "plump"),
        "sky",
    ),
    "butterfly": Subject(
        butterfly,
        ("butterfly|butterflies",),
        {
            **sideways("fly", "fly|flutter|flutter along", (2.5, 3.5), "flutter"),
            "flap": action("stay", "flap its wings|open and close its wings|beat its wings"),
            "up": action("up", "flutter upwards|fly up|rise", (2.5, 3.5)),
            "roam": action("roam", "flutter about|fly around", (2.5, 3.5)),
            "closer": action("closer", "come closer|fly nearer|approach", (2.5, 3.5)),
        },
        ("narrow-winged", "broad-winged"),
        "sky",
    ),
    "bee": Subject(
        bee,
        ("bee|bees", "bumblebee|bumblebees"),
        {
            **sideways("fly", "fly|buzz|buzz along", (3.2, 4.2), "flutter"),
            "roam": action("roam", "buzz about|fly around", (3.2, 4.2)),
            "hover": action("stay", "flap its wings|beat its wings", (2.2, 3.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
}

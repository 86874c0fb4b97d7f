"""What people fly in, facing right: how each is drawn, and what it can do."""

import math

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
    polar,
    polygon,
)
from flipsketch.doodles.subject import CLOSER, RISE, SINK, Subject, action, sideways

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#e8e4dc"
GLASS = "#cfe6f2"


def aeroplane(roll: Roll, act: Act) -> list[Stroke]:
    paint, trim = (
        roll.pick("#e8e4dc", "#d9534f", "#4f86c6"),
        roll.pick("#e0a53a", "#5a7fb0", "#c9504a"),
    )
    fat, wing = roll.thick(0.15, 0.25), roll(0.5, 0.62)
    spin = roll(0.28, 0.34) * math.cos(2 * math.pi * act.cycle)
    return [
        polygon(
            -0.1 - 0.06j,
            complex(-0.3, -wing * 0.75),
            complex(-0.14, -wing * 0.75),
            0.26 - 0.08j,
            fill=trim,
        ),
        polygon(
            -0.72 - 0.08j,
            complex(-0.98, -roll(0.4, 0.52)),
            complex(-0.78, -0.42),
            -0.46 - 0.12j,
            fill=trim,
        ),
        loop(
            0.85 + 0j,
            complex(0.6, -fat * 0.95),
            complex(0.1, -fat),
            complex(-0.5, -fat * 0.75),
            -0.9 - 0.1j,
            -0.86 + 0.02j,
            complex(-0.2, fat * 0.85),
            complex(0.55, fat * 0.9),
            fill=paint,
        ),
        *(circle(complex(x, -0.05), 0.055, GLASS) for x in (-0.32, -0.1, 0.12)),
        curve(complex(0.42, -fat * 0.95), complex(0.52, -0.02), complex(0.78, -0.04)),
        polygon(0.24 + 0.07j, complex(-0.2, wing), complex(-0.42, wing), -0.16 + 0.07j, fill=trim),
        ellipse(complex(0.92, 0), 0.035, max(0.05, abs(spin)), fill="#55565c"),
        lines(-0.9 - 0.05j, -1.05 - 0.05j),
    ]


def helicopter(roll: Roll, act: Act) -> list[Stroke]:
    paint = roll.pick(*PAINTS)
    fat, blade = roll.thick(0.26, 0.38), roll(0.75, 0.9)
    # A rotor seen from the side gets shorter and longer.
    reach = blade * (0.35 + 0.65 * abs(math.cos(2 * math.pi * act.cycle)))
    top = -fat - 0.2
    tail = complex(-0.92, -0.2)
    small = polar(0.16, 360 * act.cycle * 0.75)
    return [
        lines(complex(0.15, -fat * 0.9), complex(0.15, top)),
        loop(
            complex(0.15 - reach, top),
            complex(0.15, top - 0.035),
            complex(0.15 + reach, top),
            complex(0.15, top + 0.035),
            fill="#55565c",
        ),
        curve(
            -0.2 - 0.16j,
            tail - 0.06j,
            tail - 0.1 - 0.18j,
            tail - 0.14,
            tail + 0.06j,
            -0.24 + 0.06j,
            fill=paint,
        ),
        ellipse(0.18 + 0j, 0.5, fat, fill=paint),
        arc(0.26 - 0.02j, 0.36, fat * 0.72, -90, 90, GLASS),
        lines(complex(0.26, -0.02 - fat * 0.7), 0.26 - 0.02j, 0.62 - 0.02j),
        lines(tail - 0.1 - 0.06j + small, tail - 0.1 - 0.06j - small),
        *(lines(complex(x, fat * 0.9), complex(x, fat + 0.14)) for x in (0.0, 0.34)),
        curve(
            complex(-0.28, fat + 0.14),
            complex(0.2, fat + 0.15),
            complex(0.56, fat + 0.14),
            complex(0.68, fat + 0.06),
        ),
    ]


def balloon(roll: Roll, act: Act) -> list[Stroke]:
    """A hot-air balloon."""
    one, two = roll.pick(*PAINTS[:5]), roll.pick("#f4f1ea", "#f2d04a")
    wide = roll.thick(0.48, 0.68)
    basket, drop = roll(0.13, 0.18), roll(0.6, 0.7)
    sway = 0.05 * act.swing()
    foot = complex(sway, 0.28)

    def rib(x: float, fill: str = "") -> Stroke:
        return curve(
            -0.92j,
            complex(x * wide * 0.75, -0.75),
            complex(x * wide, -0.32),
            complex(x * wide * 0.7, 0.05),
            foot + x * 0.13,
            fill=fill,
        )

    left, right = rib(-1), rib(1)
    skin = Stroke(
        left.points + lines(left.points[-1], right.points[-1]).points[1:] + right.points[-2::-1],
        one,
    )
    stripe = Stroke(
        rib(-0.35).points + lines(foot - 0.045, foot + 0.045).points[1:] + rib(0.35).points[-2::-1],
        two,
    )
    at = complex(sway * 1.6, drop)
    return [
        *(lines(foot + side * 0.13, at + complex(side * basket, 0)) for side in (-1, 1)),
        skin,
        stripe,
        polygon(
            at - basket,
            at + basket,
            at + complex(basket * 0.8, 0.24),
            at + complex(-basket * 0.8, 0.24),
            fill="#b07a4a",
        ),
        lines(at + complex(-basket * 0.9, 0.1), at + complex(basket * 0.9, 0.1)),
    ]


def rocket(roll: Roll, act: Act) -> list[Stroke]:
    paint, trim = roll.pick("#e8e4dc", "#c0c8d4"), roll.pick("#d9534f", "#4f86c6", "#e0a53a")
    wide = roll.thick(0.18, 0.3)
    fin = roll(0.2, 0.3)
    burn = roll(0.32, 0.42) * (1 + 0.4 * act.swing())
    flames = [
        loop(
            complex(-wide * 0.55, 0.48),
            complex(0, 0.44),
            complex(wide * 0.55, 0.48),
            complex(wide * 0.4, 0.5 + burn * 0.5),
            complex(0.04 * act.swing(0.3), 0.5 + burn),
            complex(-wide * 0.4, 0.5 + burn * 0.5),
            fill="#ef8a3c",
        ),
        curve(
            complex(-wide * 0.25, 0.5),
            complex(0.0, 0.5 + burn * 0.55),
            complex(wide * 0.25, 0.5),
            fill="#f2d04a",
        ),
    ]
    return [
        *flames,
        *(
            polygon(
                complex(side * wide * 0.95, 0.1),
                complex(side * (wide + fin), 0.46),
                complex(side * (wide + fin), 0.62),
                complex(side * wide * 0.8, 0.44),
                fill=trim,
            )
            for side in (-1, 1)
        ),
        curve(
            complex(-wide * 0.7, 0.46),
            complex(-wide, 0.1),
            complex(-wide * 0.9, -0.35),
            complex(-wide * 0.45, -0.72),
            -0.92j,
            complex(wide * 0.45, -0.72),
            complex(wide * 0.9, -0.35),
            complex(wide, 0.1),
            complex(wide * 0.7, 0.46),
            fill=paint,
        ),
        lines(complex(-wide * 0.72, 0.46), complex(wide * 0.72, 0.46)),
        circle(-0.22j, wide * roll(0.45, 0.6), GLASS),
        curve(complex(-wide * 0.72, -0.52), complex(0, -0.48), complex(wide * 0.72, -0.52)),
    ]


def saucer(roll: Roll, act: Act) -> list[Stroke]:
    metal, light = (
        roll.pick("#a9b4c0", "#b8a6c8", "#9ab8a6"),
        roll.pick("#f2d04a", "#d9534f", "#7fd09a"),
    )
    high, dome = roll.thick(0.17, 0.27), roll(0.34, 0.44)
    count = 6
    lamps = []
    for number in range(count):
        # The lamps run along the rim as it turns, and those behind are not seen.
        angle = (number / count + act.cycle * 0.5) % 1.0
        if angle < 0.5:
            x = 0.86 * math.cos(2 * math.pi * angle)
            lamps.append(
                circle(complex(x, 0.1 + high * 0.42 * math.sin(2 * math.pi * angle)), 0.06, light)
            )
    head = complex(0, -0.24)
    return [
        arc(-0.06j, dome, dome * 1.25, 180, 180, "#d8eef5"),
        ellipse(head, 0.13, 0.16, fill="#8fc07a"),
        *(dot(head + complex(side * 0.055, -0.02), 0.03) for side in (-1, 1)),
        ellipse(0.06j, 1.0, high, fill=metal),
        *lamps,
        *(
            lines(complex(side * 0.4, 0.04 + high), complex(side * 0.52, 0.3 + high))
            for side in (-1, 0.0, 1)
        ),
    ]


def glider(roll: Roll, act: Act) -> list[Stroke]:
    """A plane of folded paper."""
    wing, keel = roll(0.42, 0.56), roll.thick(0.24, 0.42)
    flex = 0.04 * act.swing()
    nose, tail = 0.9 + 0.02j, complex(-0.8, -0.1)
    return [
        polygon(nose, complex(-0.9, -wing + flex), tail, fill="#ffffff"),
        polygon(nose, tail, complex(-0.6, keel), fill="#dfe4ec"),
    ]


AIRCRAFT: dict[str, Subject] = {
    "aeroplane": Subject(
        aeroplane,
        ("aeroplane|aeroplanes", "plane|planes"),
        {
            **sideways("fly", "fly|fly along|fly away", (3.2, 4.2)),
            "take-off": action("climb", "take off|climb|climb into the sky", (3.2, 4.2)),
            "land": action("descend", "land|come down|descend", (3.2, 4.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "helicopter": Subject(
        helicopter,
        ("helicopter|helicopters",),
        {
            **sideways("fly", "fly|fly along", (3.2, 4.2)),
            "up": action("up", "rise|take off|fly upwards", (3.2, 4.2)),
            "down": action("down", "land|come down|descend", (3.2, 4.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "balloon": Subject(
        balloon,
        ("hot-air balloon|hot-air balloons", "balloon|balloons"),
        {
            "up": RISE,
            "down": SINK,
            **sideways("drift", "drift|float|drift along", (1.2, 2.0)),
            "closer": CLOSER,
            "away": action("away", "float away|move away|get farther away"),
        },
        ("slim", "fat"),
        "sky",
    ),
    "rocket": Subject(
        rocket,
        ("rocket|rockets",),
        {
            "launch": action("up", "take off|fly up|rise into the sky|blast off", (3, 4)),
            "land": action("down", "land|come down|fly down", (3, 4)),
            "shake": action("shake", "shake|tremble", (3, 4)),
            "away": action("away", "fly away|move away", (3, 4)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "saucer": Subject(
        saucer,
        ("flying saucer|flying saucers", "ufo|ufos"),
        {
            **sideways("fly", "fly|glide|float", (1.5, 2.5), "flutter"),
            "land": action("down", "land|come down|descend", (1.5, 2.5)),
            "roam": action("roam", "fly around|fly about", (1.5, 2.5)),
            "closer": CLOSER,
        },
        ("flat", "thick"),
        "sky",
    ),
    "glider": Subject(
        glider,
        ("paper plane|paper planes",),
        {
            **sideways("fly", "fly|glide|sail through the air"),
            "loop": action("loop", "loop the loop|fly a loop|turn a somersault"),
            "down": action("descend", "glide down|come down|descend"),
        },
        ("", ""),
        "sky",
    ),
}

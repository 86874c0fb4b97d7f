"""Toys and the like: how each is drawn, and what it can do."""

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
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import (
    BOUNCE,
    GROW,
    RISE,
    SHAKE,
    SPIN,
    SWAY,
    Subject,
    action,
    once,
    sideways,
)

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#d96a9a"


def ball(roll: Roll, act: Act) -> list[Stroke]:
    one, two = roll.pick(*PAINTS), roll.pick("#f4f1ea", "#f2d04a")
    size = 0.8
    bands = [circle(0j, size, one)]
    if roll(0, 1) < 0.5:
        bands += [
            ellipse(0j, size * roll.thick(0.3, 0.5), size, fill=two),
            lines(-size * 1j, size * 1j),
        ]
    else:
        bands += [
            curve(polar(size, angle), polar(size * 0.35, angle + 40), polar(size, angle + 130))
            for angle in (0, 120, 240)
        ]
        bands.append(circle(0.25 - 0.05j, 0.12, two))
    return move(bands, turn=math.degrees(act.travel / size) + 25)


def kite(roll: Roll, act: Act) -> list[Stroke]:
    one, two = roll.pick(*PAINTS), roll.pick("#f2d04a", "#f4f1ea")
    wide, high = roll.thick(0.3, 0.46), roll(0.42, 0.5)
    tilt = 24 + 5 * act.swing(0.2)
    top, foot, middle = -high * 1j, high * 1.3j, -0.08j
    body = [
        polygon(top, wide + middle, foot, -wide + middle, fill=one),
        polygon(top, wide + middle, middle, fill=two),
        lines(top, foot),
        lines(-wide + middle, wide + middle),
    ]
    body = move(body, turn=tilt, by=0.25 - 0.35j)
    root = body[0].points[6]
    tail = [
        root
        + complex(
            -0.2 * k,
            0.13 * k + 0.12 * math.sin(2 * math.pi * (act.cycle - 0.24 * k)) * min(1, k),
        )
        for k in range(7)
    ]
    bows = []
    for k in (2, 4, 6):
        side = polar(0.09, 55 + 20 * act.swing(-0.24 * k))
        bows.append(
            polygon(
                tail[k],
                tail[k] + side,
                tail[k] + side * 1j * 0.8,
                tail[k],
                tail[k] - side,
                tail[k] - side * 1j * 0.8,
                fill=two,
            )
        )
    centre = body[2].points[0] * 0.45 + root * 0.55
    return [
        *body,
        curve(*tail),
        *bows,
        curve(centre, centre + complex(-0.05, 0.5), complex(-0.05, 0.95)),
    ]


def pinwheel(roll: Roll, act: Act) -> list[Stroke]:
    """A pinwheel on its stick."""
    one, two = roll.pick(*PAINTS), roll.pick("#f2d04a", "#f4f1ea")
    size, count = roll.thick(0.5, 0.64), int(roll(4, 6))
    hub = -0.3j
    vanes = []
    for number in range(count):
        way = polar(1.0, 360 * number / count + 110 * act.cycle)
        vanes.append(
            polygon(
                hub,
                hub + way * size,
                hub + way * size * polar(0.72, 42),
                fill=(one, two)[number % 2],
            )
        )
    return [lines(hub, 0.95j), *vanes, dot(hub, 0.05)]


def top(roll: Roll, act: Act) -> list[Stroke]:
    """A spinning top: it leans around, and the stripes run over its belly."""
    one, two, wide = roll.pick(*PAINTS), roll.pick("#f4f1ea", "#f2d04a"), roll.thick(0.6, 0.85)
    rim, deep, tip = roll(-0.3, -0.2), roll(0.12, 0.17), 0.8j
    stripes = []
    for number in range(3):
        # Each runs from one side to the other, and comes again.
        x = wide * math.cos(math.pi * ((act.cycle + number / 3) % 1.0))
        fall = deep * math.sqrt(1 - (x / wide) ** 2)
        stripes.append(curve(complex(x, rim + fall), complex(x * 0.62, 0.3), complex(x * 0.1, 0.7)))
    body = [
        curve(
            complex(-wide, rim),
            complex(-wide * 0.72, 0.2),
            complex(-wide * 0.2, 0.6),
            tip,
            complex(wide * 0.2, 0.6),
            complex(wide * 0.72, 0.2),
            complex(wide, rim),
            fill=one,
        ),
        ellipse(complex(0, rim), wide, deep, fill=two),
        *stripes,
        lines(complex(-0.05, rim), -0.05 - 0.72j, 0.05 - 0.72j, complex(0.05, rim), fill=one),
        circle(-0.78j, 0.1, one),
    ]
    return [
        arc(0.84j, 0.5, 0.08, 20 + 360 * act.cycle, 130),
        *move(body, turn=14 * act.swing(), about=tip),
    ]


def jack_in_the_box(roll: Roll, act: Act) -> list[Stroke]:
    """A jack-in-the-box: the clown comes up on his spring."""
    paint, wide = roll.pick(*PAINTS), roll.thick(0.4, 0.56)
    up = act.progress if act.motion.startswith("pop") else 1.0
    rim, head = 0.3, roll(0.2, 0.25)
    rise = roll(0.62, 0.74)
    neck = complex(0.05 * act.swing() * up, rim - rise)
    spring = [
        complex(0.11 * (-1) ** k, rim + 0.05 + (neck.imag - rim - 0.05) * k / 7) for k in range(7)
    ]
    lid = polar(2 * wide, -12 - 105 * up)
    clown = [
        curve(*spring, neck),
        polygon(
            neck + complex(-head * 0.75, -head * 1.5),
            neck + complex(0, -head * 3.2),
            neck + complex(head * 0.75, -head * 1.5),
            fill="#4f86c6",
        ),
        circle(neck - head * 1j, head, "#f1c9a5"),
        *(dot(neck + complex(side * 0.08, -head * 1.15), 0.025) for side in (-1, 1)),
        circle(neck - complex(0, head * 0.85), 0.05, "#d9434f"),
        arc(neck - complex(0, head * 0.7), 0.1, 0.08, 20, 140),
    ]
    # Down in the box there is no room for him at his full height.
    lean = 17 * act.swing() if act.motion == "wobble" else 0.0
    zoom = complex(0.6 + 0.4 * up, 0.1 + 0.9 * up)
    clown = move(clown, turn=lean, zoom=zoom, about=complex(0, rim))
    return [
        lines(complex(-wide, rim), complex(-wide, rim) + lid),
        *clown,
        box(-wide, rim, wide, 0.95, paint),
        polygon(
            *(
                complex(0, 0.62) + polar(0.18 if k % 2 else 0.08, 36 * k - 90 + 36)
                for k in range(10)
            ),
            fill="#f2d04a",
        ),
    ]


def heart(roll: Roll, act: Act) -> list[Stroke]:
    wide, dip = roll.thick(0.7, 0.95), roll(0.3, 0.4)
    beat = 1 + 0.16 * act.swing() * act.motion.startswith("beat")
    half = [
        complex(0, -dip),
        complex(wide * 0.28, -0.68),
        complex(wide * 0.78, -0.6),
        complex(wide, -0.2),
        complex(wide * 0.62, 0.32),
        complex(0, 0.85),
    ]
    right = curve(*half).points
    left = [-z.conjugate() for z in reversed(right)]
    outline = [
        Stroke(right + left[1:], roll.pick("#d9434f", "#e06a8a")),
        curve(
            complex(-wide * 0.7, -0.2), complex(-wide * 0.62, -0.4), complex(-wide * 0.42, -0.48)
        ),
    ]
    return move(outline, zoom=complex(beat, beat))


def flag(roll: Roll, act: Act) -> list[Stroke]:
    one, two = roll.pick(*PAINTS), roll.pick("#f4f1ea", "#f2d04a", "#3f5f8a")
    high, long, depth = roll.thick(0.5, 0.75), roll(1.15, 1.35), roll(0.09, 0.13)
    mast = -0.65

    def edge(y: float) -> list[complex]:
        return [
            complex(
                mast + long * k / 8,
                y + depth * min(1.0, k / 3) * math.sin(2 * math.pi * (0.17 * k - act.cycle)),
            )
            for k in range(9)
        ]

    upper, lower = edge(-0.82), edge(-0.82 + high)
    first, second = edge(-0.82 + high / 3), edge(-0.82 + high * 2 / 3)
    cloth = Stroke(
        curve(*upper).points
        + lines(upper[-1], lower[-1]).points[1:]
        + curve(*reversed(lower)).points[1:],
        one,
    )
    band = Stroke(
        curve(*first).points
        + lines(first[-1], second[-1]).points[1:]
        + curve(*reversed(second)).points[1:],
        two,
    )
    return [
        cloth,
        band,
        lines(complex(mast, -0.92), complex(mast, 0.95)),
        dot(complex(mast, -0.94), 0.04),
    ]


def windmill(roll: Roll, act: Act) -> list[Stroke]:
    wall, roof, blade = (
        roll.pick("#e8dcc4", "#d8c0a8", "#e8e4dc"),
        roll.pick("#b8484a", "#6b4a32"),
        roll(0.62, 0.75),
    )
    wide = roll.thick(0.24, 0.38)
    hub, broad = -0.34j, roll(0.15, 0.2)
    sails = []
    for number in range(4):
        # A sail lies to one side of its spar, so that the turning shows.
        way = polar(1.0, 90 * number + 120 * act.cycle)
        sails += [
            polygon(
                hub + way * 0.16,
                hub + way * blade,
                hub + way * (blade + broad * 1j),
                hub + way * (0.16 + broad * 1j),
                fill="#f4f1ea",
            ),
            lines(hub, hub + way * 0.16),
        ]
    return [
        polygon(
            complex(-wide * 0.62, -0.3),
            complex(wide * 0.62, -0.3),
            complex(wide, 0.95),
            complex(-wide, 0.95),
            fill=wall,
        ),
        polygon(
            complex(-wide * 0.75, -0.3), complex(0, -0.68), complex(wide * 0.75, -0.3), fill=roof
        ),
        curve(-0.1 + 0.95j, -0.1 + 0.68j, 0.6j, 0.1 + 0.68j, 0.1 + 0.95j, fill=roof),
        circle(0.26j, 0.08, "#cfe6f2"),
        *sails,
        circle(hub, 0.05, "#55565c"),
    ]


TOYS: dict[str, Subject] = {
    "ball": Subject(
        ball,
        ("ball|balls",),
        {
            "bounce": BOUNCE,
            **sideways("roll", "roll|roll along|roll away"),
            "fall": action("fall", "fall|drop|fall down"),
            "spin": SPIN,
            "closer": action("closer", "come closer|fly nearer|come nearer"),
            "away": action("away", "move away|fly away"),
        },
    ),
    "kite": Subject(
        kite,
        ("kite|kites",),
        {
            "wave": action("stay", "wave its tail|flutter in the wind", (1.5, 2.5)),
            "up": action("up", "rise|fly up|climb into the sky", (1.5, 2.5)),
            **sideways("fly", "fly|drift|glide", (1.5, 2.5)),
            "sway": SWAY,
        },
        ("narrow", "wide"),
        "sky",
    ),
    "pinwheel": Subject(
        pinwheel,
        ("pinwheel|pinwheels", "toy windmill|toy windmills"),
        {
            "spin": action("stay", "spin in the wind|spin|turn", (1.4, 2.6)),
            "sway": SWAY,
            **sideways("move", "move and spin|spin and move", (1.4, 2.6)),
        },
        ("", ""),
        "sky",
    ),
    "top": Subject(
        top,
        ("spinning top|spinning tops", "toy top|toy tops"),
        {
            "spin": action("stay", "spin and wobble|spin|turn round and round", (1.6, 2.6)),
            **sideways("spin", "spin and move|spin its way", (1.6, 2.6)),
        },
        ("slim", "fat"),
        "room",
    ),
    "jack-in-the-box": Subject(
        jack_in_the_box,
        ("jack-in-the-box|jack-in-the-boxes",),
        {
            "pop": once("pop up|jump out of its box|pop out"),
            "shake": SHAKE,
            "wobble": action("stay", "wobble on its spring|sway on its spring", (1.5, 2.5)),
        },
        ("", ""),
        "room",
    ),
    "heart": Subject(
        heart,
        ("heart|hearts",),
        {
            "beat": action("stay", "beat|pulse|throb"),
            "up": RISE,
            "grow": GROW,
            "spin": SPIN,
            "bounce": BOUNCE,
        },
        ("narrow", "wide"),
        "room",
    ),
    "flag": Subject(
        flag,
        ("flag|flags",),
        {
            "wave": action("stay", "wave in the wind|flutter in the wind|wave", (1.5, 2.5)),
        },
        ("narrow", "broad"),
        "sky",
    ),
    "windmill": Subject(
        windmill,
        ("windmill|windmills",),
        {
            "turn": action("stay", "turn in the wind|turn its sails|turn", (1.4, 2.4)),
        },
        ("slender", "broad"),
    ),
}

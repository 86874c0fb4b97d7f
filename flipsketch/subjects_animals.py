"""Animals, facing right: each a function of its proportions and of what it is doing."""

import math

from flipsketch.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    circle,
    curve,
    dot,
    ellipse,
    limb,
    lines,
    loop,
    mirror,
    mix,
    move,
    polar,
    polygon,
)

FURS = "#c98b4a", "#8d8d93", "#e0b070", "#7a5238", "#b9b2a6", "#d9d2c4"


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


def legs(
    roll: Roll,
    act: Act,
    hips: tuple[float, ...],
    top: float,
    length: float,
    width: float,
    fill: str,
) -> list[Stroke]:
    """Four legs or two: those beside each other step in turn."""
    is_walking = not act.motion.startswith(("wag", "sit", "nod"))
    stride = roll(22, 32) * is_walking
    if act.motion.startswith("jump"):
        stride *= 0.6
    return [
        limb(
            complex(hip, top),
            length,
            90 - stride * act.swing(0.5 * (number % 2)),
            width,
            fill,
            0.06,
        )
        for number, hip in enumerate(hips)
    ]


def cat(roll: Roll, act: Act) -> list[Stroke]:
    fur = roll.pick(*FURS)
    fat, head, leg = roll.thick(0.2, 0.34), roll(0.25, 0.31), roll(0.42, 0.55)
    face = complex(roll(0.62, 0.7), -roll(0.38, 0.5))
    is_wagging = act.motion.startswith("wag")
    wag = act.swing() * (0.42 if is_wagging else 0.12)
    rear = -0.55 - 0.1j
    ears = []
    for side in (-1, 1):
        ear = face + head * polar(1, -90 + 40 * side)
        tip = face + head * roll(1.55, 1.75) * polar(1, -90 + 36 * side)
        ears.append(
            lines(
                ear - head * 0.28 * polar(1, 30 * side),
                tip,
                ear + head * 0.32 * polar(1, 40 * side),
                fill=fur,
            )
        )
    whiskers = [
        lines(face + complex(side * 0.08, 0.08), face + complex(side * (head + 0.12), y))
        for side in (-1, 1)
        for y in (0.04, 0.14)
    ]
    return [
        curve(
            rear,
            rear + complex(-0.25, -0.06),
            rear + complex(-0.36 + wag * 0.5, -0.35),
            rear + complex(-0.28 + wag, -roll(0.62, 0.8)),
        ),
        *legs(roll, act, (-0.42, -0.24, 0.22, 0.4), fat * 0.45, leg, 0.13, fur),
        loop(
            0.5 - 0.22j,
            complex(0.0, -fat * 0.85),
            -0.5 - 0.18j,
            -0.62 + 0.02j,
            complex(-0.4, fat * 0.8),
            complex(0.1, fat),
            0.5 + 0.1j,
            fill=fur,
        ),
        *ears,
        ellipse(face, head * 1.08, head * 0.95, fill=fur),
        *(dot(face + complex(side * head * 0.4, -0.04), 0.03) for side in (-1, 1)),
        curve(face + complex(-0.07, 0.11), face + 0.07j, face + complex(0.07, 0.11)),
        *whiskers,
    ]


def dog(roll: Roll, act: Act) -> list[Stroke]:
    fur, ear = roll.pick(*FURS), roll.pick("#6b4a32", "#54504c")
    fat, leg, snout = roll.thick(0.2, 0.3), roll(0.42, 0.6), roll(0.26, 0.38)
    face = complex(0.66, -roll(0.4, 0.52))
    wag = act.swing() * (1.0 if act.motion.startswith("wag") else 0.25)
    rear = -0.6 - 0.14j
    flop = 0.04 * act.swing(0.2)
    return [
        curve(
            rear, rear + polar(0.25, 215 + 35 * wag), rear + polar(roll(0.48, 0.6), 240 + 50 * wag)
        ),
        *legs(roll, act, (-0.46, -0.28, 0.2, 0.38), fat * 0.45, leg, 0.13, fur),
        loop(
            0.44 - 0.26j,
            complex(0.0, -fat * 0.8),
            -0.5 - 0.2j,
            -0.64,
            complex(-0.4, fat * 0.75),
            complex(0.1, fat * 0.95),
            0.48 + 0.12j,
            fill=fur,
        ),
        loop(
            face + 0.16 - 0.1j,
            face - 0.2j,
            face - 0.2 - 0.1j,
            face - 0.22 + 0.14j,
            face + 0.02 + 0.22j,
            face + complex(snout, 0.17),
            face + complex(snout + 0.06, 0.04),
            fill=fur,
        ),
        dot(face + complex(snout + 0.06, 0.05), 0.045),
        dot(face + 0.06 - 0.06j, 0.03),
        lines(face + complex(snout, 0.15), face + complex(snout * 0.4, 0.12)),
        loop(
            face - 0.1 - 0.16j,
            face - 0.2 + 0.02j,
            face + complex(-0.26 - flop, roll(0.2, 0.34)),
            face + complex(-0.12 - flop, 0.24),
            face - 0.03,
            fill=ear,
        ),
    ]


def rabbit(roll: Roll, act: Act) -> list[Stroke]:
    fur = roll.pick("#d8d2c8", "#b79a7a", "#9a9aa0", "#efe6d8")
    fat, ear = roll.thick(0.3, 0.42), roll(0.42, 0.62)
    face = complex(0.42, -0.28)
    wiggle = 16 * act.swing() if act.motion.startswith("wiggle") else 6 * act.swing()
    ears = [
        ellipse(
            face + complex(x, -0.16) + polar(ear * 0.5, angle + turn),
            ear * 0.52,
            0.085,
            angle + turn,
            fur,
            180,
        )
        for x, angle, turn in ((-0.08, -112, wiggle), (0.04, -84, -wiggle))
    ]
    kick = max(0.0, act.swing()) if act.motion.startswith("hop") else 0.0
    return [
        circle(-0.62 + 0.12j, roll(0.11, 0.15), "#ffffff"),
        *ears,
        limb(0.3 + 0.3j, 0.3, 80 - 25 * kick, 0.12, fur, 0.06),
        ellipse(-0.1 + 0.18j, 0.52, fat, -12, fur),
        circle(face, roll(0.22, 0.26), fur),
        dot(face + 0.09 - 0.04j, 0.03),
        dot(face + 0.23 + 0.04j, 0.02),
        lines(face + 0.14 + 0.08j, face + 0.34 + 0.12j),
        arc(-0.28 + 0.3j, 0.24, 0.24, 190, 170),
        limb(complex(-0.36 - 0.1 * kick, 0.53), 0.42, 4 + 30 * kick, 0.13, fur),
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
            angle = -38 + 28 * number + 9 * act.swing(0.27 * number + 0.13 * side)
            reach = polar(roll(0.34, 0.4), angle)
            knee = centre + 0.1j + complex(side * reach.real, reach.imag - 0.06)
            foot = knee + complex(side * 0.12, 0.24 + 0.03 * number)
            strokes.append(lines(centre + complex(side * body * 0.7, 0.06), knee, foot))
    hung = [
        *strokes,
        circle(centre, body, skin),
        circle(centre + complex(0, body + head * 0.7), head, skin),
        *(dot(centre + complex(side * 0.05, body + head * 0.8), 0.022) for side in (-1, 1)),
    ]
    turn = 17 * act.swing() if act.motion == "swing" else 0.0
    return [lines(-0.35 - 1.1j, 0.35 - 1.1j), *move(hung, turn=turn, about=-1.1j)]


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


def penguin(roll: Roll, act: Act) -> list[Stroke]:
    wide, flap = roll.thick(0.36, 0.52), act.swing()
    lean = 5 * act.swing() if act.motion.startswith("waddle") else 0.0
    flippers = 0.0 if act.motion.startswith("waddle") else 25 * (1 + flap)
    body = [
        loop(
            -0.85j,
            complex(wide * 0.62, -0.55),
            complex(wide * 0.85, 0.0),
            complex(wide, 0.5),
            0.78j,
            complex(-wide, 0.5),
            complex(-wide * 0.85, 0.0),
            complex(-wide * 0.62, -0.55),
            fill="#3c4454",
        ),
        loop(
            -0.3j,
            complex(wide * 0.6, 0.05),
            complex(wide * 0.66, 0.5),
            0.72j,
            complex(-wide * 0.66, 0.5),
            complex(-wide * 0.6, 0.05),
            fill="#f4f1ea",
        ),
        *(dot(complex(side * 0.12, -0.6), 0.035) for side in (-1, 1)),
        polygon(-0.08 - 0.5j, 0.08 - 0.5j, complex(0, -roll(0.34, 0.4)), fill="#e8902c"),
        *(
            limb(
                complex(side * wide * 0.8, -0.1),
                roll(0.42, 0.5),
                90 - side * (28 + flippers - 10 * flap * side),
                0.14,
                "#3c4454",
            )
            for side in (-1, 1)
        ),
    ]
    feet = [
        ellipse(
            complex(side * wide * 0.5, 0.84 - 0.09 * max(0.0, side * flap)),
            0.18,
            0.07,
            fill="#e8902c",
        )
        for side in (-1, 1)
    ]
    return [*feet, *move(body, turn=lean, about=0.8j)]


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

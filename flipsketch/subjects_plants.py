"""Plants and weather: each a function of its proportions and of what it is doing."""

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
    lines,
    loop,
    mix,
    polar,
    polygon,
)


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


def sun(roll: Roll, act: Act) -> list[Stroke]:
    colour = roll.pick("#f2c230", "#f0a63a")
    size, count = roll.thick(0.38, 0.52), int(roll(8, 13))
    has_face = roll(0, 1) < 0.6
    is_shining = act.motion.startswith("shine")
    rays = []
    for number in range(count):
        long = 0.3 * (
            1 + (0.6 * act.swing(0.5 * (number % 2)) if is_shining else 0.3 * (number % 2))
        )
        angle = 360 * number / count + 24 * act.cycle
        rays.append(lines(polar(size + 0.1, angle), polar(size + 0.1 + long, angle)))
    smile = [
        *(dot(complex(side * size * 0.35, -size * 0.15), 0.04) for side in (-1, 1)),
        arc(complex(0, size * 0.12), size * 0.45, size * 0.36, 15, 150),
    ]
    return [*rays, circle(0j, size, colour), *(smile if has_face else [])]


def puffs(centre: complex, wide: float, high: float, fill: str) -> Stroke:
    """A cloud's outline: bumps above a flat base."""
    points = [
        complex(-0.8, 0.4),
        complex(-1.0, 0.05),
        complex(-0.75, -0.3),
        complex(-0.5, -0.25),
        complex(-0.35, -0.75),
        complex(0.1, -0.95),
        complex(0.42, -0.55),
        complex(0.55, -0.5),
        complex(0.9, -0.35),
        complex(1.0, 0.1),
        complex(0.8, 0.4),
        complex(0.3, 0.46),
        complex(-0.3, 0.46),
    ]
    return loop(*(centre + complex(wide * z.real, high * z.imag) for z in points), fill=fill)


def cloud(roll: Roll, act: Act) -> list[Stroke]:
    """With rain when it rains."""
    wide, high = roll(0.75, 0.95), roll.thick(0.36, 0.56)
    is_raining = act.motion.startswith("rain")
    puff = 1 + 0.06 * act.swing() * (not is_raining)
    drops = []
    if is_raining:
        for number in range(9):
            share = (act.cycle + 0.618 * number) % 1.0
            x = wide * (-0.75 + 0.75 * (number % 3) + 0.25 * (number // 3) * 0.9)
            start = complex(x - 0.08 * share, 0.0 + 0.85 * share)
            drops.append(lines(start, start + complex(-0.02, 0.17)))
    return [
        *drops,
        puffs(
            complex(0, -0.3), wide * puff, high * puff, "#dfe6ee" if not is_raining else "#aab4c2"
        ),
    ]


def storm(roll: Roll, act: Act) -> list[Stroke]:
    """A thundercloud, whose lightning comes and goes."""
    wide, high = roll(0.75, 0.9), roll.thick(0.38, 0.55)
    strokes = [puffs(complex(0, -0.42), wide, high, "#8a93a3")]
    if act.cycle % 1.0 > 0.45:
        far = roll(0.5, 0.65)
        bolts = ((0.0, 1.0), (-0.42, 0.7)) if int(act.cycle) % 2 else ((0.05, 1.0), (0.45, 0.7))
        for x, size in bolts:
            strokes.append(
                polygon(
                    *(
                        complex(x, -0.18) + size * z
                        for z in (
                            0.08 + 0j,
                            complex(-0.14, far * 0.6),
                            complex(-0.01, far * 0.58),
                            complex(-0.1, far * 1.55),
                            complex(0.2, far * 0.42),
                            complex(0.06, far * 0.44),
                            complex(0.18, 0.0),
                        )
                    ),
                    fill="#f2d04a",
                )
            )
    return strokes


def snowflake(roll: Roll, act: Act) -> list[Stroke]:
    size, twig = roll(0.8, 0.95), roll.thick(0.2, 0.34)
    at, second = roll(0.5, 0.62), roll(0, 1) < 0.5
    strokes = []
    for number in range(6):
        way = polar(1.0, 60 * number - 90)
        strokes.append(lines(0j, way * size))
        for place, long in ((at, twig), (0.8, twig * 0.6))[: 1 + second]:
            root = way * size * place
            strokes.append(lines(root + way * polar(long, 45), root, root + way * polar(long, -45)))
    return strokes


def moon(roll: Roll, act: Act) -> list[Stroke]:
    """A crescent, with stars that twinkle beside it."""
    size, thin = roll(0.6, 0.72), roll.thick(0.18, 0.42)
    outer = arc(-0.1 + 0j, size, size, 60, 240).points
    start, end = outer[0], outer[-1]
    belly = complex(-0.1 - size + 2 * size * thin, 0)
    inner = [mix(tip, belly, 0.55) - 0.12 * size for tip in (end, start)]
    back = curve(end, inner[0], belly, inner[1], start).points
    stars = []
    for number, (x, y) in enumerate(((0.5, -0.45), (0.72, 0.2), (0.38, 0.6))):
        long = 0.13 * (1 + 0.7 * act.swing(0.33 * number))
        stars += [
            lines(complex(x - long, y), complex(x + long, y)),
            lines(complex(x, y - long), complex(x, y + long)),
        ]
    return [
        Stroke(outer + back[1:], "#f2d98a"),
        dot(complex(-0.1 - size * 0.62, -0.16), 0.035),
        *stars,
    ]


def star(roll: Roll, act: Act) -> list[Stroke]:
    inner = roll.thick(0.34, 0.5)
    size = 0.85 * (1 + 0.16 * act.swing() * act.motion.startswith("twinkle"))
    points = [polar(size * (inner if k % 2 else 1.0), 36 * k - 90) for k in range(10)]
    glow = []
    if act.motion.startswith("twinkle"):
        for number in range(5):
            long = 0.14 * (1 + act.swing(0.5))
            way = polar(1.0, 72 * number - 54)
            glow.append(lines(way * 0.78, way * (0.8 + long)))
    return [
        *glow,
        polygon(*points, fill=roll.pick("#f2c230", "#f0d878")),
        *(dot(complex(side * 0.13, -0.08), 0.035) for side in (-1, 1)),
        arc(0.06j, 0.14, 0.1, 20, 140),
    ]


def fire(roll: Roll, act: Act) -> list[Stroke]:
    """A camp fire."""
    wide = roll.thick(0.34, 0.52)

    def flame(width: float, high: float, colour: str, shift: float) -> Stroke:
        lick = act.swing(shift)
        high *= 1 + 0.22 * act.swing(shift + 0.4)
        base = 0.5
        return loop(
            complex(0, base + 0.06),
            complex(width, base - high * 0.22),
            complex(width * 0.66, base - high * 0.6 - 0.05 * lick),
            complex(width * 0.34 + 0.1 * lick, base - high * 0.5),
            complex(0.16 * lick, base - high),
            complex(-width * 0.5 + 0.08 * lick, base - high * 0.58),
            complex(-width, base - high * 0.24),
            fill=colour,
        )

    sparks = []
    for number in range(3):
        share = (act.cycle * 0.6 + number / 3) % 1.0
        at = complex(-0.3 + 0.3 * number + 0.06 * math.sin(6 * share), 0.1 - 1.0 * share)
        sparks.append(lines(at, at - 0.06j))
    return [
        *sparks,
        flame(wide, roll(1.15, 1.35), "#ef8a3c", 0.0),
        flame(wide * 0.5, roll(0.6, 0.75), "#f2d04a", 0.35),
        *(ellipse(0.66j, 0.68, 0.085, turn, "#8a5a34") for turn in (-12, 12)),
    ]

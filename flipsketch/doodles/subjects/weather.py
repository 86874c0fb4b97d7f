"""Weather, sky and fire: how each is drawn, and what it can do."""

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
    mix,
    polar,
    polygon,
)
from flipsketch.doodles.subject import AWAY, CLOSER, ROCK, SPIN, Subject, action, sideways


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


WEATHER: dict[str, Subject] = {
    "sun": Subject(
        sun,
        ("sun|suns",),
        {
            "rise": action("up", "rise|come up|rise into the sky"),
            "set": action("down", "set|go down|sink"),
            "shine": action("stay", "shine|send out its rays", (1.5, 2.5)),
            "spin": SPIN,
        },
        ("", ""),
        "sky",
    ),
    "cloud": Subject(
        cloud,
        ("cloud|clouds",),
        {
            "rain": action("stay", "rain|pour down rain|shed rain", (1.6, 2.6)),
            **sideways("drift", "drift|float|move", (1.2, 2.0)),
            "grow": action("grow", "grow|get bigger|grow larger"),
        },
        ("flat", "tall"),
        "sky",
        0j,
    ),
    "storm": Subject(
        storm,
        ("thundercloud|thunderclouds", "storm cloud|storm clouds"),
        {
            "flash": action("stay", "flash with lightning|shoot lightning", (2.4, 3.6)),
            **sideways("drift", "drift and flash|move and flash", (2.4, 3.6)),
        },
        ("flat", "tall"),
        "sky",
    ),
    "snowflake": Subject(
        snowflake,
        ("snowflake|snowflakes",),
        {
            "fall": action("float-down", "fall|float down|drift down"),
            "spin": SPIN,
            "closer": CLOSER,
            "roam": action("roam", "dance in the air|float about"),
        },
        ("", ""),
        "sky",
    ),
    "moon": Subject(
        moon,
        ("moon|moons",),
        {
            "rise": action("up", "rise|come up|climb into the sky"),
            "set": action("down", "set|go down|sink"),
            "twinkle": action("stay", "shine beside twinkling stars|watch the stars twinkle"),
            "rock": ROCK,
        },
        ("slim", "thick"),
        "sky",
    ),
    "star": Subject(
        star,
        ("star|stars",),
        {
            "twinkle": action("stay", "twinkle|sparkle|glitter"),
            "fall": action("fall", "fall|fall down|drop from the sky"),
            "spin": SPIN,
            "jump": action("jump", "jump up and down|hop"),
            "away": AWAY,
        },
        ("thin", "chubby"),
        "sky",
    ),
    "fire": Subject(
        fire,
        ("fire|fires", "campfire|campfires"),
        {
            "flicker": action("stay", "flicker|burn|blaze", (2.4, 3.4)),
            "grow": action("grow", "grow|flare up|get bigger", (2.4, 3.4)),
            "shrink": action("shrink", "die down|get smaller|shrink", (2.4, 3.4)),
        },
        ("narrow", "broad"),
        foot=0.7j,
    ),
}

"""Vehicles, facing right: each a function of its proportions and of what it is doing."""

import math

from flipsketch.strokes import (
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
    move,
    polar,
    polygon,
)

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#e8e4dc"
GLASS = "#cfe6f2"


def wheel(
    centre: complex, radius: float, act: Act, spokes: int = 4, fill: str = "#55565c"
) -> list[Stroke]:
    """It rolls as far as the vehicle goes."""
    turned = math.degrees(act.travel / radius)
    rim = radius * 0.94
    return [
        circle(centre, radius, fill, turned),
        *(lines(centre, centre + polar(rim, turned + 360 * k / spokes)) for k in range(spokes)),
    ]


def car(roll: Roll, act: Act) -> list[Stroke]:
    paint, r = roll.pick(*PAINTS), roll(0.19, 0.25)
    high, nose, tail = roll.thick(0.3, 0.46), roll(0.3, 0.4), roll(-0.5, -0.3)
    bump = 0.012 * act.swing()
    belt, floor = -0.06 + bump, 0.34 + bump
    roof = belt - high
    return [
        polygon(
            complex(tail - 0.12, belt),
            complex(tail + 0.1, roof),
            complex(nose - 0.22, roof),
            complex(nose + 0.1, belt),
            fill=GLASS,
        ),
        lines(complex((tail + nose) / 2, roof), complex((tail + nose) / 2, belt)),
        curve(
            complex(-0.98, floor),
            complex(-1.0, belt + 0.08),
            complex(-0.85, belt),
            complex(nose + 0.1, belt),
            complex(0.82, belt + 0.06),
            complex(1.0, belt + 0.18),
            complex(1.0, floor),
            fill=paint,
        ),
        lines(complex(-0.98, floor), complex(1.0, floor)),
        circle(complex(0.9, belt + 0.2), 0.05, "#f2d04a"),
        *wheel(complex(-0.55, floor), r, act),
        *wheel(complex(0.56, floor), r, act),
    ]


def lorry(roll: Roll, act: Act) -> list[Stroke]:
    paint, load, r = roll.pick(*PAINTS), roll.pick("#c0b49a", "#e8e4dc", "#b07a4a"), roll(0.16, 0.2)
    high, cab = roll.thick(0.55, 0.85), roll(0.3, 0.4)
    floor = 0.42 + 0.012 * act.swing()
    front = 0.95
    return [
        box(-1.0, floor - high, front - cab - 0.08, floor, load),
        polygon(
            complex(front - cab, floor),
            complex(front - cab, floor - 0.58),
            complex(front - 0.1, floor - 0.58),
            complex(front, floor - 0.26),
            complex(front, floor),
            fill=paint,
        ),
        polygon(
            complex(front - cab + 0.08, floor - 0.28),
            complex(front - cab + 0.08, floor - 0.5),
            complex(front - 0.14, floor - 0.5),
            complex(front - 0.06, floor - 0.28),
            fill=GLASS,
        ),
        *(stroke for x in (-0.7, -0.2, 0.7) for stroke in wheel(complex(x, floor + 0.04), r, act)),
    ]


def bicycle(roll: Roll, act: Act) -> list[Stroke]:
    r = roll(0.36, 0.42)
    rear, front, high = complex(-0.52, 0.3), complex(0.54, 0.3), roll.thick(0.45, 0.58)
    hub, seat, head = -0.06 + 0.3j, complex(-0.2, 0.3 - high), complex(0.36, 0.3 - high)
    turn = math.degrees(act.travel / r) * 0.5
    crank = polar(0.15, turn)
    return [
        *wheel(rear, r, act, int(roll(6, 9)), ""),
        *wheel(front, r, act, int(roll(6, 9)), ""),
        lines(rear, hub, head, seat, rear),
        lines(seat - complex(0.03, 0.12), hub),
        lines(seat - complex(0.18, 0.12), seat - complex(-0.1, 0.12)),
        lines(front, head, head - complex(0.05, 0.16)),
        curve(head - complex(0.05, 0.16), head + complex(0.12, -0.2), head + complex(0.16, -0.08)),
        circle(hub, 0.08),
        lines(hub - crank - 0.07, hub - crank + 0.07),
        lines(hub - crank, hub + crank),
        lines(hub + crank - 0.07, hub + crank + 0.07),
    ]


def waves(y: float, cycle: float, wide: float = 1.05) -> list[Stroke]:
    """Two lines of waves that run past."""
    shift = 0.1 * math.sin(2 * math.pi * cycle)
    return [
        curve(*(complex(-wide + wide * k / 5 + shift, y + 0.045 * (-1) ** k) for k in range(10))),
        curve(
            *(
                complex(-wide * 0.6 + wide * k / 5 - shift, y + 0.17 + 0.04 * (-1) ** k)
                for k in range(7)
            )
        ),
    ]


def boat(roll: Roll, act: Act) -> list[Stroke]:
    hull, sail = (
        roll.pick("#b06a3a", "#d9534f", "#4f86c6"),
        roll.pick("#f4f1ea", "#f2d8a0", "#e8a0a0"),
    )
    deep, high = roll.thick(0.24, 0.38), roll(0.85, 1.05)
    belly = 0.06 * act.swing()
    body = [
        lines(complex(0, 0.36), complex(0, 0.28 - high - 0.1)),
        polygon(
            complex(0, 0.28 - high - 0.1),
            complex(-0.18, 0.34 - high),
            complex(0, 0.38 - high),
            fill="#d9534f",
        ),
        curve(
            complex(0.05, 0.3 - high),
            complex(roll(0.4, 0.5) + belly, -0.15),
            complex(0.68, 0.24),
            complex(0.36, 0.26),
            complex(0.05, 0.24),
            fill=sail,
        ),
        curve(
            complex(-0.06, 0.4 - high),
            complex(-0.22 + belly, -0.2),
            complex(-0.5, 0.24),
            complex(-0.28, 0.26),
            complex(-0.06, 0.24),
            fill=sail,
        ),
        polygon(
            -0.85 + 0.38j,
            0.92 + 0.38j,
            complex(0.6, 0.38 + deep),
            complex(-0.6, 0.38 + deep),
            fill=hull,
        ),
    ]
    return [
        *move(body, turn=(16 if act.motion == "rock" else 4.5) * act.swing(0.2), about=0.4j),
        *waves(0.42 + deep, act.cycle),
    ]


def steamer(roll: Roll, act: Act) -> list[Stroke]:
    """A steamship under smoke."""
    hull = roll.pick("#4f5f7a", "#b8484a", "#3f6f6a")
    deep, high = roll.thick(0.28, 0.4), roll(0.3, 0.42)
    body = [
        box(0.02, -0.18 - high * 1.1, 0.2, -0.18, "#d9534f"),
        lines(complex(0.02, -0.1 - high), complex(0.2, -0.1 - high)),
        box(-0.4, -0.18, 0.46, 0.18, "#f4f1ea"),
        *(circle(complex(x, 0.0), 0.06, GLASS) for x in (-0.24, 0.02, 0.28)),
        polygon(
            -0.92 + 0.18j,
            1.0 + 0.1j,
            complex(0.74, 0.2 + deep),
            complex(-0.72, 0.2 + deep),
            fill=hull,
        ),
    ]
    return [
        *smoke(complex(0.1, -0.26 - high * 1.1), act),
        *move(body, turn=(13 if act.motion == "rock" else 3) * act.swing(0.2), about=0.3j),
        *waves(0.2 + deep, act.cycle),
    ]


def smoke(source: complex, act: Act) -> list[Stroke]:
    """Puffs that rise, grow and drift behind."""
    puffs = []
    for number in range(3):
        share = (act.cycle * 0.5 + number / 3) % 1.0
        puffs.append(
            circle(
                source + complex(-0.5 * share, -0.38 * share), 0.05 + 0.12 * share, "#d8dade", 90
            )
        )
    return puffs


def train(roll: Roll, act: Act) -> list[Stroke]:
    paint, r = roll.pick("#3f7d52", "#b8484a", "#3f5f8a"), roll(0.19, 0.23)
    boiler, chimney = roll.thick(0.17, 0.26), roll(0.22, 0.34)
    floor = 0.36
    axle = floor + 0.04
    rod = polar(r * 0.55, math.degrees(act.travel / r))
    return [
        *smoke(complex(0.62, floor - 2 * boiler - chimney - 0.08), act),
        polygon(
            complex(0.54, floor - 2 * boiler),
            complex(0.5, floor - 2 * boiler - chimney),
            complex(0.76, floor - 2 * boiler - chimney),
            complex(0.7, floor - 2 * boiler),
            fill="#44464e",
        ),
        arc(complex(0.18, floor - 2 * boiler), 0.13, 0.13, 180, 180, "#e0a53a"),
        box(-0.2, floor - 2 * boiler, 0.85, floor, paint),
        box(-0.82, floor - roll(0.78, 0.9), -0.2, floor, paint),
        box(-0.68, floor - 0.62, -0.36, floor - 0.36, GLASS),
        lines(complex(-0.92, floor - 0.84), complex(-0.12, floor - 0.84)),
        polygon(
            complex(0.85, floor - 0.04),
            complex(1.05, floor + 0.22),
            complex(0.85, floor + 0.22),
            fill="#44464e",
        ),
        *(stroke for x in (-0.55, 0.02, 0.52) for stroke in wheel(complex(x, axle), r, act)),
        lines(complex(-0.55, axle) + rod, complex(0.52, axle) + rod),
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


def submarine(roll: Roll, act: Act) -> list[Stroke]:
    paint = roll.pick("#f2d04a", "#d9534f", "#7a9a9a")
    fat, tower = roll.thick(0.28, 0.4), roll(0.22, 0.32)
    spin = 0.26 * math.cos(2 * math.pi * act.cycle)
    bubbles = []
    for number in range(3):
        share = (act.cycle * 0.5 + number / 3) % 1.0
        bubbles.append(
            circle(
                complex(-0.92 - 0.06 * number, -0.1 - 0.75 * share), 0.03 + 0.03 * share, "#e8f4fa"
            )
        )
    return [
        *bubbles,
        lines(
            complex(0.1, -fat - tower),
            complex(0.1, -fat - tower - 0.2),
            complex(0.26, -fat - tower - 0.2),
        ),
        polygon(
            complex(-0.16, -fat * 0.85),
            complex(-0.1, -fat - tower),
            complex(0.24, -fat - tower),
            complex(0.3, -fat * 0.85),
            fill=paint,
        ),
        lines(-0.78 + 0j, -0.94 + 0j),
        ellipse(complex(-0.94, 0), 0.045, max(0.05, abs(spin)), fill="#55565c"),
        ellipse(0.05 + 0j, 0.86, fat, fill=paint),
        *(circle(complex(x, -0.02), 0.1, GLASS) for x in (-0.35, 0.05, 0.45)),
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

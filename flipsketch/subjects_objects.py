"""Things: each a function of its proportions and of what it is doing."""

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

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#d96a9a"


def clock(roll: Roll, act: Act) -> list[Stroke]:
    rim, size = roll.pick(*PAINTS), 0.78
    minute, hour = roll(0.6, 0.7), roll(0.36, 0.46)
    first = roll(0, 360)
    has_bells = roll(0, 1) < 0.5
    turned = 360 * act.cycle if act.motion.startswith("turn") else 0.0
    bells = []
    for side in (-1, 1):
        bells += [
            arc(polar(0.86, -90 + 38 * side), 0.2, 0.2, 180 + 38 * side, 180, rim),
            lines(polar(0.78, 90 + 32 * side), polar(1.02, 90 + 34 * side)),
        ]
    return [
        *(bells if has_bells else []),
        circle(0j, size, rim),
        circle(0j, size * roll.thick(0.93, 0.8), "#fbf8f0"),
        *(
            lines(polar(0.54, 30 * k), polar(0.62, 30 * k))
            for k in range(0, 12, 1 if roll(0, 1) < 0.4 else 3)
        ),
        lines(0j, polar(minute * 0.88, first + turned)),
        lines(0j, polar(hour * 0.85, first * 2.7 + turned / 6)),
        dot(0j, 0.04),
    ]


def flame(foot: complex, size: float, act: Act) -> list[Stroke]:
    lean, high = 0.3 * size * act.swing(), size * (1 + 0.2 * act.swing(0.4))
    return [
        loop(
            foot,
            foot + complex(size * 0.34, -high * 0.3),
            foot + complex(size * 0.2 + lean * 0.4, -high * 0.68),
            foot + complex(lean, -high),
            foot + complex(-size * 0.2 + lean * 0.4, -high * 0.68),
            foot + complex(-size * 0.34, -high * 0.3),
            fill="#f2b83a",
        ),
        curve(
            foot + complex(-size * 0.1, -high * 0.12),
            foot + complex(lean * 0.4, -high * 0.5),
            foot + complex(size * 0.1, -high * 0.12),
        ),
    ]


def candle(roll: Roll, act: Act) -> list[Stroke]:
    wax, wide = roll.pick("#f4ead0", "#d98a8a", "#9ac0d8"), roll.thick(0.13, 0.26)
    height = roll(0.85, 1.05) * (1 - 0.62 * act.progress * act.motion.startswith("burn"))
    foot = 0.72
    top = foot - height
    drip = min(0.22, height * 0.4)
    return [
        *flame(complex(0, top - 0.09), roll(0.4, 0.5), act),
        lines(complex(0, top), complex(0, top - 0.14)),
        box(-wide, top, wide, foot, wax),
        curve(
            complex(-wide, top),
            complex(-wide * 0.6, top + drip),
            complex(-wide * 0.15, top + 0.06),
            complex(wide * 0.3, top + drip * 0.7),
            complex(wide, top),
        ),
        curve(
            complex(-0.55, foot - 0.05),
            complex(-0.4, foot + 0.15),
            complex(0.4, foot + 0.15),
            complex(0.55, foot - 0.05),
            complex(0.0, foot),
            complex(-0.55, foot - 0.05),
            fill="#c9a040",
        ),
        circle(0.64 + complex(0, foot + 0.0), 0.1),
    ]


def umbrella(roll: Roll, act: Act) -> list[Stroke]:
    one, two = roll.pick(*PAINTS), roll.pick("#f4f1ea", "#f2d04a")
    kind = act.motion.split("-")[0]
    open_ = {"open": act.progress, "close": 1 - act.progress}.get(kind, 1.0)
    wide = roll.thick(0.72, 0.95) * (0.14 + 0.86 * open_)
    top = -0.82
    rim = top + 0.98 - 0.36 * open_
    corners = [
        complex(wide * (-1 + 2 * k / 4), rim - 0.06 * open_ * (1 - abs(k - 2) / 2))
        for k in range(5)
    ]
    shoulder = top + (rim - top) * (0.36 - 0.1 * open_)
    left = curve(
        corners[0],
        complex(-wide * 0.74, shoulder + 0.1),
        complex(-wide * 0.28, top + 0.06),
        complex(0, top),
    )
    right = [-z.conjugate() for z in reversed(left.points)]
    hem = [corners[4]]
    for start, end in zip(reversed(corners[1:]), reversed(corners[:-1]), strict=True):
        sag = -0.13j * open_
        hem += (start + (end - start) / 3 + sag, end - (end - start) / 3 + sag, end)
    hook = roll(0.1, 0.15)
    return [
        lines(complex(0, rim - 0.1), 0.78j),
        arc(complex(-hook, 0.78), hook, hook, 0, 180),
        Stroke(left.points + right[1:] + hem[1:], one),
        *(
            curve(complex(0, top), complex(x * 0.55, (top + rim) / 2 - 0.14), corners[k], fill=fill)
            for k, x, fill in ((1, corners[1].real, ""), (2, 0.0, two), (3, corners[3].real, ""))
        ),
        lines(complex(0, top), complex(0, top - 0.12)),
    ]


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
            -0.2 * k + 0.0,
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


def pendulum(roll: Roll, act: Act) -> list[Stroke]:
    brass, wood = roll.pick("#e0a53a", "#c98b4a"), roll.pick("#8a5a34", "#6b4a32")
    size, rod = roll.thick(0.15, 0.27), roll(1.1, 1.3)
    top = -0.8j
    bob = top + rod * 1j
    swung = [lines(top, bob - size * 1j), circle(bob, size, brass), circle(bob, size * 0.5)]
    return [
        box(-0.42, -0.95, 0.42, -0.8, wood),
        *move(swung, turn=34 * act.swing(), about=top),
    ]


def lamp(roll: Roll, act: Act) -> list[Stroke]:
    """It hangs from a wire; its light comes and goes when it blinks."""
    shade, wide, high = roll.pick(*PAINTS), roll.thick(0.42, 0.66), roll(0.38, 0.5)
    wire = roll(0.5, 0.65)
    top, rim = -0.95 + wire, -0.95 + wire + high
    is_lit = not act.motion.startswith("blink") or act.cycle % 1.0 > 0.5
    rays = [
        lines(complex(0, rim) + polar(0.3, angle), complex(0, rim) + polar(roll(0.5, 0.6), angle))
        for angle in (30, 60, 90, 120, 150)
    ]
    hung = [
        lines(-0.95j, complex(0, top)),
        arc(complex(0, rim), 0.16, 0.18, 0, 180, "#f7e27a" if is_lit else "#d8d8d0"),
        curve(
            complex(-0.12, top),
            complex(-wide * 0.62, top + high * 0.5),
            complex(-wide, rim),
            complex(0, rim + 0.02),
            complex(wide, rim),
            complex(wide * 0.62, top + high * 0.5),
            complex(0.12, top),
            complex(-0.12, top),
            fill=shade,
        ),
        *(rays if is_lit else []),
    ]
    turn = 22 * act.swing() if act.motion.startswith("swing") else 0.0
    return [lines(-0.3 - 0.95j, 0.3 - 0.95j), *move(hung, turn=turn, about=-0.95j)]


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


def bell(roll: Roll, act: Act) -> list[Stroke]:
    brass, wide = roll.pick("#e0a53a", "#c9b04a"), roll.thick(0.46, 0.66)
    crown = -0.7j
    rim = 0.45
    body = [
        circle(crown - 0.08j, 0.09),
        loop(
            crown,
            complex(wide * 0.42, -0.58),
            complex(wide * 0.56, -0.15),
            complex(wide * 0.7, 0.2),
            complex(wide, rim),
            complex(0, rim + 0.07),
            complex(-wide, rim),
            complex(-wide * 0.7, 0.2),
            complex(-wide * 0.56, -0.15),
            complex(-wide * 0.42, -0.58),
            fill=brass,
        ),
        curve(complex(-wide * 0.72, 0.24), complex(0, 0.32), complex(wide * 0.72, 0.24)),
    ]
    clapper = [lines(0.0j, complex(0, rim + 0.2)), circle(complex(0, rim + 0.22), 0.1, "#8a6a3c")]
    return [
        *move(clapper, turn=-26 * act.swing(-0.12), about=crown),
        *move(body, turn=24 * act.swing(), about=crown),
        lines(-0.4 - 0.87j, 0.4 - 0.87j),
    ]


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


def scissors(roll: Roll, act: Act) -> list[Stroke]:
    handle, blade, ring = roll.pick(*PAINTS), roll(0.85, 0.95), roll.thick(0.17, 0.25)
    gape = 15 + 13 * act.swing()
    strokes = []
    for side in (-1, 1):
        half = [
            loop(
                -0.12 + 0.02j,
                complex(-0.12, -0.06),
                complex(blade * 0.55, -0.075),
                complex(blade, 0.03),
                complex(blade * 0.5, 0.05),
                fill="#c8d0d8",
            ),
            lines(-0.1 + 0j, complex(-0.5, 0.03)),
            ellipse(complex(-0.5 - ring, 0.06), ring * 1.15, ring * 0.85, fill=handle),
        ]
        if side > 0:
            half = [Stroke([z.conjugate() for z in stroke.points], stroke.fill) for stroke in half]
        strokes += move(half, turn=side * gape)
    return [*strokes, dot(0j, 0.045)]


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


def cup(roll: Roll, act: Act) -> list[Stroke]:
    """Something hot, steaming."""
    paint, wide, deep = roll.pick(*PAINTS), roll.thick(0.42, 0.6), roll(0.6, 0.75)
    lip = 0.05
    steam = []
    for x in (-0.26, 0.0, 0.26):
        rise = 0.05 * act.swing(x)
        steam.append(
            curve(
                *(
                    complex(
                        x + 0.08 * math.sin(2 * math.pi * (act.cycle + 0.3 * k + x)),
                        -0.12 - 0.16 * k + rise,
                    )
                    for k in range(5)
                )
            )
        )
    return [
        *steam,
        curve(
            complex(wide * 0.94, lip + 0.1),
            complex(wide + 0.28, lip + 0.08),
            complex(wide + 0.26, lip + deep * 0.55),
            complex(wide * 0.8, lip + deep * 0.62),
        ),
        curve(
            complex(-wide, lip),
            complex(-wide * 0.92, lip + deep * 0.6),
            complex(-wide * 0.6, lip + deep),
            complex(wide * 0.6, lip + deep),
            complex(wide * 0.92, lip + deep * 0.6),
            complex(wide, lip),
            fill=paint,
        ),
        ellipse(complex(0, lip), wide, 0.1, fill="#8a5a3a"),
        arc(complex(0, lip + deep + 0.02), wide * 1.35, 0.1, 0, 180, "#e8e4dc"),
        lines(complex(-wide * 1.35, lip + deep + 0.02), complex(wide * 1.35, lip + deep + 0.02)),
    ]


def fan(roll: Roll, act: Act) -> list[Stroke]:
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


def book(roll: Roll, act: Act) -> list[Stroke]:
    """Open, and a page turns over."""
    cover, wide, high = roll.pick(*PAINTS), roll.thick(0.7, 0.92), roll(0.5, 0.62)
    sag = roll(0.08, 0.14)

    def page(x: float, lift: float, fill: str) -> Stroke:
        upper = curve(
            -high * 0.5j,
            complex(x * 0.5, -high * 0.5 - sag - lift),
            complex(x, -high * 0.5 - lift * 1.3),
        ).points
        lower = curve(
            complex(x, high * 0.5 - lift * 1.3),
            complex(x * 0.5, high * 0.5 - sag - lift),
            high * 0.5j,
        ).points
        return Stroke(upper + lines(upper[-1], lower[0]).points[1:] + lower[1:], fill)

    share = act.cycle % 1.0
    turning = page(
        wide * 0.94 * math.cos(math.pi * share), 0.3 * math.sin(math.pi * share), "#fbf8f0"
    )
    words = [
        lines(complex(side * wide * 0.25, y), complex(side * wide * 0.78, y - sag * 0.5))
        for side in (-1, 1)
        for y in (-0.06, 0.12)
    ]
    return [
        polygon(
            complex(-wide - 0.08, -high * 0.5 + 0.08),
            complex(wide + 0.08, -high * 0.5 + 0.08),
            complex(wide + 0.08, high * 0.5 + 0.1),
            complex(-wide - 0.08, high * 0.5 + 0.1),
            fill=cover,
        ),
        page(-wide, 0.0, "#fbf8f0"),
        page(wide, 0.0, "#fbf8f0"),
        *words,
        turning,
        lines(-high * 0.5j, high * 0.5j),
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
    clown = move(clown, zoom=complex(0.6 + 0.4 * up, 0.1 + 0.9 * up), about=complex(0, rim))
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

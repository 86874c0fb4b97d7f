"""Clocks, lights, bells and an umbrella: how each is drawn, and what it can do."""

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    arc,
    box,
    circle,
    curve,
    dot,
    lines,
    loop,
    move,
    polar,
)
from flipsketch.doodles.subject import BOUNCE, CLOSER, SHAKE, SWAY, Subject, action, once

PAINTS = "#d9534f", "#4f86c6", "#e0a53a", "#5a9a5a", "#8a6fc0", "#d96a9a"


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
        circle(complex(0.64, foot), 0.1),
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
    clapper = [lines(0j, complex(0, rim + 0.2)), circle(complex(0, rim + 0.22), 0.1, "#8a6a3c")]
    return [
        *move(clapper, turn=-26 * act.swing(-0.12), about=crown),
        *move(body, turn=24 * act.swing(), about=crown),
        lines(-0.4 - 0.87j, 0.4 - 0.87j),
    ]


HOUSEHOLD: dict[str, Subject] = {
    "clock": Subject(
        clock,
        ("clock|clocks",),
        {
            "turn": action("stay", "turn its hands|move its hands", (0.8, 1.3)),
            "shake": action("shake", "ring and shake|shake|ring"),
            "bounce": BOUNCE,
            "closer": CLOSER,
        },
        ("", ""),
        "room",
        may_be_mirrored=False,
    ),
    "candle": Subject(
        candle,
        ("candle|candles",),
        {
            "flicker": action("stay", "flicker|burn with a flickering flame", (2.5, 3.5)),
            "burn": once("burn down|get shorter as it burns", (2.5, 3.5)),
        },
        ("thin", "thick"),
        "room",
    ),
    "lamp": Subject(
        lamp,
        ("lamp|lamps",),
        {
            "swing": action("stay", "swing|swing from side to side|swing to and fro", (1.2, 2.2)),
            "blink": action("stay", "blink|go on and off|flash", (2.2, 3.4)),
        },
        ("narrow", "wide"),
        "room",
    ),
    "umbrella": Subject(
        umbrella,
        ("umbrella|umbrellas",),
        {
            "open": once("open|unfold|open up"),
            "close": once("close|fold up|shut"),
            "sway": SWAY,
            "fall": action("float-down", "float down|fall slowly|sail down"),
        },
        ("narrow", "wide"),
        "sky",
    ),
    "pendulum": Subject(
        pendulum,
        ("pendulum|pendulums",),
        {
            "swing": action(
                "stay", "swing|swing back and forth|swing from side to side", (1.2, 2.2)
            ),
        },
        ("", ""),
        "room",
    ),
    "bell": Subject(
        bell,
        ("bell|bells",),
        {
            "ring": action("stay", "ring|swing and ring|swing from side to side", (1.4, 2.4)),
            "shake": SHAKE,
            "closer": CLOSER,
        },
        ("narrow", "wide"),
        "room",
    ),
}

"""Ships, facing right: how each is drawn, and what it can do."""

import math

from flipsketch.doodles.strokes import (
    Act,
    Roll,
    Stroke,
    box,
    circle,
    curve,
    ellipse,
    lines,
    move,
    polygon,
)
from flipsketch.doodles.subject import Subject, action, sideways
from flipsketch.doodles.subjects.wheels import smoke

GLASS = "#cfe6f2"


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


def ship(roll: Roll, act: Act) -> list[Stroke]:
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


SHIPS: dict[str, Subject] = {
    "boat": Subject(
        boat,
        ("sailing boat|sailing boats", "sailboat|sailboats"),
        {
            **sideways("sail", "sail|sail along|sail away", (1.5, 2.5)),
            "rock": action("stay", "rock on the waves|sway on the water", (1.5, 2.5)),
            "bob": action("jump", "bob up and down|go up and down on the waves", (1.5, 2.5)),
        },
        ("", ""),
        "water",
        0.6j,
    ),
    "ship": Subject(
        ship,
        ("ship|ships", "steamship|steamships"),
        {
            **sideways("sail", "sail|sail along|steam", (1.5, 2.5)),
            "rock": action("stay", "rock on the waves|sway on the water", (1.5, 2.5)),
        },
        ("", ""),
        "water",
        0.5j,
    ),
    "submarine": Subject(
        submarine,
        ("submarine|submarines",),
        {
            **sideways("travel", "move|travel|go", (1.5, 2.5)),
            "down": action("down", "dive|sink|dive down", (1.5, 2.5)),
            "up": action("up", "surface|rise|come up", (1.5, 2.5)),
        },
        ("slim", "fat"),
        "water",
    ),
}

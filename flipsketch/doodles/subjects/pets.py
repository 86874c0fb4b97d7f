"""Animals on legs, facing right: how each is drawn, and what it can do."""

from flipsketch.doodles.strokes import (
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
    move,
    polar,
    polygon,
)
from flipsketch.doodles.subject import JUMP, Subject, action, sideways

FURS = "#c98b4a", "#8d8d93", "#e0b070", "#7a5238", "#b9b2a6", "#d9d2c4"


def legs(
    roll: Roll,
    act: Act,
    hips: list[complex],
    length: float,
    width: float,
    fill: str,
) -> list[Stroke]:
    """Return a leg from each hip; neighbouring legs step in turn."""
    is_walking = not act.motion.startswith(("wag", "sit", "nod"))
    stride = roll(22, 32) * is_walking
    if act.motion.startswith("jump"):
        stride *= 0.6
    return [
        limb(
            hip,
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
    hips = [complex(x, fat * 0.45) for x in (-0.42, -0.24, 0.22, 0.4)]
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
        *legs(roll, act, hips, leg, 0.13, fur),
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
    hips = [complex(x, fat * 0.45) for x in (-0.46, -0.28, 0.2, 0.38)]
    flop = 0.04 * act.swing(0.2)
    return [
        curve(
            rear, rear + polar(0.25, 215 + 35 * wag), rear + polar(roll(0.48, 0.6), 240 + 50 * wag)
        ),
        *legs(roll, act, hips, leg, 0.13, fur),
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


PETS: dict[str, Subject] = {
    "cat": Subject(
        cat,
        ("cat|cats", "kitten|kittens"),
        {
            **sideways("walk", "walk|walk along|stroll"),
            "wag": action("stay", "wag its tail|wave its tail|swing its tail", (1.5, 2.5)),
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
    "dog": Subject(
        dog,
        ("dog|dogs", "puppy|puppies"),
        {
            **sideways("run", "run|run along|walk|trot", (2.5, 3.5)),
            "wag": action("stay", "wag its tail|wag its tail happily", (2.5, 3.5)),
            "jump": JUMP,
        },
        ("thin", "fat"),
    ),
    "rabbit": Subject(
        rabbit,
        ("rabbit|rabbits", "bunny|bunnies"),
        {
            **sideways("hop", "hop|hop along|hop away", (2.0, 3.0), "hop"),
            "wiggle": action("stay", "wiggle its ears|move its ears"),
            "jump": JUMP,
        },
        ("slim", "chubby"),
    ),
    "penguin": Subject(
        penguin,
        ("penguin|penguins",),
        {
            **sideways("waddle", "waddle|walk|waddle along", (2.0, 3.0), "waddle"),
            "flap": action("stay", "flap its wings|flap its flippers|wave its flippers"),
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
}

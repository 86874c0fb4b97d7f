"""Motions: how a whole subject moves, turns and changes size, as functions of time."""

import math
from collections.abc import Callable
from typing import NamedTuple

from flipsketch.doodles.strokes import Roll


class Pose(NamedTuple):
    """Position, rotation and size of a subject at one moment."""

    at: complex
    """Position in the space that it can move in: -1 is the edge behind it or the top, 1 the edge
    ahead of it or the bottom."""
    shift: complex = 0j
    """Offset in the subject's own units."""
    turn: float = 0.0
    """Degrees, clockwise."""
    zoom: float = 1.0
    """Size relative to the largest, at most 1."""


class Motion(NamedTuple):
    pose: Callable[[float, Roll], Pose]
    """Maps a time in [0, 1], and random numbers that are the same at all times, to a pose."""
    room: complex = 0j
    """Least share of its place that it moves through, horizontally and vertically."""
    about: str = "middle"
    """Centre of rotation and scaling: `middle`, or the `foot` that it stands on (or hangs by)."""


def ease(t: float, roll: Roll) -> float:
    """Go from 0 to 1, linearly or with a smooth start and end."""
    softness = roll(-0.7, 1)
    return t if softness < 0 else t + softness * (t * t * (3 - 2 * t) - t)


def home(roll: Roll) -> complex:
    return complex(roll(-1, 1), roll(-1, 1))


def ahead(t: float, roll: Roll) -> Pose:
    start, end = roll(-1, -0.85), roll(0.85, 1)
    return Pose(complex(start + (end - start) * ease(t, roll), roll(-1, 1)))


def upright(direction: float) -> Callable[[float, Roll], Pose]:
    """Straight up or down, with a little drift sideways."""

    def pose(t: float, roll: Roll) -> Pose:
        start, end = roll(-1, -0.85), roll(0.85, 1)
        share = ease(t, roll)
        across = roll(-0.85, 0.85) + roll(-0.3, 0.3) * (share - 0.5)
        return Pose(complex(across, direction * (start + (end - start) * share)))

    return pose


def flutter(t: float, roll: Roll) -> Pose:
    """Ahead, bobbing up and down."""
    return ahead(t, roll)._replace(
        shift=0.16j * math.sin(2 * math.pi * (roll(1.2, 2.0) * t + roll(0, 1)))
    )


def hop(t: float, roll: Roll) -> Pose:
    """Ahead in leaps."""
    leaps = int(roll(2, 4))
    pose = ahead(t, roll)
    height = abs(math.sin(math.pi * leaps * t))
    return pose._replace(
        shift=-1j * roll(0.4, 0.6) * height, turn=-12 * math.sin(2 * math.pi * leaps * t)
    )


def waddle(t: float, roll: Roll) -> Pose:
    """Ahead, rocking from foot to foot."""
    pose = ahead(t, roll)
    return pose._replace(turn=roll(5, 9) * math.sin(2 * math.pi * roll(2, 3) * t))


def climb(direction: float) -> Callable[[float, Roll], Pose]:
    """Fly ahead and up, or ahead and down, nose first."""

    def pose(t: float, roll: Roll) -> Pose:
        share = ease(t, roll)
        nose = roll(16, 26) * direction * math.sin(math.pi * min(1.0, 0.25 + 0.75 * share))
        return Pose(complex(-0.95 + 1.9 * share, direction * (-0.95 + 1.9 * share)), turn=nose)

    return pose


def jump(t: float, roll: Roll) -> Pose:
    leaps = int(roll(1, 4))
    height = abs(math.sin(math.pi * leaps * t))
    return Pose(complex(roll(-1, 1), 1 - 2 * height * roll(0.85, 1)))


def bounce(t: float, roll: Roll) -> Pose:
    """Bounces of a ball, each lower than the one before; some drift sideways."""
    leaps, loss = int(roll(2, 4)), roll(0.0, 0.35)
    place = t * leaps
    share = place - min(math.floor(place), leaps - 1)
    height = 4 * share * (1 - share) * (1 - loss) ** min(math.floor(place), leaps - 1)
    drift = roll(-0.5, 0.5)
    return Pose(complex(drift * (2 * t - 1) + roll(-0.4, 0.4), 1 - 2 * height))


def fall(t: float, roll: Roll) -> Pose:
    """Down, accelerating."""
    share = 0.25 * t + 0.75 * t * t
    return Pose(complex(roll(-1, 1), -1 + 2 * share), turn=roll(-40, 40) * t)


def float_down(t: float, roll: Roll) -> Pose:
    """Down like a leaf, swinging from side to side."""
    phase = 2 * math.pi * (roll(1.2, 1.8) * t + roll(0, 1))
    return Pose(
        complex(roll(-1, 1), -1 + 2 * t),
        shift=complex(0.45 * math.sin(phase), 0),
        turn=roll(25, 45) * math.cos(phase) + roll(-30, 30),
    )


def roam(t: float, roll: Roll) -> Pose:
    """Back and forth over all the space that it can move in."""
    first, second = roll(0, 1), roll(0, 1)
    return Pose(
        complex(
            math.sin(2 * math.pi * (t + first)),
            math.sin(2 * math.pi * (2 * t * roll(0.6, 1) + second)),
        )
    )


def stay(t: float, roll: Roll) -> Pose:
    return Pose(home(roll))


def spin(t: float, roll: Roll) -> Pose:
    turns = roll(0.9, 1.6) * (1 if roll(0, 1) < 0.5 else -1)
    return Pose(home(roll), turn=360 * turns * ease(t, roll))


def sway(t: float, roll: Roll) -> Pose:
    return Pose(
        home(roll), turn=roll(11, 17) * math.sin(2 * math.pi * (roll(1.2, 2.2) * t + roll(0, 1)))
    )


def shake(t: float, roll: Roll) -> Pose:
    phase = 2 * math.pi * (roll(3.2, 4.2) * t + roll(0, 1))
    return Pose(
        home(roll), shift=complex(0.12 * math.sin(phase), 0), turn=7 * math.sin(phase + 0.8)
    )


def zoomed(start: float, end: float) -> Callable[[float, Roll], Pose]:
    def pose(t: float, roll: Roll) -> Pose:
        by = ease(t, roll)
        # The small end varies, the large one is 1.
        return Pose(home(roll), zoom=1 - (1 - (start + (end - start) * by)) * roll(0.9, 1.08))

    return pose


def roll_over(t: float, roll: Roll) -> Pose:
    """A loop in the air: once around, turning over."""
    angle = 360 * ease(t, roll)
    radius = roll(0.5, 0.8)
    turn = math.radians(angle)
    return Pose(home(roll), shift=radius * complex(math.sin(turn), math.cos(turn)), turn=-angle)


# Motions that change the subject's size.
ZOOMS = "grow", "shrink", "closer", "away"
ACROSS, ALONG = 0.36 + 0j, 0.36j
MOTIONS: dict[str, Motion] = {
    "stay": Motion(stay),
    "ahead": Motion(ahead, ACROSS),
    "flutter": Motion(flutter, ACROSS),
    "hop": Motion(hop, ACROSS),
    "waddle": Motion(waddle, ACROSS, "foot"),
    "up": Motion(upright(-1), ALONG),
    "down": Motion(upright(1), ALONG),
    "climb": Motion(climb(-1), 0.34 + 0.34j),
    "descend": Motion(climb(1), 0.34 + 0.34j),
    "jump": Motion(jump, 0.26j),
    "bounce": Motion(bounce, 0.1 + 0.4j),
    "fall": Motion(fall, ALONG),
    "float-down": Motion(float_down, ALONG),
    "roam": Motion(roam, 0.36 + 0.26j),
    "spin": Motion(spin),
    "sway": Motion(sway, 0j, "foot"),
    "shake": Motion(shake),
    "grow": Motion(zoomed(0.3, 1), 0j, "foot"),
    "shrink": Motion(zoomed(1, 0.3), 0j, "foot"),
    "closer": Motion(zoomed(0.3, 1)),
    "away": Motion(zoomed(1, 0.3)),
    "loop": Motion(roll_over),
}

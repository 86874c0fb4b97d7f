"""What subjects can do, and the words for it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from flipsketch.doodles.strokes import Act, Roll, Stroke


class Deed(NamedTuple):
    """One thing that a subject does."""

    motion: str
    """Of the whole: a key of MOTIONS."""
    phrases: tuple[str, ...]
    """Each begins with a verb in its plain form: `flap its wings`."""
    cycles: tuple[float, float]
    """How often its parts go round in a clip, at least and at most."""
    side: str = ""
    """Where it goes, `left` or `right`, if that is part of what it does."""
    is_once: bool = False
    """Its parts do it once, so that it is done neither quickly nor slowly."""


class Subject(NamedTuple):
    draw: Callable[[Roll, Act], list[Stroke]]
    """Strokes in units of about half its size, facing right if it faces a side."""
    nouns: tuple[str, ...]
    """Each with its plural: `fish|fish`."""
    deeds: dict[str, Deed]
    builds: tuple[str, str] = ("", "")
    """Adjectives of the thinnest and the thickest, where there are any."""
    scenery: Literal["ground", "sky", "water", "room"] = "ground"
    foot: complex = 0.9j
    """What it sways on, grows from or hangs by."""
    may_be_mirrored: bool = True


def deed(motion: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Deed:
    return Deed(motion, tuple(phrases.split("|")), cycles)


def once(phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Deed:
    return Deed("stay", tuple(phrases.split("|")), cycles, is_once=True)


def sideways(
    verb: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0), motion: str = "ahead"
) -> dict[str, Deed]:
    """To the left and to the right; the words for these are added to the phrases."""
    return {
        f"{verb}-{side}": deed(motion, phrases, cycles)._replace(side=side)
        for side in ("left", "right")
    }


SWAY = deed("sway", "sway|sway from side to side|sway in the wind")
SPIN = deed("spin", "spin around|spin|turn around")
ROCK = deed("sway", "rock|rock from side to side|sway from side to side")
GROW = deed("grow", "grow|grow bigger|grow larger")
SHRINK = deed("shrink", "shrink|get smaller|become smaller")
CLOSER = deed("closer", "come closer|come nearer|approach")
AWAY = deed("away", "move away|go away|get farther away")
SHAKE = deed("shake", "shake|tremble|shake from side to side")
RISE = deed("up", "rise|rise up|float up|float upwards")
SINK = deed("down", "come down|float down|sink slowly")
JUMP = deed("jump", "jump|jump up and down|leap into the air", (1.0, 2.0))
BOUNCE = deed("bounce", "bounce|bounce up and down")

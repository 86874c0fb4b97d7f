"""Subjects: how one is drawn, the actions that it can do, and the words for both."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from flipsketch.doodles.strokes import Act, Roll, Stroke


class Action(NamedTuple):
    """One thing that a subject can do, such as `flap` or `walk-left`."""

    motion: str
    """The motion of the subject as a whole: a key of MOTIONS."""
    phrases: tuple[str, ...]
    """Each begins with a verb in its plain form: `flap its wings`."""
    cycles: tuple[float, float]
    """Least and most cycles of its moving parts in a clip."""
    side: str = ""
    """The direction, `left` or `right`, if the action has one."""
    is_once: bool = False
    """Whether it happens once in a clip, so that no adverb of speed applies."""


class Subject(NamedTuple):
    draw: Callable[[Roll, Act], list[Stroke]]
    """Strokes in units of about half its size, facing right if it faces a side."""
    nouns: tuple[str, ...]
    """Nouns with their plurals: `fish|fish`."""
    actions: dict[str, Action]
    builds: tuple[str, str] = ("", "")
    """Adjectives for the thinnest and the thickest; empty for none."""
    scenery: Literal["ground", "sky", "water", "room"] = "ground"
    foot: complex = 0.9j
    """The point on which it sways, from which it grows or by which it hangs."""
    may_be_mirrored: bool = True


def action(motion: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Action:
    return Action(motion, tuple(phrases.split("|")), cycles)


def once(phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Action:
    return Action("stay", tuple(phrases.split("|")), cycles, is_once=True)


def sideways(
    verb: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0), motion: str = "ahead"
) -> dict[str, Action]:
    """Return an action to the left and one to the right; prompts add the direction's words."""
    return {
        f"{verb}-{side}": action(motion, phrases, cycles)._replace(side=side)
        for side in ("left", "right")
    }


SWAY = action("sway", "sway|sway from side to side|sway in the wind")
SPIN = action("spin", "spin around|spin|turn around")
ROCK = action("sway", "rock|rock from side to side|sway from side to side")
GROW = action("grow", "grow|grow bigger|grow larger")
SHRINK = action("shrink", "shrink|get smaller|become smaller")
CLOSER = action("closer", "come closer|come nearer|approach")
AWAY = action("away", "move away|go away|get farther away")
SHAKE = action("shake", "shake|tremble|shake from side to side")
RISE = action("up", "rise|rise up|float up|float upwards")
SINK = action("down", "come down|float down|sink slowly")
JUMP = action("jump", "jump|jump up and down|leap into the air", (1.0, 2.0))
BOUNCE = action("bounce", "bounce|bounce up and down")

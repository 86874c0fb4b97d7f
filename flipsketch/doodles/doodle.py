"""Doodles: short vector animations, determined by a seed, with prompts that describe them.

A doodle is one or two subjects (subjects/), each with its proportions, its motion (motions.py), a
place on a canvas of 256 x 256 and a wobbling line. It is a function of time that returns plain
shapes: svg/render.py draws them at any size, or they are written as SVG; the pixels are the same.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from flipsketch.doodles.actors import SIDE, Actor, Place, cast_actor, put
from flipsketch.doodles.backdrops import backdrop, blend
from flipsketch.doodles.motions import MOTIONS, ZOOMS
from flipsketch.doodles.prompts import make_prompt
from flipsketch.doodles.strokes import Roll, Stroke, curve
from flipsketch.doodles.subjects.registry import SUBJECTS, motions_of
from flipsketch.svg.path_data import Segment
from flipsketch.svg.render import Paint, Shape, draw

Look = Literal["sketch", "filled", "plain"]

# Width of the blank border: one pixel of a canvas of 64.
MARGIN = 4.5
OUTLINES = "#222222", "#3a2a22", "#26304a", ""


@dataclass(frozen=True, eq=False)
class Doodle:
    name: str
    """Unique within a seed: `00042-bird-fly-left`."""
    prompt: str
    seed: int
    index: int
    actors: tuple[Actor, ...]
    line_width: float
    """In pixels of a canvas of 256 x 256."""
    outline: str
    """Colour of lines in the filled look; if empty, a darker shade of each shape's fill."""
    ground: tuple[Stroke, ...]
    """Lines of the ground, which do not move."""
    scenery: tuple[float, ...]
    """The random numbers of the backdrop in the filled look."""
    begin: float = 0.0
    pace: float = 1.0
    """The part of its motions that is shown: from `begin` to `begin + pace`, within [0, 1]."""

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(actor.subject for actor in self.actors)

    @property
    def motions(self) -> tuple[str, ...]:
        return tuple(actor.motion for actor in self.actors)

    def shapes(self, t: float, size: int = 256, look: Look = "sketch") -> list[Shape]:
        """Return the doodle at a time in [0, 1], back to front, for size x size pixels."""
        scale = size / SIDE
        matrix = (scale, 0.0, 0.0, scale, 0.0, 0.0)
        shapes = []
        if look != "sketch":
            shown = self.backdrop if look == "filled" else self.backdrop[:1]
            shapes += [Shape(segments, matrix, paint) for segments, paint in shown]
        lines = [(to_numbers(stroke.points), "") for stroke in self.ground if look == "sketch"]
        for actor in self.actors:
            points, counts, fills = actor.strokes(self.begin + self.pace * t)
            numbers, start = to_numbers(points), 0
            for count, fill in zip(counts, fills, strict=True):
                lines.append((numbers[start : start + 2 * count], fill))
                start += 2 * count
        # Shapes of one paint share the object, which is what the renderer compares.
        paints: dict[str, Paint] = {}
        for numbers, fill in lines:
            if look == "sketch":
                fill = ""
            if fill not in paints:
                shade = self.outline or blend(fill or "#444444", "#000000", 0.55)
                paints[fill] = self.paint(fill, "#000000" if look == "sketch" else shade)
            shapes.append(Shape(to_segments(numbers), matrix, paints[fill]))
        return shapes

    @cached_property
    def backdrop(self) -> list[tuple[list[Segment], Paint]]:
        sceneries = [SUBJECTS[actor.subject].scenery for actor in self.actors]
        # Sky is part of every scenery, so it is chosen only if all actors are in the sky.
        scenery = min(sceneries, key=lambda scenery: scenery == "sky")
        floors = [
            actor.floor
            for actor, its_own in zip(self.actors, sceneries, strict=True)
            if its_own == scenery
        ]
        strokes = backdrop(scenery, min(floors), Roll(self.scenery))
        return [
            (to_segments(to_numbers(stroke.points)), self.paint(stroke.fill, opacity=opacity))
            for stroke, opacity in strokes
        ]

    def paint(self, fill: str, stroke: str = "", opacity: float = 1.0) -> Paint:
        paint: Paint = {
            "fill-rule": "nonzero",
            "stroke-linecap": "round",
            "stroke-linejoin": "round",
            "stroke-miterlimit": 4.0,
            "stroke-width": self.line_width,
            "fill": fill or "none",
            "stroke": stroke or "none",
        }
        for name in ("fill", "stroke"):
            if paint[name] != "none":
                paint[f"{name}-opacity"] = opacity
        return paint

    def svg(self, t: float, look: Look = "sketch") -> bytes:
        """Return one frame as an SVG file: in the sketch look one black cubic path per stroke."""
        side = f"{SIDE:g}"
        paths = "".join(f"  {to_path(shape)}\n" for shape in self.shapes(t, int(SIDE), look))
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" version="1.1" '
            f'width="{side}" height="{side}">\n'
            f"{paths}</svg>\n"
        ).encode()


def to_numbers(points: np.ndarray | list[complex]) -> list[float]:
    """Return x and y in turn, rounded as they are written."""
    # Adding 0 turns -0 into 0.
    return (np.round(np.asarray(points).view(np.float64), 2) + 0.0).tolist()


def to_segments(numbers: list[float]) -> list[Segment]:
    segments: list[Segment] = [("M", numbers[:2])]
    segments += [("C", numbers[start : start + 6]) for start in range(2, len(numbers), 6)]
    return segments


def to_path(shape: Shape) -> str:
    path_data = " ".join(
        " ".join((kind, *(f"{number:.2f}" for number in numbers)))
        for kind, numbers, *_ in shape.segments
    )
    left_out = "fill-rule", "stroke-miterlimit"
    attributes = {name: value for name, value in shape.paint.items() if name not in left_out}
    written = " ".join(
        f'{name}="{value if isinstance(value, str) else format(value, "g")}"'
        for name, value in attributes.items()
    )
    return f'<path d="{path_data}" {written}/>'


def make_doodle(
    seed: int,
    index: int,
    *,
    subject: str | None = None,
    motion: str | None = None,
    variety: float = 1.0,
    pace: float = 1.0,
) -> Doodle:
    """Return doodle `index` of a seed; without a subject or a motion, these are random as well.

    With a given subject or motion there is one subject on the canvas.

    Args:
        variety: how much proportions, colours and pens vary; with 0 all doodles of a subject look
            the same, apart from their place and size.
        pace: share of its motions that is shown, from a random moment on; less is slower.

    Raises:
        ValueError: there is no such subject, or it has no such motion.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    # Only random() is drawn from it: NumPy may change its other methods between versions.
    roll = Roll(tuple(generator.random(60).tolist()))
    first = roll.pick(*SUBJECTS) if subject is None else subject
    first_motion = roll.pick(*motions_of(first)) if motion is None else motion
    if first_motion not in motions_of(first):
        raise ValueError(f"{first} has no motion {motion!r}; it has {', '.join(motions_of(first))}")
    second = roll.pick(*companions(first))
    second_motion = roll.pick(*motions_of(second))
    are_two, are_twins = roll(0, 1) < 0.13, roll(0, 1) < 0.35
    cast = [(first, first_motion)]
    if are_two and subject is None and motion is None:
        cast.append(cast[0] if are_twins else (second, second_motion))

    line_width = round(1.5 + 2.5 * (variety * roll(0, 1)) ** 1.5, 2)
    wobble, redraw = roll(0.004, 0.014), roll(0.12, 0.3) * (roll(0, 1) < 0.35)
    actors: list[Actor] = []
    places = share_out(cast, MARGIN + line_width / 2)
    for (name, action), place in zip(cast, places, strict=True):
        actor = cast_actor(name, action, variety * wobble, redraw, generator)
        actor = replace(actor, proportions=narrow(actor.proportions, variety))
        if are_twins and actors:
            twin = actors[0]
            actor = replace(
                actor,
                proportions=twin.proportions,
                cycles=twin.cycles,
                is_mirrored=twin.is_mirrored,
            )
        actors.append(put(actor, place, generator))

    # A thick pen would blot out small drawings.
    smallest = min(actor.size * smallest_zoom(actor) for actor in actors)
    line_width = round(min(line_width, 1.3 + 0.014 * smallest), 2)
    stands = SUBJECTS[first].scenery == "ground" and len(actors) == 1
    has_ground = roll(0, 1) < 0.4 and stands
    return Doodle(
        name="-".join((f"{index:05d}", *(f"{name}-{action}" for name, action in cast))),
        prompt=make_prompt(actors, roll),
        seed=seed,
        index=index,
        actors=tuple(actors),
        line_width=line_width,
        outline=roll.pick(*OUTLINES),
        ground=(draw_ground(actors[0].floor, roll),) if has_ground else (),
        scenery=narrow(tuple(generator.random(120).tolist()), variety),
        begin=(1 - pace) * generator.random(),
        pace=pace,
    )


def narrow(numbers: tuple[float, ...], variety: float) -> tuple[float, ...]:
    return tuple(0.5 + variety * (number - 0.5) for number in numbers)


def make_doodle_of(
    seed: int,
    index: int,
    subjects: tuple[str, ...],
    motions: tuple[str, ...] = (),
    variety: float = 1.0,
    pace: float = 1.0,
) -> Doodle:
    """Return doodle `index` of a seed: the subjects take turns, and so do the motions of each.

    Args:
        motions: the motions to choose from; empty for all.
    """
    round_number, place = divmod(index, len(subjects))
    subject = subjects[place]
    own = [motion for motion in motions_of(subject) if motion in motions]
    motion = own[round_number % len(own)] if own else None
    return make_doodle(seed, index, subject=subject, motion=motion, variety=variety, pace=pace)


def companions(subject: str) -> list[str]:
    """Return the subjects that may share its canvas: no whale beside a lamp."""
    scenery = SUBJECTS[subject].scenery
    suitable = {scenery, "sky"} if scenery == "ground" else {scenery}
    suiting = (name for name, other in SUBJECTS.items() if other.scenery in suitable)
    return [name for name in suiting if name != subject]


def share_out(cast: list[tuple[str, str]], margin: float) -> list[Place]:
    """Return each actor's part of the canvas: one above the other if any moves sideways."""
    low, middle, high = margin, SIDE / 2, SIDE - margin
    if len(cast) == 1:
        return [Place(low, low, high, high)]
    rooms = [MOTIONS[SUBJECTS[name].actions[action].motion].room for name, action in cast]
    if not any(room.real for room in rooms):
        return [Place(low, low, middle, high), Place(middle, low, high, high)]
    upper, lower = Place(low, low, high, middle), Place(low, middle, high, high)
    # Flying subjects are above standing ones.
    return [upper, lower] if SUBJECTS[cast[0][0]].scenery == "sky" else [lower, upper]


def smallest_zoom(actor: Actor) -> float:
    """Return the size, relative to its largest, that limits the line width."""
    return 0.55 if actor.action.motion in ZOOMS else 1.0


def draw_ground(floor: float, roll: Roll) -> Stroke:
    start, end = roll(8, 20), SIDE - roll(8, 20)
    return curve(*(complex(start + (end - start) * k / 5, floor + roll(0, 2)) for k in range(6)))


def render_doodle(
    doodle: Doodle,
    num_frames: int,
    size: int,
    look: Look = "sketch",
    line_width: float | None = None,
) -> np.ndarray:
    """Return frames (F, H, W, 3): the doodle at evenly spaced times, the first 0, the last 1.

    Args:
        line_width: width in pixels; by default the doodle's own.
    """
    times = frame_times(num_frames)
    return np.stack([draw(doodle.shapes(t, size, look), size, size, line_width) for t in times])


def frame_times(num_frames: int) -> list[float]:
    if num_frames < 2:
        raise ValueError(f"an animation has at least 2 frames, got {num_frames}")
    return [number / (num_frames - 1) for number in range(num_frames)]

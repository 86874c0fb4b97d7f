"""Actors: a subject with its own proportions, motion, place on the canvas and wobbling line."""

import cmath
import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from flipsketch.doodles.motions import MOTIONS
from flipsketch.doodles.strokes import Act, Roll
from flipsketch.doodles.subject import Action
from flipsketch.doodles.subjects.registry import SUBJECTS

# Side of the canvas in pixels, as Live-Sketch has it.
SIDE = 256.0
# Random numbers of a subject and of a motion, and strokes with a wobble of their own.
NUM_PROPORTIONS, NUM_MANNERS, NUM_WOBBLES = 40, 12, 64
# Versions of the line, as if redrawn by hand, and how often in a clip the next one is shown.
NUM_REDRAWN, REDRAWN_PER_CLIP = 4, 8
# Times at which an actor's extent is measured, and pixels that it may exceed it in between.
NUM_PROBES, SLACK = 25, 2.0


class Place(NamedTuple):
    """A part of the canvas, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, eq=False)
class Actor:
    subject: str
    motion: str
    """Name of what it does: a key of the subject's actions."""
    proportions: tuple[float, ...]
    manner: tuple[float, ...]
    """The random numbers of its motion."""
    wobbles: np.ndarray
    """Phases for each version of the line and each stroke (NUM_REDRAWN, NUM_WOBBLES, 4)."""
    wobble: float
    """How far its lines deviate, in its own units."""
    cycles: float
    """Cycles of its moving parts in a clip."""
    phase: float
    is_mirrored: bool
    scale: float = 1.0
    """Pixels to its unit."""
    corner: complex = 0j
    """Its position in pixels at the rear end and the top of its room."""
    room: complex = 0j
    """How far it can move from there, in x and y."""
    size: float = 0.0
    """Its longer side in pixels, at its largest."""
    floor: float = 0.0
    """The lowest point that it reaches, in pixels."""

    @property
    def action(self) -> Action:
        return SUBJECTS[self.subject].actions[self.motion]

    def strokes(self, t: float) -> tuple[np.ndarray, list[int], list[str]]:
        """Return points in pixels (complex), how many each stroke has, and the strokes' fills."""
        subject, motion = SUBJECTS[self.subject], MOTIONS[self.action.motion]
        pose = motion.pose(t, Roll(self.manner))
        gone = pose.at.real - motion.pose(0.0, Roll(self.manner)).at.real
        travel = gone * self.room.real / 2 / self.scale
        act = Act(self.motion, self.cycles * t + self.phase, t * t * (3 - 2 * t), travel)
        drawn = subject.draw(Roll(self.proportions), act)
        counts = [len(stroke.points) for stroke in drawn]
        points = np.array([point for stroke in drawn for point in stroke.points])
        points += self.stray(t, points, counts)
        about = subject.foot if motion.about == "foot" else 0j
        by = pose.zoom * cmath.rect(1.0, math.radians(pose.turn))
        points = (points - about) * by + (about + pose.shift)
        across = (pose.at.real + 1) / 2
        if self.is_mirrored:
            points, across = -points.conjugate(), 1 - across
        at = complex(across * self.room.real, (pose.at.imag + 1) / 2 * self.room.imag)
        return points * self.scale + (self.corner + at), counts, [stroke.fill for stroke in drawn]

    def stray(self, t: float, points: np.ndarray, counts: list[int]) -> np.ndarray:
        """Return the deviation of the line at each point, smooth along each stroke."""
        phases = self.wobbles[int(t * REDRAWN_PER_CLIP) % NUM_REDRAWN, : len(counts)]
        ends = np.cumsum(counts)
        starts = ends - counts
        along = np.arange(ends[-1]) - np.repeat(starts, counts)
        # Short strokes, such as an eye, deviate less.
        spans = spans_of(points.real, starts) + spans_of(points.imag, starts)
        wobble = self.wobble * np.repeat(np.clip(spans / 0.8, 0.1, 1), counts)
        one, two, three, four = np.repeat(phases, counts, axis=0).T
        x = np.sin(0.55 * along + one) + 0.5 * np.sin(1.1 * along + two)
        y = np.sin(0.5 * along + three) + 0.5 * np.sin(1.2 * along + four)
        return wobble * (x + 1j * y)


def cast_actor(
    subject: str, motion: str, wobble: float, redraw: float, generator: np.random.Generator
) -> Actor:
    """Return an actor that has no place yet."""
    action = SUBJECTS[subject].actions[motion]
    proportions, manner = (
        tuple(generator.random(count).tolist()) for count in (NUM_PROPORTIONS, NUM_MANNERS)
    )
    pace, phase, mirror = generator.random(3).tolist()
    # Each version of the line differs a little from the first.
    wobbles = 2 * np.pi * generator.random((1, NUM_WOBBLES, 4))
    wobbles = wobbles + redraw * 2 * np.pi * (generator.random((NUM_REDRAWN, NUM_WOBBLES, 4)) - 0.5)
    may_be_mirrored = SUBJECTS[subject].may_be_mirrored and not action.side
    return Actor(
        subject,
        motion,
        proportions,
        manner,
        wobbles,
        wobble,
        cycles=action.cycles[0] + (action.cycles[1] - action.cycles[0]) * pace,
        phase=phase,
        is_mirrored=action.side == "left" or (may_be_mirrored and mirror < 0.5),
    )


def put(actor: Actor, place: Place, generator: np.random.Generator) -> Actor:
    """Return the actor at a size and with a room such that it never leaves its place."""
    boxes = np.array([reach(actor.strokes(t)[0]) for t in np.linspace(0, 1, NUM_PROBES)])
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    width = place.right - place.left - 2 * SLACK
    height = place.bottom - place.top - 2 * SLACK
    needed = MOTIONS[actor.action.motion].room
    largest = min(
        width * (1 - needed.real) / (right - left), height * (1 - needed.imag) / (bottom - top)
    )
    # A subject that travels has been made smaller already.
    smallest = 0.7 if needed else 0.5
    scale = largest * (smallest + (0.98 - smallest) * generator.random())
    corner = complex(place.left + SLACK - scale * left, place.top + SLACK - scale * top)
    room = complex(width - scale * (right - left), height - scale * (bottom - top))
    if SUBJECTS[actor.subject].scenery in ("ground", "room") and not needed.imag:
        # What stands on something is rarely high up.
        corner += 0.6j * room.imag
        room = complex(room.real, 0.4 * room.imag)
    motion = MOTIONS[actor.action.motion]
    lowest = max(motion.pose(t, Roll(actor.manner)).at.imag for t in (0.0, 0.5, 1.0))
    return replace(
        actor,
        scale=scale,
        corner=corner,
        room=room,
        size=scale * float((boxes[:, 2:] - boxes[:, :2]).max()),
        floor=corner.imag + (lowest + 1) / 2 * room.imag + scale * bottom,
    )


def reach(points: np.ndarray) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of points; their curves lie within."""
    x, y = points.real, points.imag
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def spans_of(sides: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(sides, starts) - np.minimum.reduceat(sides, starts)

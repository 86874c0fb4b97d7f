"""Strokes: cubic Bézier curves in the complex plane, and the shapes that drawings are made of.

x is the real part and grows to the right, y the imaginary part and grows downwards; angles are in
degrees, clockwise as seen. Drawings are about two units wide and high, centred on 0.
"""

import cmath
import math
from typing import NamedTuple


class Stroke(NamedTuple):
    """One line, drawn without lifting the pen."""

    points: list[complex]
    """A start, then two control points and an end for each cubic."""
    fill: str = ""
    """Fill colour (#rrggbb); empty for none."""


class Act(NamedTuple):
    """What a subject does at one moment, as far as it moves its own parts."""

    motion: str
    """Its name, such as `wave`."""
    cycle: float
    """Number of steps, flaps or turns so far."""
    progress: float
    """Progress of a motion that happens once: 0 at the start, 1 at the end."""
    travel: float
    """Distance moved ahead so far, in the subject's own units."""

    def swing(self, shift: float = 0.0) -> float:
        """Return a sine of the cycle: between -1 and 1, with a period of one cycle."""
        return math.sin(2 * math.pi * (self.cycle + shift))


class Roll:
    """Random proportions from a fixed list of numbers: the same calls give the same results."""

    def __init__(self, numbers: tuple[float, ...]) -> None:
        self.build, *self.numbers = numbers
        """From 0 (thin) to 1 (thick): the only proportion that prompts may mention."""
        self.place = 0

    def __call__(self, low: float, high: float) -> float:
        number = self.numbers[self.place % len(self.numbers)]
        self.place += 1
        return low + (high - low) * number

    def pick(self, *options: str) -> str:
        return options[int(self(0, len(options)))]

    def thick(self, low: float, high: float) -> float:
        return low + (high - low) * self.build


def curve(*points: complex, fill: str = "") -> Stroke:
    """A smooth line through the points (Catmull-Rom)."""
    return Stroke(smooth([points[0], *points, points[-1]]), fill)


def loop(*points: complex, fill: str = "") -> Stroke:
    """A smooth closed line through the points."""
    return Stroke(smooth([points[-1], *points, points[0], points[1]]), fill)


def smooth(points: list[complex]) -> list[complex]:
    """Catmull-Rom cubics through all but the first and last points, which only set the tangents."""
    cubics = [points[1]]
    for before, start, end, after in zip(points, points[1:], points[2:], points[3:], strict=False):
        cubics += (start + (end - before) / 6, end - (after - start) / 6, end)
    return cubics


def lines(*points: complex, fill: str = "") -> Stroke:
    """Straight lines from point to point."""
    cubics = [points[0]]
    for start, end in zip(points, points[1:], strict=False):
        third = (end - start) / 3
        cubics += (start + third, end - third, end)
    return Stroke(cubics, fill)


def polygon(*points: complex, fill: str = "") -> Stroke:
    return lines(*points, points[0], fill=fill)


def box(left: float, top: float, right: float, bottom: float, fill: str = "") -> Stroke:
    corners = (left, top), (right, top), (right, bottom), (left, bottom)
    return polygon(*(complex(x, y) for x, y in corners), fill=fill)


def ellipse(
    centre: complex, rx: float, ry: float, turn: float = 0.0, fill: str = "", start: float = -90.0
) -> Stroke:
    """A closed ellipse, drawn from the angle `start`."""
    points = arc(0, rx, ry, start, 360.0).points
    by = cmath.rect(1.0, math.radians(turn))
    return Stroke([centre + by * point for point in points], fill)


def circle(centre: complex, radius: float, fill: str = "", start: float = -90.0) -> Stroke:
    return arc(centre, radius, radius, start, 360.0, fill)


def dot(centre: complex, radius: float = 0.025) -> Stroke:
    """A small filled circle, such as an eye."""
    return circle(centre, radius, "#222222")


def arc(
    centre: complex, rx: float, ry: float, start: float, sweep: float, fill: str = ""
) -> Stroke:
    """An arc of an ellipse, from the angle `start` over `sweep` degrees."""
    num_cubics = max(1, math.ceil(abs(sweep) / 90 - 1e-9))
    step = math.radians(sweep) / num_cubics
    reach = 4 / 3 * math.tan(step / 4) * 1j
    cubics: list[complex] = []
    for number in range(num_cubics):
        leave = cmath.rect(1.0, math.radians(start) + number * step)
        arrive = leave * cmath.rect(1.0, step)
        if not cubics:
            cubics.append(leave)
        cubics += (leave + reach * leave, arrive - reach * arrive, arrive)
    return Stroke([centre + complex(rx * z.real, ry * z.imag) for z in cubics], fill)


def polar(length: float, degrees: float) -> complex:
    return cmath.rect(length, math.radians(degrees))


def move(
    strokes: list[Stroke],
    by: complex = 0j,
    turn: float = 0.0,
    about: complex = 0j,
    zoom: complex = 1 + 1j,
) -> list[Stroke]:
    """Scale strokes (`zoom` is across and along), rotate them about a point, and shift them."""
    by += about
    spin = polar(1.0, turn)
    if zoom == 1 + 1j:
        return [Stroke([(z - about) * spin + by for z in s.points], s.fill) for s in strokes]
    across, along = zoom.real, zoom.imag
    return [
        Stroke(
            [
                complex((z - about).real * across, (z - about).imag * along) * spin + by
                for z in s.points
            ],
            s.fill,
        )
        for s in strokes
    ]


def mirror(strokes: list[Stroke]) -> list[Stroke]:
    return [Stroke([-z.conjugate() for z in s.points], s.fill) for s in strokes]


def mix(start: complex, end: complex, share: float) -> complex:
    return start + (end - start) * share


def limb(
    root: complex, length: float, degrees: float, width: float, fill: str, foot: float = 0.0
) -> Stroke:
    """A leg or an arm: a strip with a round end; `foot` is how far a foot points ahead."""
    along = polar(1.0, degrees)
    side = along * -1j * width / 2
    end = root + along * length
    return curve(
        root - side,
        mix(root, end, 0.6) - side,
        end - side,
        end + along * width * 0.35,
        end + side + foot,
        mix(root, end, 0.6) + side,
        root + side,
        fill=fill,
    )

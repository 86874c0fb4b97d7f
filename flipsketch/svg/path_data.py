"""SVG's path data as plain segments: all commands, absolute, arcs as pieces of circles."""

import cmath
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

# Doubles hold larger ones, but not their squares' differences; what is far outside of the canvas is
# judged in pixels.
MAX_MAGNITUDE = 1e15

NUM_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
# The form that nearly every program writes: absolute moves, lines and curves.
PLAIN_PATH = re.compile(r"(?:[MLC][0-9.,eE+\s-]++(?:Z\s*+)?+)++", re.ASCII)
# Commands, written as numbers among the others, which are all far below.
FIRST_MARK, LETTERS = 1e300, "_MLCZ|"
MARKS = {letter: f" {number}e300 " for number, letter in enumerate(LETTERS) if number}
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
ARGUMENT = re.compile(rf"[\s,]*({NUMBER.pattern})", re.ASCII)
LONG_PATH = 600_000
"""Characters. Of longer ones relative points are not kept: they take as much memory again."""
# Many numbers without a letter among them, as tracers write curves; then all of them.
LONG = re.compile(r"[^A-Za-z]{120}")
RUN = re.compile(r"(?:[\s,]*+[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?+)++", re.ASCII)
# The blanks around an arc's two flags are optional.
FLAG = re.compile(r"[\s,]*([01])")
# Repeated closes draw nothing, but a megabyte of them would take long.
COMMAND = re.compile(r"[\s,]*([MmLlHhVvCcSsQqTtAa]|[Zz](?:[\s,]*+[Zz])*+)")


class Arc(NamedTuple):
    """A piece of a circle, and the frame in which it is circular, as cairo draws it."""

    origin: complex
    rotation: float
    stretch: float
    """Factor on the y axis."""
    centre: complex
    radius: float
    first: float
    last: float
    """Angles in radians."""
    is_clockwise: bool


# M, L, C or Z with its points, x and y in turn. A third entry tells how to draw it: an arc (then
# the points are those of curves along it), or the points relative to where the last segment ends.
# (Cairo rounds these differently; relative points stay relative, so that pixels equal cairosvg's.)
Segment = tuple[str, list[float]] | tuple[str, list[float], Arc | list[float]]


def read_number(text: str) -> float:
    number = float(text)
    if not abs(number) < MAX_MAGNITUDE:
        raise ValueError(f"the SVG has the number {text[:20]}; numbers must be below 1e15")
    return number


def read_paths(texts: list[str], *, is_lenient: bool = False) -> list[list[Segment]]:
    """Return each path's segments. Plain paths are read all at once, several times as fast."""
    plain = [text for text in texts if PLAIN_PATH.fullmatch(text)]
    known = dict(zip(plain, read_plain_paths(plain), strict=True))
    return [known.get(text) or read_path(text, is_lenient=is_lenient) for text in texts]


def read_plain_paths(texts: list[str]) -> list[list[Segment]]:
    """Return the segments of paths of plain paths; an empty list stands for an unreadable one."""
    if not texts:
        return []
    joined = "".join(f"|{text}" for text in texts)
    num_marks = sum(map(joined.count, MARKS))
    for letter, mark in MARKS.items():
        joined = joined.replace(letter, mark)
    try:
        words = pa.array(joined.replace(",", " ").split(), pa.string())
        numbers = words.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return [[]] * len(texts)
    is_mark = numbers >= FIRST_MARK
    places = np.flatnonzero(is_mark)
    if len(places) != num_marks or not np.abs(numbers[~is_mark]).max(initial=0) < MAX_MAGNITUDE:
        return [[]] * len(texts)
    kinds = [LETTERS[round(mark / FIRST_MARK)] for mark in numbers[places].tolist()]
    ends = [*places[1:].tolist(), len(numbers)]
    rest = numbers.tolist()
    paths: list[list[Segment]] = []
    for kind, place, end in zip(kinds, places.tolist(), ends, strict=True):
        start, size = place + 1, NUM_ARGUMENTS.get(kind, 0)
        if kind == "|":
            segments: list[Segment] = []
            paths.append(segments)
        elif end - start == size:
            segments.append((kind, rest[start:end]))
        elif size and end > start and (end - start) % size == 0:
            # Further points of a move are lines.
            next_kind = "L" if kind == "M" else kind
            for first in range(start, end, size):
                segments.append((kind if first == start else next_kind, rest[first : first + size]))
        else:
            return [[]] * len(texts)
    return [segments if segments and segments[0][0] == "M" else [] for segments in paths]


def read_path(path_data: str, *, is_lenient: bool = False) -> list[Segment]:
    """Return any path as absolute M, L, C, A and Z segments. Source: SVG 1.1, section 8.3.

    Args:
        is_lenient: read what comes before an error, as SVG 2 says (section 9.5.4), in place of
            raising ValueError.
    """
    segments: list[Segment] = []
    here = start = handle = 0j
    last = ""
    for letter, numbers in read_commands(path_data, is_lenient):
        kind, is_relative = letter.upper(), letter.islower()
        if len(numbers) > NUM_ARGUMENTS[kind]:
            start_of_run = here if is_relative else None
            points, run = follow_run(kind, numbers, start_of_run)
            segments += run if len(path_data) < LONG_PATH else [segment[:2] for segment in run]
            handle, here, last = points[-2], points[-1], kind
            continue
        origin = here if is_relative else 0j
        if is_relative and not segments:
            segments.append(("M", [0.0, 0.0]))
        if kind == "H":
            numbers.append((here - origin).imag)
        elif kind == "V":
            numbers.insert(0, (here - origin).real)
        # The last numbers are points; only an arc has others, before them.
        pairs = numbers[5:] if kind == "A" else numbers
        points = [origin + complex(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]
        end = points[-1] if points else start
        if kind in "ST":
            # The last handle, mirrored, if there was a curve of the same degree before.
            follows = last in ("CS" if kind == "S" else "QT")
            points.insert(0, 2 * here - handle if follows else here)

        if kind in "CS":
            handle = points[1]
            segments.append(draw_from(here, "C", points, is_relative))
        elif kind in "QT":
            handle = points[0]
            lifted = [here + (handle - here) * 2 / 3, end + (handle - end) * 2 / 3, end]
            segments.append(draw_from(here, "C", lifted, is_relative))
        elif kind == "A":
            segments.append(read_arc(here, end, numbers[:5]))
        else:
            kind = kind if kind in "MZ" else "L"
            segments.append(draw_from(here, kind, points, is_relative))
        start = end if kind == "M" else start
        here, last = end, kind
    return segments


def follow_run(
    kind: str, numbers: list[float], here: complex | None
) -> tuple[list[complex], list[Segment]]:
    """Return the last points of many lines or curves, and their segments: all at once, to the same
    bits as one by one.

    Args:
        here: where relative ones begin; None if they are absolute.
    """
    segments: list[Segment]
    points = np.array(numbers).reshape(-1, NUM_ARGUMENTS[kind] // 2, 2)
    if here is None:
        segments = [(kind, own) for own in points.reshape(len(points), -1).tolist()]
    else:
        starts = np.cumsum([[[here.real, here.imag]], *points[:, -1:]], axis=0)
        points = starts[:-1] + points
        moves = (points - starts[:-1]).reshape(len(points), -1).tolist()
        owns = points.reshape(len(points), -1).tolist()
        segments = [(kind, own, move) for own, move in zip(owns, moves, strict=True)]
    return [complex(x, y) for x, y in points[-2:].reshape(-1, 2).tolist()], segments


def flatten(points: list[complex]) -> list[float]:
    return [side for point in points for side in (point.real, point.imag)]


def draw_from(here: complex, kind: str, points: list[complex], is_relative: bool) -> Segment:
    if is_relative and points:
        return kind, flatten(points), flatten([point - here for point in points])
    return kind, flatten(points)


def read_commands(path_data: str, is_lenient: bool) -> Iterator[tuple[str, list[float]]]:
    """Yield each command's letter and numbers, also where a repeated letter is left out; of a long
    run of lines or curves all numbers together."""
    path_data = path_data.strip(", \t\r\n")
    # At the start and after a close a letter is required.
    letter, position = "Z", 0
    is_readable = path_data[:1] in "Mm"
    while is_readable and position < len(path_data):
        if match := COMMAND.match(path_data, position):
            letter, position = match[1][0], match.end()
        elif letter in "Zz":
            is_readable = False
        if letter in "cClL" and LONG.match(path_data, position):
            run = RUN.match(path_data, position)
            numbers = [float(text) for text in NUMBER.findall(run[0])] if run else []
            is_whole = numbers and len(numbers) % NUM_ARGUMENTS[letter.upper()] == 0
            if run and is_whole and max(map(abs, numbers)) < MAX_MAGNITUDE:
                position = run.end()
                yield letter, numbers
                continue
        numbers = []
        while is_readable and len(numbers) < NUM_ARGUMENTS[letter.upper()]:
            pattern = FLAG if letter in "Aa" and len(numbers) in (3, 4) else ARGUMENT
            if match := pattern.match(path_data, position):
                is_readable = not is_lenient or abs(float(match[1])) < MAX_MAGNITUDE
                numbers.append(read_number(match[1]) if is_readable else 0.0)
                position = match.end()
            else:
                is_readable = False
        if is_readable:
            yield letter, numbers
        # Further points of a move are lines.
        letter = {"M": "L", "m": "l"}.get(letter, letter)
    if not is_readable and not is_lenient:
        found = path_data[position : position + 40]
        raise ValueError(f"the SVG has unreadable path data at character {position}: {found!r}")


def rotate(x: float, y: float, angle: float) -> tuple[float, float]:
    cos, sin = math.cos(angle), math.sin(angle)
    return x * cos - y * sin, y * cos + x * sin


def read_arc(start: complex, end: complex, numbers: list[float]) -> Segment:
    """Return an elliptical arc, or a line if it is degenerate. Source: SVG 1.1, appendix F.6.

    Args:
        numbers: the two radii, the rotation in degrees, and the flags "large" and "clockwise".
    """
    rx, ry, degrees, is_large, is_clockwise = numbers
    rx, ry = abs(rx), abs(ry)
    if min(rx, ry, abs(end - start)) < 1e-6:
        return ("L", flatten([end]))
    # In the frame of the first point, turned back and its y axis shrunk, the ellipse is a circle,
    # and both ends lie on it; if they are too far apart, it grows. (A half circle is one curve or
    # two by the last bit of its angles, so each step is done as cairosvg does it.)
    rotation, stretch = math.radians(degrees), ry / rx
    final_x, final_y = rotate(end.real - start.real, end.imag - start.imag, -rotation)
    final_y /= stretch
    bearing = math.atan2(final_y, final_x)
    distance = math.hypot(final_x, final_y)
    radius = max(rx, distance / 2)
    rise = (radius**2 - (distance / 2) ** 2) ** 0.5
    centre = complex(*rotate(distance / 2, -rise if is_large == is_clockwise else rise, bearing))
    final = complex(*rotate(distance, 0, bearing))
    first, last = cmath.phase(-centre), cmath.phase(final - centre)
    sweep = (last - first) % (2 * math.pi)
    if not is_clockwise:
        sweep -= 2 * math.pi
    arc = Arc(start, rotation, stretch, centre, radius, first, last, bool(is_clockwise))
    hull = follow_arc(arc, sweep)
    hull[-1] = end
    return ("A", flatten(hull), arc)


def begin_with_move(segments: list[Segment]) -> list[Segment]:
    """Return an outline whose whole ellipse, known by the corners of its box, is curves."""
    if not segments or segments[0][0] != "A":
        return segments
    arc = segments[0][-1]
    assert isinstance(arc, Arc)
    points = flatten(follow_arc(arc, 2 * math.pi))
    curves: list[Segment] = [("C", points[i : i + 6]) for i in range(0, len(points), 6)]
    return [("M", points[-2:]), *curves, *segments[1:]]


def follow_arc(arc: Arc, sweep: float) -> list[complex]:
    """Return the points of curves along an arc: two handles and an end for each quarter or less."""
    turn = cmath.rect(1.0, arc.rotation)
    num_curves = max(1, math.ceil(abs(sweep) / (math.pi / 2) - 1e-9))
    step = sweep / num_curves
    reach = 4 / 3 * math.tan(step / 4) * 1j
    hull: list[complex] = []
    for i in range(num_curves):
        leave = cmath.rect(arc.radius, arc.first + i * step)
        arrive = cmath.rect(arc.radius, arc.first + (i + 1) * step)
        for point in (leave + reach * leave, arrive - reach * arrive, arrive):
            point += arc.centre
            hull.append(arc.origin + complex(point.real, point.imag * arc.stretch) * turn)
    return hull

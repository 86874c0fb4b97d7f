#!/usr/bin/env python
"""How long the largest drawings take that are accepted, kind by kind.

    python benchmarks/svg_limits.py
    python benchmarks/svg_limits.py --kinds hatching tracer

Each kind of drawing is made larger until it is refused; the largest accepted one is read and drawn
in a process of its own, and its time on a processor and its memory are printed. The goal is that
each takes less than 5 s and 500 MB at 512 pixels, on a machine half as fast as this one too.
"""

import math
import multiprocessing
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import tyro

from flipsketch.svg.reader import read_svg

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1000">'
PEN = 'fill="none" stroke="#000" stroke-width="0.7"'
random_number = random.Random(0)


@dataclass(frozen=True, kw_only=True)
class LimitsBenchmark:
    kinds: tuple[str, ...] = ()
    """Kinds of drawings, by default all."""
    size: int = 512
    """Pixels."""


def main(config: LimitsBenchmark) -> None:
    print("| kind | largest accepted | MB | refused for | seconds | peak MB |")
    print("|---|---|---|---|---|---|")
    for kind, make in KINDS.items():
        if config.kinds and kind not in config.kinds:
            continue
        count, reason = largest_accepted(make, config.size)
        svg = make(count)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, peak = pool.apply(measure, (svg, config.size))
        megabytes, cost = f"{len(svg) / 1e6:.1f} |", f"{seconds:.2f} | {peak:.0f}"
        print(
            f"| {kind} | {count:,} | {megabytes} {reason} | {cost} |",
            flush=True,
        )


def largest_accepted(make: Callable[[int], bytes], size: int) -> tuple[int, str]:
    """Return a count that is accepted, while one a third larger is refused, and why that is."""
    count, step, reason = 32, 4.0, "-"
    while step > 1.1:
        try:
            read_svg(make(int(count * step)), size)
            count = int(count * step)
            if count > 1 << 22:
                break
        except ValueError as error:
            reason = str(error).partition(";")[0][:60]
            step = math.sqrt(step)
    return count, reason


def measure(svg: bytes, size: int) -> tuple[float, float]:
    started = time.process_time()
    read_svg(svg, size).draw()
    seconds = time.process_time() - started
    # Unlike getrusage(), not that of the process that started this one.
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return seconds, int(peak) / 1024


def points(count: int, reach: float = 1000.0) -> Iterator[tuple[float, float]]:
    for _ in range(count):
        yield random_number.random() * reach, random_number.random() * reach


def drawing(body: Iterator[str] | str, head: str = "") -> bytes:
    return f"{OPEN}{head}{''.join(body)}</svg>".encode()


def strokes(count: int, length: float, form: str) -> Iterator[str]:
    for x, y in points(count):
        angle = random_number.random() * 7
        yield form % (x, y, x + length * math.cos(angle), y + length * math.sin(angle))


def walk(count: int, step: float, mark: str = "L") -> str:
    x = y = 500.0
    data = ["M500 500"]
    for _ in range(count):
        x = min(max(x + random_number.gauss(0, step), 0.0), 1000.0)
        y = min(max(y + random_number.gauss(0, step), 0.0), 1000.0)
        data.append(f"{mark}{x:.2f} {y:.2f}")
    return "".join(data)


def blob(radius: float, sides: int, is_relative: bool) -> str:
    around = [
        (radius * random_number.uniform(0.8, 1.2), i / sides * 2 * math.pi) for i in range(sides)
    ]
    corners = [(r * math.cos(angle), r * math.sin(angle)) for r, angle in around]
    data, here = ["C" if not is_relative else "c"], (0.0, 0.0)
    for x, y in corners:
        start = here if is_relative else (0.0, 0.0)
        third = [(here[0] + (x - here[0]) * k - start[0]) for k in (0.3, 0.7)]
        high = [(here[1] + (y - here[1]) * k - start[1]) for k in (0.4, 0.6)]
        data.append(
            f"{third[0]:.1f} {high[0]:.1f} {third[1]:.1f} {high[1]:.1f} "
            f"{x - start[0]:.1f} {y - start[1]:.1f}"
        )
        here = (x, y)
    return " ".join(data) + "z"


def potrace(count: int) -> bytes:
    data = "".join(f"M{x:.0f} {y:.0f}{blob(90, 25, True)}" for x, y in points(count, 10_000))
    return drawing(f'<g transform="translate(0,1000) scale(0.1,-0.1)"><path d="{data}"/></g>')


def vtracer(count: int) -> bytes:
    form = '<path d="M0 0 %s" fill="#%06x" transform="translate(%d,%d)"/>'
    return drawing(
        form
        % (blob(random_number.random() * 90, 20, False), random_number.randrange(1 << 24), x, y)
        for x, y in points(count)
    )


def repeated(form: str, head: str = "") -> Callable[[int], bytes]:
    return lambda count: drawing((form % point for point in points(count)), head)


LINE = '<path d="M%.2f %.2fL%.2f %.2f" {}/>'
CLIP = (
    '<clipPath id="c"><circle cx="300" cy="500" r="300"/><circle cx="700" cy="500" r="300"/>'
    "</clipPath>"
)
MASK = '<mask id="m"><circle cx="500" cy="500" r="500" fill="#999"/></mask>'
LINEAR = (
    '<linearGradient id="g"><stop offset="0"/><stop offset="1" stop-color="red"/></linearGradient>'
)
RADIAL = LINEAR.replace("linear", "radial")
PATTERN = (
    '<pattern id="g" width="9" height="9" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(30)"><path d="M0 0L9 9" stroke="#000"/></pattern>'
)
WHOLE = '<path fill="url(#g)" d="M0 0H1000V1000H0L%.1f %.1f"/>'
KINDS: dict[str, Callable[[int], bytes]] = {
    "hatching": lambda n: drawing(strokes(n, 15, LINE.format(PEN))),
    "hatching, by CSS": lambda n: drawing(
        strokes(n, 15, LINE.format('class="a"')),
        "<style>path{fill:none} svg .a{stroke:#000}</style>",
    ),
    "hatching, lines": lambda n: drawing(
        strokes(n, 15, f'<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" {PEN}/>')
    ),
    "hatching, dashed": lambda n: drawing(
        strokes(n, 15, LINE.format(PEN + ' stroke-dasharray="2"'))
    ),
    "hatching, one path": lambda n: drawing(
        f'<path {PEN} d="{"".join(strokes(n, 15, "M%.1f %.1fL%.1f %.1f"))}"/>'
    ),
    "hatching, relative": lambda n: drawing(
        f'<path {PEN} d="{"".join(f"m{x / 99:.1f} {y / 99:.1f}l2 3" for x, y in points(n))}"/>'
    ),
    "hatching, translucent": lambda n: drawing(
        f'<path {PEN} opacity=".5" d="{"".join(strokes(n, 15, "M%.1f %.1fL%.1f %.1f"))}"/>'
    ),
    "long lines": lambda n: drawing(strokes(n, 900, LINE.format(PEN))),
    "long lines, one path": lambda n: drawing(
        f'<path {PEN} d="{"".join(strokes(n, 900, "M%.1f %.1fL%.1f %.1f"))}"/>'
    ),
    "long dashed lines": lambda n: drawing(
        strokes(n, 900, LINE.format(PEN + ' stroke-dasharray="1"'))
    ),
    "wide lines": lambda n: drawing(
        strokes(n, 900, LINE.format('stroke="#000" stroke-width="300"'))
    ),
    "dots": repeated('<circle cx="%.1f" cy="%.1f" r="1"/>'),
    "dots, by CSS": repeated(
        '<circle cx="%.1f" cy="%.1f" r="1"/>', "<style>circle{fill:red}</style>"
    ),
    "potrace": potrace,
    "vtracer": vtracer,
    "scribble": lambda n: drawing(f'<path {PEN} d="{walk(n, 3)}"/>'),
    "scribble, round": lambda n: drawing(
        f'<path {PEN} stroke-linejoin="round" stroke-linecap="round" d="{walk(n, 30)}"/>'
    ),
    "wild scribble": lambda n: drawing(f'<path {PEN} d="{walk(n, 900)}"/>'),
    "wild scribble, wide": lambda n: drawing(
        f'<path {PEN.replace("0.7", "90")} stroke-linejoin="round" d="{walk(n, 900)}"/>'
    ),
    "scribble in a spot": lambda n: drawing(
        f'<path {PEN} d="M{" ".join(f"{point[0]:.3f} {point[1]:.3f}" for point in points(n, 4))}"/>'
    ),
    "filled scribble": lambda n: drawing(f'<path d="{walk(n, 30)}"/>'),
    "wild filled scribble": lambda n: drawing(f'<path d="{walk(n, 900)}"/>'),
    "filled scribble in a spot": lambda n: drawing(
        f'<path d="M{" ".join(f"{point[0]:.3f} {point[1]:.3f}" for point in points(n, 4))}"/>'
    ),
    "arcs": repeated(f'<path d="M%.1f %.1fa400 400 0 1 1 9 9z" {PEN}/>'),
    "arcs, one path": lambda n: drawing(
        f'<path {PEN} d="{"".join(f"M{x:.0f} {y:.0f}a400 300 9 1 1 9 9z" for x, y in points(n))}"/>'
    ),
    "whole pages": repeated('<path fill-opacity=".1" d="M0 0H1000V1000H0L%.1f %.1f"/>'),
    "linear gradients": repeated(WHOLE, LINEAR),
    "radial gradients": repeated(WHOLE, RADIAL),
    "patterns": repeated(WHOLE, PATTERN),
    "translucent groups": repeated(
        '<g opacity=".9"><path d="M0 0H1000V1000H0z"/><path d="M%.1f %.1fL0 9L9 0"/></g>'
    ),
    "nested groups": lambda n: drawing(
        '<g opacity=".99"><path d="M0 0H1000V1000H0"/>' * n + "</g>" * n
    ),
    "clips": repeated('<path clip-path="url(#c)" d="M0 0H1000V1000H0L%.1f %.1f"/>', CLIP),
    "small clips": repeated('<path clip-path="url(#c)" d="M%.1f %.1fh9v9z"/>', CLIP),
    "masks": repeated('<path mask="url(#m)" d="M0 0H1000V1000H0L%.1f %.1f"/>', MASK),
    "copies": repeated(
        '<use href="#a" x="%.1f" y="%.1f"/>', f'<g id="a"><path d="M0 0h9v9" {PEN}/></g>'
    ),
}

if __name__ == "__main__":
    main(tyro.cli(LimitsBenchmark, description=__doc__))

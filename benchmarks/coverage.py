#!/usr/bin/env python
"""How many drawings of other people go in, and how many of these are drawn right.

Each file is read as a manifest's sketch is, and drawn on white; resvg, which shares no code with
ours, draws the same, without the text, images and filters that ours leaves out.

    pip install resvg_py
    python benchmarks/coverage.py path/to/icons path/to/clipart --sheet worst.png

Prints a line for each folder, the reasons for which drawings are refused, and the worst drawings.
"""

import functools
import gzip
import io
import os
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import resvg_py
import tyro
from PIL import Image, ImageDraw, ImageFont

from flipsketch.corpus.reasons import reason_of
from flipsketch.media.contact_sheet import GAP, INK, PAPER, TEXT_HEIGHT, stack
from flipsketch.media.sketch import read_content, read_sketch
from flipsketch.svg.reader import centre_on_white, read_svg
from pipelines.execution.isolated import Lost, call_isolated

# What sketches are drawn without; a note says so.
WITHOUT = "* {filter: none !important} text, image, foreignObject {display: none !important}"
ROOT = re.compile(r"""(<(?:\w+:)?svg(?=[\s>]))(?:[^>"']|"[^"]*"|'[^']*')*>""")
ATTRIBUTE = re.compile(r"""\s([\w:]+)\s*=\s*["']([^"']*)["']""")
PIXELS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
NUM_REASONS = 25
FLAT = 4.0
"""Deviation of levels, of 255, in what is a page of one colour and its smoothed edges."""
LIMIT_S = 60.0
"""Of a drawing, by both."""


@dataclass(frozen=True, kw_only=True)
class CoverageConfig:
    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of SVG files, each a line of the table; files in folders below count too."""
    size: int = 256
    """Pixels."""
    tolerance: float = 2.0
    """Mean absolute difference up to which a drawing is right, in percent of white."""
    sheet: Path | None = None
    """PNG of the worst drawings: by resvg, by ours, their difference."""
    num_worst: int = 20
    """Drawings on the sheet."""
    workers: int = os.cpu_count() or 1
    """Processes."""


@dataclass(frozen=True)
class Case:
    path: Path
    error: str | None
    """Why it is refused."""
    difference: float | None
    """Mean absolute difference in percent of white; None if either of the two did not draw."""
    seconds: float
    """Of reading and drawing."""
    has_ink: bool
    """Whether resvg draws something."""


def main(config: CoverageConfig) -> None:
    print("| folder | drawings | accepted | right of these | not compared | slowest s |")
    print("|---|---|---|---|---|---|")
    all_cases: list[Case] = []
    for folder in config.folders:
        paths = [path for path in folder.rglob("*") if path.suffix.lower() in (".svg", ".svgz")]
        cases = examine_all(sorted(paths), config)
        print(table_line(folder.name, cases, config.tolerance), flush=True)
        all_cases += cases
    print(table_line("all", all_cases, config.tolerance))
    print_reasons(all_cases)
    judged = [case for case in all_cases if case.difference is not None]
    worst = sorted(judged, key=lambda case: -(case.difference or 0))[: config.num_worst]
    print("\n| difference % | drawing |\n|---|---|")
    for case in worst:
        print(f"| {case.difference:.2f} | {case.path} |")
    if config.sheet is not None and worst:
        stack([draw_case(case, config.size) for case in worst]).save(config.sheet)


def examine_all(paths: list[Path], config: CoverageConfig) -> list[Case]:
    call = functools.partial(examine, size=config.size)
    cases = call_isolated(call, paths, num_processes=config.workers, limit_s=LIMIT_S)
    return [
        Case(case.item, case.reason, None, LIMIT_S, True) if isinstance(case, Lost) else case
        for case in cases
    ]


def examine(path: Path, size: int) -> Case:
    content = read_content(path)
    reference = draw_reference(content, size)
    has_ink = reference is not None and shows_ink(reference)
    started = time.perf_counter()
    error = difference = None
    try:
        read_sketch(content, size)
    except ValueError as reason:
        error = str(reason)
    # A bug is no reason to look at no other file.
    except Exception as bug:
        error = f"{type(bug).__name__}: {bug}"
    seconds = time.perf_counter() - started
    if error is None and reference is not None:
        difference = float(np.abs(reference - draw_ours(content, size)).mean()) / 2.55
    return Case(path, error, difference, seconds, has_ink)


def draw_reference(content: bytes, size: int) -> np.ndarray | None:
    """Return what resvg draws, in signed integers; None if it draws nothing or there is no page."""
    svg = fit_into_square(decode(content), size)
    if svg is None:
        return None
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg,
            background="#ffffff",
            width=size,
            height=size,
            dpi=96,
            style_sheet=WITHOUT,
            skip_system_fonts=True,
        )
    except ValueError:
        return None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def decode(content: bytes) -> str:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    declared = re.match(rb"""<\?xml[^>]*encoding=["']([\w-]+)""", content)
    try:
        return content.decode("utf-8-sig" if declared is None else declared[1].decode())
    except (UnicodeDecodeError, LookupError):
        return content.decode("utf-8", "replace")


def fit_into_square(svg: str, size: int) -> str | None:
    """Return an SVG with its page within that of another, a square, where ours is drawn; None if
    its page has no size.

    resvg rounds the sides of a page to whole pixels, at its own size and at that which it draws,
    and stretches the drawing to fit: by half a pixel, and much more if it is small.
    """
    if not (root := ROOT.search(svg)):
        return None
    attributes = dict(ATTRIBUTE.findall(root[0]))
    sides = [read_side(attributes.get(name, "")) for name in ("width", "height")]
    box = [float(number) for number in re.findall(r"[-+.\de]+", attributes.get("viewBox", ""))]
    if not all(sides):
        sides = box[2:]
    if len(sides) != 2 or not all(sides):
        return None
    width, height = (side * size / max(sides) for side in sides)
    left, top = ((size - max(1, round(side))) // 2 for side in (width, height))
    place = f'x="{left}" y="{top}" width="{width}" height="{height}"'
    if not box:
        place += f' viewBox="0 0 {sides[0]} {sides[1]}"'
    kept = re.sub(r"""\s(?:x|y|width|height|overflow)\s*=\s*(?:"[^"]*"|'[^']*')""", " ", root[0])
    kept = re.sub(r"overflow\s*:\s*visible", "", kept)
    opening = f"{root[1]} {place} {kept.removeprefix(root[1])}"
    square = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}">'
    return f"{svg[: root.start()]}{square}{opening}{svg[root.end() :]}</svg>"


def read_side(text: str) -> float:
    """Return a length in pixels; 0 for what is none or depends on something else."""
    found = re.fullmatch(r"\s*(\d*\.?\d+(?:e[-+]?\d+)?)\s*([a-z]*)\s*", text)
    return float(found[1]) * PIXELS.get(found[2], 0.0) if found else 0.0


def shows_ink(pixels: np.ndarray) -> bool:
    """Tell whether there is more than an empty page or one of a single colour."""
    is_shown = (pixels < 255).any(axis=2)
    rows, columns = is_shown.any(axis=1), is_shown.any(axis=0)
    shown = pixels[rows][:, columns]
    is_page = rows.all() or columns.all()
    return bool(shown.size) and (not is_page or bool(shown.std(axis=(0, 1)).max() > FLAT))


def draw_ours(content: bytes, size: int) -> np.ndarray:
    """Return what is drawn before anything is done about its paper, in signed integers."""
    return centre_on_white(read_svg(content, size).draw(), size).astype(int)


def table_line(name: str, cases: list[Case], tolerance: float) -> str:
    """Shares are of the drawings in which resvg finds some ink."""
    drawn = [case for case in cases if case.has_ink]
    accepted = [case for case in drawn if case.error is None]
    right = [case for case in accepted if (case.difference or 0) <= tolerance]
    slowest = max((case.seconds for case in cases), default=0)
    shares = f"{share(len(accepted), len(drawn))} | {share(len(right), len(accepted))}"
    return f"| {name} | {len(drawn)} | {shares} | {len(cases) - len(drawn)} | {slowest:.2f} |"


def share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def print_reasons(cases: list[Case]) -> None:
    refused = [case for case in cases if case.error is not None and case.has_ink]
    counts = Counter(reason_of(case.error or "") for case in refused)
    print("\n| refused | reason | such as |\n|---|---|---|")
    for reason, count in counts.most_common(NUM_REASONS):
        example = next(case.path for case in refused if reason_of(case.error or "") == reason)
        print(f"| {count} | {reason} | {example} |")


def draw_case(case: Case, size: int) -> Image.Image:
    """Return a row of the sheet: by resvg, by ours, their difference."""
    content = read_content(case.path)
    reference, ours = draw_reference(content, size), draw_ours(content, size)
    assert reference is not None
    pictures = [reference, ours, 255 - np.abs(reference - ours)]
    row = Image.new("RGB", (3 * (size + GAP) + GAP, size + GAP + TEXT_HEIGHT), PAPER)
    for number, picture in enumerate(pictures):
        row.paste(Image.fromarray(picture.astype(np.uint8)), (GAP + number * (size + GAP), 0))
    text = f"{case.difference:.2f}% {case.path.name}"
    ImageDraw.Draw(row).text((GAP, size), text, INK, ImageFont.load_default(13))
    return row


if __name__ == "__main__":
    main(tyro.cli(CoverageConfig, description=__doc__))

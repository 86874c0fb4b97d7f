"""A sheet of sketches as the model will see them, each beside its original where that differs, and
below it why it would be refused, or what would be repaired."""

import io
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from flipsketch.media.contact_sheet import GAP, INK, PAPER, RULE, TEXT_HEIGHT, stack
from flipsketch.report.checked_sketch import CheckedSketch, Kind, Noun, Section
from flipsketch.storage.text import count, one_line

CELL = 128
PITCH = CELL + 4 * GAP
COLUMNS = 10
"""Of a sketch without its original, which takes two."""
MARGIN = 4 * GAP
SHEET_WIDTH = 2 * MARGIN + COLUMNS * PITCH - 4 * GAP
TITLE_SIZE, TEXT_SIZE = 17, 12
LETTER = 6.3
"""Mean width of a letter of the text, in pixels."""
MAX_NAME_LINES, MAX_SAID_LINES = 2, 6
COLOURS: dict[Kind, tuple[int, int, int]] = {
    "refused": (179, 38, 30),
    "repaired": (36, 87, 197),
    "clean": (95, 96, 102),
}
# Below what all readers of PNG take, whatever the sketches.
SKETCHES_PER_SHEET = 200


def draw_sheets(title: str, sections: list[Section], noun: Noun) -> Iterator[Image.Image]:
    """Yield sheets of sketches, as many as it takes; one without any sketch if there are none."""
    pages = list(split_pages(sections, SKETCHES_PER_SHEET)) or [[]]
    for number, page in enumerate(pages, 1):
        which = f" (sheet {number:,} of {len(pages):,})" if len(pages) > 1 else ""
        bands = [draw_title(f"{title}{which}", INK)]
        for section in page:
            head = "" if section.kind == "clean" else f"{section.kind}, "
            said = f"{head}{count(section.num_sketches, noun)}: {section.title}"
            bands += [draw_title(said, COLOURS[section.kind]), *draw_rows(section.shown)]
        yield stack([*bands, Image.new("RGB", (SHEET_WIDTH, MARGIN), PAPER)])


def split_pages(sections: list[Section], per_page: int) -> Iterator[list[Section]]:
    """Yield the sections of each page; one that does not fit goes on on the next."""
    page: list[Section] = []
    left = per_page
    for section in sections:
        shown = section.shown
        while shown:
            page.append(replace(section, shown=shown[:left]))
            shown, left = shown[left:], left - len(page[-1].shown)
            if left == 0:
                yield page
                page, left = [], per_page
    if page:
        yield page


def draw_rows(sketches: list[CheckedSketch]) -> Iterator[Image.Image]:
    """Yield a section's rows of cards, all of the width that its widest card needs."""
    width = 2 if any(sketch.error or sketch.original for sketch in sketches) else 1
    for row in batched(sketches, COLUMNS // width):
        top = CELL + 2 * GAP if any(sketch.original or sketch.picture for sketch in row) else 0
        cards = [draw_card(sketch, width, top) for sketch in row]
        band = Image.new("RGB", (SHEET_WIDTH, max(card.height for card in cards)), PAPER)
        for place, card in enumerate(cards):
            band.paste(card, (MARGIN + place * PITCH * width, 0))
        yield band


def batched(sketches: list[CheckedSketch], size: int) -> Iterator[list[CheckedSketch]]:
    for start in range(0, len(sketches), size):
        yield sketches[start : start + size]


def draw_card(sketch: CheckedSketch, width: int, top: int) -> Image.Image:
    """Return the pictures and the text of a sketch.

    Args:
        width: in columns.
        top: height of the pictures; 0 for none.
    """
    said = [sketch.error] if sketch.error else list(sketch.notes)
    num_letters = int((width * PITCH - 4 * GAP) / LETTER)
    lines = [(line, INK) for line in split_name(sketch.name, num_letters)]
    for text in said:
        own = wrap(text, num_letters, MAX_SAID_LINES)
        lines += [(line, COLOURS[sketch.kind]) for line in own]
    card = Image.new("RGB", (width * PITCH, top + TEXT_HEIGHT * len(lines) + 4 * GAP), PAPER)
    draw = ImageDraw.Draw(card)
    pictures = [sketch.picture]
    if sketch.original or (sketch.picture is None and width > 1):
        pictures.insert(0, sketch.original)
    for place, picture in enumerate(pictures if top else []):
        draw_picture(card, picture, place * PITCH)
        if place:
            draw_arrow(draw, place * PITCH - 2 * GAP, CELL // 2)
    font = ImageFont.load_default(TEXT_SIZE)
    for number, (line, colour) in enumerate(lines):
        draw.text((0, top + number * TEXT_HEIGHT), line, colour, font)
    return card


def draw_picture(card: Image.Image, picture: bytes | None, left: int) -> None:
    """Draw a picture in its frame, small ones with each pixel as large as the others; a frame that
    is crossed out where there is none."""
    draw = ImageDraw.Draw(card)
    if picture is None:
        draw.line([(left, 0), (left + CELL - 1, CELL - 1)], RULE)
        draw.line([(left, CELL - 1), (left + CELL - 1, 0)], RULE)
    else:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        times = CELL // max(image.size)
        if times >= 1:
            image = image.resize((image.width * times, image.height * times), Image.Resampling.BOX)
        else:
            image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
        card.paste(image, (left + (CELL - image.width) // 2, (CELL - image.height) // 2))
    draw.rectangle([left, 0, left + CELL - 1, CELL - 1], outline=RULE)


def draw_arrow(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.line([(x - GAP, y), (x + GAP, y)], INK)
    draw.line([(x + 1, y - 3), (x + GAP, y), (x + 1, y + 3)], INK)


def draw_title(text: str, colour: tuple[int, int, int]) -> Image.Image:
    lines = wrap(text, int((SHEET_WIDTH - 2 * MARGIN) / (LETTER * TITLE_SIZE / TEXT_SIZE)), 4)
    line_height = TITLE_SIZE + 2 * GAP
    band = Image.new("RGB", (SHEET_WIDTH, MARGIN + line_height * len(lines) + 2 * GAP), PAPER)
    draw = ImageDraw.Draw(band)
    font = ImageFont.load_default(TITLE_SIZE)
    for number, line in enumerate(lines):
        draw.text((MARGIN, MARGIN + number * line_height), line, colour, font)
    return band


def split_name(name: str, width: int) -> list[str]:
    """Return a name in lines of so many letters; of a long one the end, which tells files apart."""
    name, most = one_line(name), MAX_NAME_LINES * width
    name = name if len(name) <= most else f"...{name[3 - most :]}"
    return [name[start : start + width] for start in range(0, len(name), width)]


def wrap(text: str, width: int, most: int) -> list[str]:
    """Return text in at most so many lines of so many letters."""
    short = one_line(text, width * most)
    return textwrap.wrap(short, width, max_lines=most, placeholder=" ...") or [""]

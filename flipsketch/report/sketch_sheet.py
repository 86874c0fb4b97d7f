"""A sheet of sketches as the model will see them, each beside its original where that differs, and
below it why it would be refused, or what would be repaired."""

import io
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from flipsketch.corpus.collection import Noun
from flipsketch.media.contact_sheet import GAP, INK, PAPER, RULE, TEXT_HEIGHT, stack
from flipsketch.report.checked_sketch import CheckedSketch, Kind, Section
from flipsketch.storage.text import one_line

CELL = 128
SPACE = 4 * GAP
PITCH = CELL + SPACE
COLUMNS = 10
"""Of a sketch without its original, which takes two."""
MARGIN = SPACE
SHEET_WIDTH = 2 * MARGIN + COLUMNS * PITCH - SPACE
TITLE_SIZE, TEXT_SIZE = 17, 12
LETTER = 6.8
"""Mean width of a letter of the text, in pixels."""
MAX_NAME_LINES, MAX_SAID_LINES = 2, 9
Colour = tuple[int, int, int]
COLOURS: dict[Kind, Colour] = {
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
            said = section.describe(noun)
            bands += [draw_title(said, COLOURS[section.kind]), *draw_rows(section)]
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


def draw_rows(section: Section) -> Iterator[Image.Image]:
    """Yield a section's rows of cards, all of the width that its widest card needs."""
    width = 2 if any(sketch.error or sketch.original for sketch in section.shown) else 1
    for row in batched(section.shown, COLUMNS // width):
        cards = [draw_card(sketch, width * PITCH - SPACE, section.title) for sketch in row]
        band = Image.new("RGB", (SHEET_WIDTH, max(card.height for card in cards) + SPACE), PAPER)
        for place, card in enumerate(cards):
            band.paste(card, (MARGIN + place * PITCH * width, 0))
        yield band


def batched(sketches: list[CheckedSketch], size: int) -> Iterator[list[CheckedSketch]]:
    for start in range(0, len(sketches), size):
        yield sketches[start : start + size]


def draw_card(sketch: CheckedSketch, width: int, title: str) -> Image.Image:
    """Return the pictures of a sketch, and the text below them; of a refused one, which has one
    picture at most, beside it.

    Args:
        title: what the section says already.
    """
    pictures = [picture for picture in (sketch.original, sketch.picture) if picture]
    if not sketch.error:
        left, top = 0, CELL + 2 * GAP
    else:
        pictures = pictures[:1]
        left, top = PITCH * len(pictures), 0
    lines = write_lines(sketch, int((width - left) / LETTER), title)
    height = max(CELL * bool(pictures), top + TEXT_HEIGHT * len(lines))
    card = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(card)
    for place, picture in enumerate(pictures):
        draw_picture(card, picture, place * PITCH)
        if place:
            draw_arrow(draw, place * PITCH - SPACE // 2, CELL // 2)
    font = ImageFont.load_default(TEXT_SIZE)
    for number, (line, colour) in enumerate(lines):
        draw.text((left, top + number * TEXT_HEIGHT), line, colour, font)
    return card


def write_lines(sketch: CheckedSketch, width: int, title: str) -> list[tuple[str, Colour]]:
    """Return the lines below a sketch, of so many letters."""
    lines: list[tuple[str, Colour]] = [(line, INK) for line in split_name(sketch.name, width)]
    said = [sketch.error] if sketch.error else sketch.notes
    if ", ".join(said) != title:
        for text in said:
            lines += [(line, COLOURS[sketch.kind]) for line in wrap(text, width, MAX_SAID_LINES)]
    return lines


def draw_picture(card: Image.Image, picture: bytes, left: int) -> None:
    """Draw a picture in its frame, a small one with each pixel as large as the others."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if times := CELL // max(image.size):
        image = image.resize((image.width * times, image.height * times), Image.Resampling.BOX)
    else:
        image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    card.paste(image, (left + (CELL - image.width) // 2, (CELL - image.height) // 2))
    frame = [left, 0, left + CELL - 1, CELL - 1]
    ImageDraw.Draw(card).rectangle(frame, outline=RULE)


def draw_arrow(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.line([(x - GAP, y), (x + GAP, y)], INK)
    draw.line([(x + 1, y - 3), (x + GAP, y), (x + 1, y + 3)], INK)


def draw_title(text: str, colour: Colour) -> Image.Image:
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
    return textwrap.wrap(one_line(text), width, max_lines=most, placeholder=" ...") or [""]

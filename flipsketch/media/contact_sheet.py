"""A sheet of clips: for each the sketch, some frames beside it, the prompt below."""

import io
import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 96
GAP = 4
TEXT_HEIGHT = 16
FRAMES_SHOWN = 12
MAX_LINES = 6
INK, PAPER, RULE = (20, 20, 20), (255, 255, 255), (200, 200, 200)


def draw_strip(sketch: np.ndarray | None, frames: np.ndarray, prompts: list[str]) -> Image.Image:
    """Return the sketch, a rule, some frames beside it, and the prompt below."""
    shown = np.linspace(0, len(frames) - 1, min(len(frames), FRAMES_SHOWN)).round().astype(int)
    width = (1 + FRAMES_SHOWN) * (CELL + GAP) + 5 * GAP
    lines = wrap_prompts(prompts, width // 7)
    strip = Image.new("RGB", (width, CELL + 3 * GAP + TEXT_HEIGHT * len(lines)), PAPER)
    draw = ImageDraw.Draw(strip)
    if sketch is not None:
        strip.paste(
            Image.fromarray(sketch).resize((CELL, CELL), Image.Resampling.LANCZOS), (GAP, GAP)
        )
    draw.line([(CELL + 3 * GAP, GAP), (CELL + 3 * GAP, CELL + GAP)], fill=RULE)
    for place, frame in enumerate(frames[shown]):
        left = CELL + 5 * GAP + place * (CELL + GAP)
        cell = Image.fromarray(frame).resize((CELL, CELL), Image.Resampling.LANCZOS)
        strip.paste(cell, (left, GAP))
        draw.rectangle([left - 1, GAP - 1, left + CELL, GAP + CELL], outline=RULE)
    font = ImageFont.load_default(13)
    for number, line in enumerate(lines):
        draw.text((GAP, CELL + 2 * GAP + number * TEXT_HEIGHT), line, INK, font)
    return strip


def wrap_prompts(prompts: list[str], width: int) -> list[str]:
    """Return the prompts in a few lines of so many letters; of long ones the beginning."""
    # More than is shown need not be wrapped.
    text = " / ".join(prompts)[: 2 * MAX_LINES * width]
    text = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(text, width, max_lines=MAX_LINES, placeholder=" ...") or [""]


def stack(strips: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def encode_png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    grey = picture.convert("L")
    # A third of the size, of a picture without colours.
    is_grey = np.array_equal(np.asarray(grey.convert("RGB")), np.asarray(picture.convert("RGB")))
    (grey if is_grey else picture).save(content, "png", optimize=True)
    return content.getvalue()

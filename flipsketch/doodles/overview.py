"""A picture of all doodles: each subject's motions, a few frames each, and a prompt beside them."""

import io
import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from flipsketch.doodles.doodle import Look, make_doodle, render_doodle
from flipsketch.doodles.subjects.registry import SUBJECTS, motions_of

CELL, GAP, LABEL = 64, 3, 132
NUM_FRAMES, NUM_COLUMNS = 6, 3
INK, GREY, RULE = (20, 20, 20), (120, 120, 120), (215, 215, 215)


def encode_sheet(seed: int = 0, look: Look = "sketch") -> tuple[bytes, int]:
    """Return the picture as a PNG, and how many motions it shows."""
    pairs = [(subject, motion) for subject in SUBJECTS for motion in motions_of(subject)]
    num_rows = -(-len(pairs) // NUM_COLUMNS)
    width = LABEL + NUM_FRAMES * (CELL + GAP) + 4 * GAP
    sheet = Image.new("RGB", (NUM_COLUMNS * width, num_rows * (CELL + GAP) + GAP), "white")
    for number, (subject, motion) in enumerate(pairs):
        doodle = make_doodle(seed, number, subject=subject, motion=motion)
        frames = render_doodle(doodle, NUM_FRAMES, CELL, look)
        row = draw_row(subject, motion, doodle.prompt, frames, width)
        sheet.paste(row, (number // num_rows * width, GAP + number % num_rows * (CELL + GAP)))
    out = io.BytesIO()
    # Few greys are enough for lines, and make a third of the file.
    sheet.quantize(256 if look == "filled" else 16).save(out, "png", optimize=True)
    return out.getvalue(), len(pairs)


def draw_row(subject: str, motion: str, prompt: str, frames: np.ndarray, width: int) -> Image.Image:
    row = Image.new("RGB", (width, CELL + GAP), "white")
    draw = ImageDraw.Draw(row)
    draw.text((GAP, 0), f"{subject}: {motion}", INK, ImageFont.load_default(12))
    small = ImageFont.load_default(10)
    for line, text in enumerate(textwrap.wrap(prompt, 23)[:4]):
        draw.text((GAP, 17 + 11 * line), text, GREY, small)
    for number, frame in enumerate(frames):
        left = LABEL + number * (CELL + GAP)
        row.paste(Image.fromarray(frame), (left, 0))
        draw.rectangle([left - 1, -1, left + CELL, CELL], outline=RULE)
    return row

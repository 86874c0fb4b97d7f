"""What is taken for a small drawing at a glance is small when every line is measured."""

import random

import pytest

from flipsketch.svg.limits import FarAway, check_work, is_small
from flipsketch.svg.reader import read_drawing
from flipsketch.svg.work import SHORT_LENGTH, find_lines

SIZE = 64


def drawing(number: random.Random) -> bytes:
    paths = []
    for _ in range(number.randint(1, 40)):
        x, y, step = number.uniform(0, 90), number.uniform(0, 90), number.choice([1, 10, 90])
        data = "".join(
            f"L{x + number.uniform(-step, step):.1f} {y + number.uniform(-step, step):.1f}"
            for _ in range(number.randint(1, 60))
        )
        moved = number.choice(["", "scale(1 -1)", "rotate(40)", "skewX(50)", "translate(-50 9)"])
        pen = f'stroke="#000" stroke-width="{number.choice([0.1, 1, 30])}"'
        paths.append(f'<path transform="{moved}" d="M{x:.1f} {y:.1f}{data}Z" {pen}/>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
    return f"{head}{''.join(paths)}</svg>".encode()


def test_no_long_drawing_is_small():
    number = random.Random(0)
    counts = {True: 0, False: 0}
    for _ in range(150):
        shapes = read_drawing(drawing(number), SIZE).shapes
        lines = find_lines(shapes)
        length = lines.lengths.sum() + lines.pens[lines.owners].sum()
        found = is_small(shapes, SIZE)
        assert not found or length <= SHORT_LENGTH * SIZE
        counts[found] += 1
    assert min(counts.values()) > 20


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1, 0, -2e6), (1, 0, 0, float("nan"), 0, 0)])
def test_nothing_far_away_is_small(matrix):
    (shape,) = read_drawing(
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M1 1L9 9"/></svg>',
        SIZE,
    ).shapes
    assert is_small([shape], SIZE)
    far = [shape._replace(matrix=matrix)]
    assert not is_small(far, SIZE)
    with pytest.raises(FarAway):
        check_work(far, SIZE)

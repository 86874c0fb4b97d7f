import io

import numpy as np
from PIL import Image

from flipsketch.report.checked_sketch import KINDS, Check, CheckedSketch
from flipsketch.report.sketch_sheet import CELL, draw_sheets, split_pages

RED, GREEN = (250, 10, 20), (10, 250, 20)


def png(colour) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


def check_of(*sketches: CheckedSketch) -> Check:
    check = Check("file", num_shown=100)
    for sketch in sketches:
        check.add(sketch)
    return check


def test_a_sheet_shows_a_sketch_as_the_model_sees_it_beside_its_original():
    sketch = CheckedSketch(1, "1", "a.png", ("whitened the paper: (9, 9, 9)",))
    clean = CheckedSketch(2, "2", "b.png", picture=png(RED))
    both = CheckedSketch(**{**vars(sketch), "picture": png(GREEN), "original": png(RED)})
    (sheet,) = draw_sheets("", check_of(clean, both).sections(KINDS), "file")
    pixels = np.asarray(sheet)
    # All but their frames.
    inner = (CELL - 2) ** 2
    assert (pixels == RED).all(-1).sum() == 2 * inner
    assert (pixels == GREEN).all(-1).sum() == inner
    rows, columns = np.nonzero((pixels == RED).all(-1))
    assert columns[rows == rows.min()].max() < np.nonzero((pixels == GREEN).all(-1))[1].min()


def test_sections_come_by_kind_and_frequency_and_go_on_on_the_next_page():
    errors = ["is blank"] * 3 + ["is HTML"] * 4 + ["a", "b"]
    sketches = [CheckedSketch(n, str(n), None, error=error) for n, error in enumerate(errors, 1)]
    notes = [CheckedSketch(n, str(n), None, (f"left out text: {n}",)) for n in (10, 11, 12)]
    clean = CheckedSketch(13, "13", None)
    sections = check_of(clean, *notes, *sketches).sections(KINDS)
    found = [(section.kind, section.num_sketches) for section in sections]
    assert found == [
        *(("refused", 4), ("refused", 3), ("refused", 2)),
        *(("repaired", 3), ("clean", 1)),
    ]
    pages = list(split_pages(sections, 6))
    assert [[len(part.shown) for part in page] for page in pages] == [[4, 2], [1, 2, 3], [1]]
    # Of all of a section, also where it goes on.
    assert pages[1][0].num_sketches == 3

"""The doodles job: animations, a manifest of sketches, or a contact sheet."""

import numpy as np
import pytest
from PIL import Image

from flipsketch.corpus.manifest import parse_rows
from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.doodles.subjects.registry import SUBJECTS, motions_of
from flipsketch.doodles.writer import DrawingConfig
from flipsketch.media.sketch import load_sketch
from pipelines.doodles import DoodlesConfig, make_doodles


def test_a_second_run_writes_what_is_missing(tmp_path, caplog):
    caplog.set_level("INFO")
    four, six = (DrawingConfig(num_animations=number, num_frames=3) for number in (4, 6))
    assert make_doodles(DoodlesConfig(output=str(tmp_path), drawing=four)) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.svg")}
    assert make_doodles(DoodlesConfig(output=str(tmp_path), drawing=six, workers=2)) == 0
    assert "wrote 2 animations" in caplog.text and "4 existed" in caplog.text
    assert len(list(tmp_path.iterdir())) == 6
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


@pytest.mark.slow
def test_a_sheet_shows_every_motion(tmp_path, caplog):
    caplog.set_level("INFO")
    num_motions = sum(len(motions_of(subject)) for subject in SUBJECTS)
    path = tmp_path / "made" / "sheet.png"
    assert make_doodles(DoodlesConfig(contact_sheet=str(path))) == 0
    assert f"showed {num_motions} motions" in caplog.text
    assert path.stat().st_size < 1_500_000
    assert Image.open(path).width < 2000


def test_a_manifest_has_the_first_frames(tmp_path):
    path = tmp_path / "made" / "doodles.parquet"
    drawing = DrawingConfig(num_animations=4, seed=5, subjects=("cat", "star"))
    assert make_doodles(DoodlesConfig(manifest=str(path), drawing=drawing)) == 0
    rows = list(parse_rows(str(path)))
    assert [row.id.split("-")[1] for row in rows] == ["cat", "star", "cat", "star"]
    for index, row in enumerate(rows):
        doodle = make_doodle(5, index, subject=("cat", "star")[index % 2])
        assert row.prompts == (doodle.prompt,)
        drawn = render_doodle(doodle, 16, 64, "sketch")[0]
        np.testing.assert_array_equal(load_sketch(row.sketch, 64), drawn)


def test_a_job_without_an_output_says_so():
    with pytest.raises(ValueError, match="--output"):
        DoodlesConfig()

"""A corpus is read back clip by clip."""

import numpy as np
import pytest

from flipsketch import read_corpus
from flipsketch.media.sketch import load_sketch
from pipelines.animate import animate_manifest
from tests.helpers.corpora import SKETCHES, good_rows, make_manifest, read_rows


def test_the_good_clips_come_back_in_order_with_all_that_is_known(job, tmp_path):
    rows = good_rows(5)
    rows[1] |= {"sketch": "none.svg"}
    manifest = make_manifest(tmp_path, rows)
    assert animate_manifest(type(job)(**{**vars(job), "manifest": manifest})) == 1
    clips = list(read_corpus(job.output))
    assert [clip.row["id"] for clip in clips] == ["row 0", "row 2", "row 3", "row 4"]
    assert [clip.row for clip in clips] == [
        row for row in read_rows(job.output) if row["status"] == "ok"
    ]
    first = clips[0]
    assert first.prompt == "it moves, way 0" and first.frames.shape == (3, 16, 16, 3)
    assert first.frames.dtype == np.uint8
    drawn = load_sketch(SKETCHES / sorted(path.name for path in SKETCHES.glob("*.svg"))[0], 16)
    np.testing.assert_array_equal(first.sketch, drawn)


def test_a_folder_without_a_corpus_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="has no run.json, so it is not a corpus"):
        read_corpus(tmp_path)

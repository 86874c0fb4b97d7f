from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from flipsketch.media.contact_sheet import CELL, draw_strip
from pipelines.animate import animate_manifest
from pipelines.preview import PreviewConfig, write_preview
from tests.helpers.corpora import read_rows


@pytest.fixture
def corpus(job):
    animate_manifest(job)
    return job.output


def test_a_preview_shows_sketch_and_frames_of_each_clip(corpus, tmp_path):
    write_preview(PreviewConfig(corpus=corpus, output=str(tmp_path / "a.png")))
    six = np.asarray(Image.open(tmp_path / "a.png"))
    one_id = PreviewConfig(corpus=corpus, output=str(tmp_path / "b.png"), ids=("row 2",))
    write_preview(one_id)
    one = np.asarray(Image.open(tmp_path / "b.png"))
    assert six.shape[0] == 6 * one.shape[0] and six.shape[1] == one.shape[1]
    # The clip with this id is the third of six.
    np.testing.assert_array_equal(six[2 * len(one) : 3 * len(one)], one)
    # Ink in the sketch's cell, in the frames', and in the text's.
    for part in (one[:CELL, :CELL], one[:CELL, CELL + 20 : 2 * CELL], one[CELL + 10 :]):
        assert part.min() < 200 and part.max() == 255


def test_gifs_come_with_it_if_asked_for(corpus, tmp_path):
    config = PreviewConfig(
        corpus=corpus, output=str(tmp_path / "a.png"), num_clips=2, gifs=str(tmp_path / "gifs")
    )
    write_preview(config)
    gifs = list((tmp_path / "gifs").iterdir())
    assert len(gifs) == 2
    assert {gif.stem for gif in gifs} <= {row["key"] for row in read_rows(corpus)}
    assert Image.open(gifs[0]).n_frames == 3 and Image.open(gifs[0]).width >= 256


def test_a_corpus_whose_manifest_is_gone_still_shows_its_frames(job, corpus, tmp_path):
    moved = (tmp_path / "manifest.jsonl").rename(tmp_path / "moved.jsonl")
    config = PreviewConfig(corpus=corpus, output=str(tmp_path / "a.png"))
    write_preview(config)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert (picture[:CELL, :CELL] == 255).all()
    write_preview(replace(config, manifest=str(moved)))
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert (picture[:CELL, :CELL] < 200).any()


def test_what_is_not_there_is_said(corpus, tmp_path):
    with pytest.raises(ValueError, match="no clip of id 'none'"):
        write_preview(PreviewConfig(corpus=corpus, output="a.png", ids=("none",)))
    with pytest.raises(ValueError, match="no run.json"):
        write_preview(PreviewConfig(corpus=str(tmp_path / "other"), output="a.png"))


def test_a_prompt_of_a_megabyte_takes_a_few_lines():
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    short = draw_strip(None, frames, ["a cat"])
    long = draw_strip(None, frames, ["a cat \x1b[31m " * 80_000])
    assert short.height < long.height < 2.2 * short.height and long.width == short.width


def test_a_picture_shows_no_more_clips_than_fit():
    for more in ({"num_clips": 100_000}, {"ids": tuple(map(str, range(1_000)))}):
        with pytest.raises(ValueError, match="must be 1 to 300 clips"):
            PreviewConfig(corpus="a", output="a.png", **more)

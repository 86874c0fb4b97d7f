import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from flipsketch.media.contact_sheet import CELL, draw_strip, encode_png
from flipsketch.report.preview import join_films
from flipsketch.report.side_by_side import open_corpora
from pipelines.animate import animate_manifest
from pipelines.preview import PreviewConfig, write_preview
from tests.helpers.corpora import good_rows, make_job, make_manifest, read_rows


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


@pytest.fixture
def still(job) -> str:
    """The same manifest by another method."""
    still = replace(job, method="still", output=f"{job.output}-still")
    animate_manifest(still)
    return still.output


def test_corpora_of_one_manifest_are_shown_side_by_side(made, still, tmp_path):
    shown = {"ids": ("row 2", "row 4"), "gifs": str(tmp_path / "gifs")}
    output = str(tmp_path / "a.png")
    write_preview(PreviewConfig(corpus=made.output, versus=(still,), output=output, **shown))
    strips = np.split(np.asarray(Image.open(output)), 4)
    write_preview(PreviewConfig(corpus=still, output=output, ids=shown["ids"]))
    for strip, alone in zip(strips[1::2], np.split(np.asarray(Image.open(output)), 2), strict=True):
        # Below the first corpus's clip, beside which the sketch is.
        assert (strip[:CELL, :CELL] == 255).all()
        np.testing.assert_array_equal(strip[:CELL, CELL + 8 :], alone[:CELL, CELL + 8 :])
    for strip in strips[::2]:
        assert (strip[:CELL, :CELL] < 200).any()
    gif = Image.open(next((tmp_path / "gifs").iterdir()))
    assert gif.size == (512, 256) and gif.n_frames == 3


def test_corpora_are_named_after_what_tells_them_apart(made, still, tmp_path):
    assert [corpus.label for corpus in open_corpora(made.output, still)] == ["flipsketch", "still"]
    names = [corpus.label for corpus in open_corpora(made.output, f"{made.output}/../corpus-still")]
    assert names == ["flipsketch", "still"]
    copy = shutil.copytree(made.output, tmp_path / "copy")
    names = [corpus.label for corpus in open_corpora(made.output, str(copy))]
    assert names == ["corpus", "copy"]


def test_a_corpus_is_not_shown_beside_itself(made, tmp_path):
    (tmp_path / "link").symlink_to(made.output)
    for same in (made.output, f"{made.output}/", str(tmp_path / "link")):
        with pytest.raises(ValueError, match="is given twice"):
            open_corpora(made.output, same)


def test_corpora_of_two_manifests_are_not(made, still, tmp_path, tiny_folder):
    rows = [{**row, "prompt": "it rests"} for row in good_rows(2)]
    (tmp_path / "other").mkdir()
    other = replace(
        make_job(tiny_folder, tmp_path / "other"),
        manifest=make_manifest(tmp_path / "other", rows),
        method="still",
    )
    animate_manifest(other)
    config = PreviewConfig(corpus=made.output, versus=(other.output,), output="a.png")
    with pytest.raises(ValueError, match="its row 'row 0' has other prompts than the first"):
        write_preview(config)
    with pytest.raises(ValueError, match=f"{other.output}: has no clip of id 'row 3'"):
        write_preview(replace(config, ids=("row 3",)))


def test_a_picture_without_colours_is_grey():
    frames = np.full((2, 16, 16, 3), 255, np.uint8)
    frames[1, 4:8] = 90
    sheet = draw_strip(None, frames, ["a cat"])
    grey = Image.open(io.BytesIO(encode_png(sheet)))
    assert grey.mode == "L"
    np.testing.assert_array_equal(np.asarray(grey.convert("RGB")), np.asarray(sheet))
    frames[1, 4:8] = 90, 90, 91
    coloured = draw_strip(None, frames, ["a cat"])
    shown = Image.open(io.BytesIO(encode_png(coloured)))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(coloured))


def test_films_of_other_lengths_and_sizes_are_joined():
    dark, light = np.zeros((3, 64, 64, 3), np.uint8), np.full((6, 96, 96, 3), 255, np.uint8)
    light[5] = 9
    joined = join_films([dark, light])
    assert joined.shape == (6, 288, 256 + 288, 3)
    assert (joined[:, :256, :256] == 0).all() and (joined[:, 256:, :256] == 255).all()
    assert (joined[:5, :, 256:] == 255).all() and (joined[5, :, 256:] == 9).all()


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
    with pytest.raises(ValueError, match="must be 1 to 100 clips"):
        PreviewConfig(corpus="a", versus=("b", "c"), output="a.png", num_clips=101)

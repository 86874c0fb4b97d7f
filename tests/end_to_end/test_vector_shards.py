"""From a corpus of Live-Sketch to shards to train on, straight or through a folder of frames."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.animations.reader import RasterConfig
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.write_animations import WriteAnimationsConfig, write_animations
from tests.helpers.corpora import read_rows, read_tars, same_corpus
from tests.helpers.vector_corpora import (
    STEPS,
    change_first_svg,
    svg_frames,
    write_vector_corpus,
    write_vector_shard,
)

IDS = ["cat", "birds/crow", "ball", "a boat"]


@pytest.fixture
def corpus(tmp_path) -> str:
    return write_vector_corpus(str(tmp_path / "livesketch"), IDS)


@pytest.fixture
def job(corpus, tmp_path) -> RasterizeConfig:
    return RasterizeConfig(
        animations=corpus,
        output=str(tmp_path / "shards"),
        raster=RasterConfig(size=16),
        rows_per_shard=2,
        executor=ExecutorConfig(executor="local"),
    )


def same_shards(one: RasterizeConfig, other: RasterizeConfig) -> bool:
    tars = [read_tars(config.output, "shards") for config in (one, other)]
    return tars[0] == tars[1] and same_corpus(one.output, other.output)


def test_a_corpus_and_the_folder_written_of_it_give_the_same_shards(job, corpus, tmp_path):
    assert make_training_shards(job) == 0
    assert len(read_tars(job.output, "shards")) == 2
    rows = {row["prompt"]: row for row in read_rows(job.output)}
    assert [row["num_frames"] for row in rows.values()] == [4] * 4
    assert rows["it moves, way 3"]["id"] == "a boat"
    # The corpus's own, and what its rows come under beside: that of the model.
    assert {row["license"] for row in rows.values()} == {"cc0-1.0, cc-by-nc-4.0"}
    assert "license: cc0-1.0" in (Path(job.output) / "README.md").read_text()

    folder = tmp_path / "animations"
    writing = WriteAnimationsConfig(corpus=corpus, output=str(folder))
    assert write_animations(writing) == 0
    frames = sorted((folder / "ball" / "svg_logs" / f"svg_step{STEPS}").iterdir())
    assert [path.read_bytes() for path in frames] == svg_frames(2)
    assert (folder / "ball" / "prompt.txt").read_text() == "it moves, way 2\n"
    again = replace(job, animations=str(folder), output=str(tmp_path / "again"))
    assert make_training_shards(again) == 0
    assert same_shards(job, again)


def test_a_corpus_in_a_store_gives_the_same_shards_as_one_here(job, corpus, s3, tmp_path):
    s3.upload(Path(corpus), "vector/livesketch")
    there = s3.uri("vector/livesketch")
    folder = s3.uri("vector/animations")
    writing = WriteAnimationsConfig(corpus=there, output=folder)
    assert write_animations(writing) == 0
    # What a killed job leaves: frames without their prompt, which comes last.
    s3.client.delete_object(Bucket="bucket", Key="vector/animations/cat/prompt.txt")
    assert write_animations(writing) == 0
    assert make_training_shards(job) == 0
    for number, animations in enumerate((there, folder)):
        other = replace(job, animations=animations, output=str(tmp_path / f"out {number}"))
        assert make_training_shards(other) == 0
        assert same_shards(job, other)


def test_what_the_corpus_gains_is_added(job, corpus, caplog):
    for lost in ("clips/00001.tar", "metadata/00001.parquet"):
        (Path(corpus) / lost).unlink()
    with caplog.at_level(logging.WARNING):
        assert make_training_shards(job) == 0
    assert "left out: 2 rows not made yet" in caplog.text
    before = read_tars(job.output, "shards")
    write_vector_shard(corpus, 1, IDS)
    with pytest.raises(ValueError, match=r"2 more are there now \(a boat, ...\); add --extend"):
        make_training_shards(job)
    assert make_training_shards(replace(job, extend=True)) == 0
    assert before.items() < read_tars(job.output, "shards").items()
    assert [row["status"] for row in read_rows(job.output)] == ["ok"] * 4


def test_one_bad_sample_costs_no_other_and_writing_goes_on_where_it_was(tmp_path, caplog):
    corpus = write_vector_corpus(str(tmp_path / "livesketch"), IDS, without_svg=(2,))
    folder = tmp_path / "animations"
    (folder / ".cat" / "svg_logs").mkdir(parents=True)
    writing = WriteAnimationsConfig(corpus=corpus, output=str(folder))
    assert write_animations(writing) == 1
    assert "ball: not written: the sample" in caplog.text
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 3 and "cat" in names and "ball" not in names
    shutil.rmtree(folder / "cat")
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("frame*")}
    assert write_animations(writing) == 1
    assert (folder / "cat" / "prompt.txt").exists()
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    # Another animation of that name is left as it is.
    (folder / "cat" / "prompt.txt").write_text("it sleeps")
    assert write_animations(writing) == 1
    assert "cat: not written" in caplog.text
    assert (folder / "cat" / "prompt.txt").read_text() == "it sleeps"


def test_a_step_of_a_corpus_is_refused_at_once(job):
    for dry_run in (True, False):
        steps = replace(job, raster=RasterConfig(size=16, step=STEPS), dry_run=dry_run)
        with pytest.raises(ValueError, match="holds one step of each animation; leave out --step"):
            make_training_shards(steps)
    assert not Path(job.output).exists()


def test_a_changed_svg_costs_no_other(job, corpus, tmp_path, caplog):
    change_first_svg(Path(corpus) / "clips" / "00001.tar")
    assert make_training_shards(replace(job, max_failures="1")) == 0
    rows = {row["id"]: row for row in read_rows(job.output)}
    assert [row["status"] for row in rows.values()].count("ok") == 3
    assert "clips/00001.tar" in rows["ball"]["error"] and "delete the tar" in rows["ball"]["error"]
    writing = WriteAnimationsConfig(corpus=corpus, output=str(tmp_path / "animations"))
    assert write_animations(writing) == 1
    assert "ball: not written" in caplog.text
    assert len(list((tmp_path / "animations").iterdir())) == 3


def test_a_folder_that_is_a_runs_own_is_refused(corpus):
    for output in (corpus, f"{corpus}/animations"):
        with pytest.raises(ValueError, match="is the corpus itself, or in it"):
            write_animations(WriteAnimationsConfig(corpus=corpus, output=output))

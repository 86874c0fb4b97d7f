"""Curating a corpus of 108: what is kept, where it goes, and that no byte of it changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.shard import read_metadata, read_sample
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.sharding.state import read_status
from tests.helpers.corpora import SKETCHES, make_manifest, read_rows

LOCAL = ExecutorConfig(executor="local")
COLUMNS = ["key", "s2v_consistency", "motion"]


@pytest.fixture(scope="module")
def scored(tiny_folder, clip_folder, tmp_path_factory) -> str:
    """A corpus of 36 pairs of sketch and prompt, two of each sketch, three seeds of each."""
    folder = tmp_path_factory.mktemp("source")
    names = sorted(path.name for path in SKETCHES.glob("*.svg"))
    rows = [
        {
            "id": f"{pair} seed {seed}",
            "sketch": f"sketches/{names[pair % len(names)]}",
            "prompt": f"it moves, way {pair}",
            "seed": seed,
        }
        for pair in range(36)
        for seed in range(3)
    ]
    config = AnimateConfig(
        manifest=make_manifest(folder, rows),
        output=str(folder / "corpus"),
        model=str(tiny_folder),
        method="t2v",
        sampling=SamplingConfig(num_frames=2, num_inference_steps=1),
        batch_size=8,
        threads=1,
        executor=LOCAL,
    )
    assert animate_manifest(config) == 0
    scoring = EvaluateConfig(corpus=config.output, clip_model=str(clip_folder), executor=LOCAL)
    assert evaluate(scoring) == 0
    return config.output


def read_all_scores(corpus: str) -> dict[str, dict]:
    paths = sorted((Path(corpus) / "scores").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path, columns=COLUMNS).to_pylist()]
    return {row["key"]: row for row in rows}


def samples_of(corpus: str) -> dict:
    folder = open_folder(corpus)
    plan = read_plan(folder)
    return {
        row["key"]: read_sample(folder, shard, row)
        for shard in range(plan.num_shards)
        for row in read_metadata(folder, shard).to_pylist()
    }


@pytest.fixture
def config(scored, tmp_path):
    return CurateConfig(
        corpus=scored,
        output=str(tmp_path / "chosen"),
        keep=(),
        best_by="s2v_consistency",
        duplicate_cosine=None,
        splits=("train=0.6", "val=0.2", "test=0.2"),
        rows_per_shard=12,
    )


def test_the_best_of_three_seeds_is_more_consistent(config):
    assert curate(config) == 0
    before, after = read_all_scores(config.corpus), read_all_scores(config.output)
    assert len(before) == 108 and len(after) == 36
    groups: dict[str, list[float]] = {}
    for row in read_rows(config.corpus):
        groups.setdefault(row["prompt"], []).append(before[row["key"]]["s2v_consistency"])
    best = [max(group) for group in groups.values()]
    mean = np.mean([row["s2v_consistency"] for row in after.values()])
    assert mean == pytest.approx(np.mean(best))
    assert mean > np.mean([row["s2v_consistency"] for row in before.values()])


def test_no_sketch_is_in_two_splits_and_the_splits_have_their_shares(config):
    curate(config)
    splits: dict[str, set[str]] = {}
    rows = read_rows(config.output)
    for row in rows:
        splits.setdefault(row["sketch_sha256"], set()).add(row["split"])
    assert all(len(own) == 1 for own in splits.values()) and len(splits) == 18
    counts = {name: sum(row["split"] == name for row in rows) for name in ("train", "val", "test")}
    assert counts == read_plan(open_folder(config.output)).splits
    # Sketches have two clips each here, so both cuts of a split fall within one of their places.
    for name, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        assert abs(counts[name] - 36 * share) <= 2


def test_samples_are_copies_to_the_byte_and_datasets_opens_them_by_split(config):
    curate(config)
    before, after = samples_of(config.corpus), samples_of(config.output)
    assert len(after) == 36 and all(after[key] == before[key] for key in after)
    rows = read_rows(config.output)
    opened = load_dataset(config.output, cache_dir=str(Path(config.output).parent / "cache"))
    assert set(opened) == {"train", "val", "test"}
    for split, clips in opened.items():
        own = [row for row in rows if row["split"] == split]
        assert clips["__key__"][:] == [row["key"] for row in own]
        assert [clip["frames_sha256"] for clip in clips["json"]] == [
            row["frames_sha256"] for row in own
        ]


def test_what_comes_out_is_a_corpus_like_any_other(config, clip_folder, tmp_path):
    curate(config)
    folder = open_folder(config.output)
    status = read_status(folder, read_plan(folder), verify=True)
    assert (status.ok, status.missing, status.problems) == (36, 0, [])
    before = read_all_scores(config.output)
    scoring = EvaluateConfig(corpus=config.output, clip_model=str(clip_folder), executor=LOCAL)
    # It is scored already; scored again, with its own sketches, it gets the same scores.
    assert evaluate(scoring) == 0 and read_all_scores(config.output) == before
    assert evaluate(replace(scoring, overwrite=True)) == 0
    (Path(config.output) / "scores" / "00000.parquet").unlink()
    moved = Path(config.output).rename(tmp_path / "moved")
    assert evaluate(replace(scoring, corpus=str(moved))) == 0
    assert read_all_scores(str(moved)) == before
    again = replace(config, corpus=str(moved), output=str(tmp_path / "twice"))
    assert curate(again) == 0 and len(read_all_scores(again.output)) == 36


def test_the_card_has_the_scores_and_a_picture(config):
    curate(config)
    card = (Path(config.output) / "README.md").read_text()
    assert "| s2v_consistency |" in card and "![Some of the clips](sample.png)" in card
    assert "- split: val\n    path:\n    - clips/" in card
    assert (Path(config.output) / "sample.png").read_bytes().startswith(b"\x89PNG")


def test_conditions_and_near_duplicates_thin_it_out(config):
    motions = sorted(row["motion"] for row in read_all_scores(config.corpus).values())
    middle = motions[54]
    half = replace(config, best_by=None, keep=(f"motion>={middle!r}", "num_frames=2"))
    curate(half)
    assert sorted(row["motion"] for row in read_all_scores(half.output).values()) == [
        motion for motion in motions if motion >= middle
    ]
    few = replace(config, best_by=None, duplicate_cosine=0.5, overwrite=True)
    curate(few)
    assert 0 < len(read_all_scores(few.output)) < 54


def test_the_same_command_goes_on_where_it_was_ended(config):
    curate(config)
    output = Path(config.output)
    whole = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    (output / "metadata" / "00001.parquet").unlink()
    (output / "scores" / "00002.parquet").unlink()
    (output / "README.md").unlink()
    curate(config)
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == whole
    with pytest.raises(ValueError, match="best_by: 's2v_consistency' there, None now"):
        curate(replace(config, best_by=None))


def test_a_score_may_be_best_where_it_is_lowest(config):
    curate(replace(config, best_by="motion", best="lowest"))
    groups: dict[str, list[float]] = {}
    before = read_all_scores(config.corpus)
    for row in read_rows(config.corpus):
        groups.setdefault(row["prompt"], []).append(before[row["key"]]["motion"])
    after = [row["motion"] for row in read_all_scores(config.output).values()]
    assert sorted(after) == sorted(min(group) for group in groups.values())


def test_what_a_corpus_has_of_its_own_stays_with_its_clips(job, clip_folder, tmp_path):
    thin = b'<svg viewBox="0 0 64 64"><path d="M8 30H56" stroke="black" stroke-width="1"/></svg>'
    (tmp_path / "thin.svg").write_bytes(thin)
    rows = [
        {"id": "a", "sketch": "thin.svg", "prompt": "a line", "split": 7},
        {"id": "b", "sketch": "gone.svg", "prompt": "a line", "split": 8},
        # Animated is the first of those of one id.
        {"id": "a", "sketch": "sketches/cat.svg", "prompt": "a cat", "split": 9},
    ]
    sampling = replace(job.sampling, darken_sketch=True, binarize=False)
    job = replace(job, manifest=make_manifest(tmp_path, rows), method="still", sampling=sampling)
    animate_manifest(replace(job, max_failures="2", rows_per_shard=1))
    scoring = EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=LOCAL)
    evaluate(scoring)
    moved = (tmp_path / "manifest.jsonl").rename(tmp_path / "moved.jsonl")
    chosen = CurateConfig(corpus=job.output, output=str(tmp_path / "chosen"), keep=())
    with pytest.raises(ValueError, match="cannot be read.*pass --manifest"):
        curate(chosen)
    curate(replace(chosen, manifest=str(moved)))
    [row] = read_rows(chosen.output)
    assert (row["id"], row["split"], row["manifest_split"]) == ("a", "train", 7)
    # Scored again, its sketch is read as its run read it.
    (Path(chosen.output) / "scores" / "00000.parquet").unlink()
    evaluate(replace(scoring, corpus=chosen.output))
    [scores] = pq.read_table(Path(chosen.output) / "scores" / "00000.parquet").to_pylist()
    assert scores["first_iou"] == 1 and scores["ink_mean"] > 0


def test_clips_that_could_not_be_scored_are_left_out(job, clip_folder, tmp_path, caplog):
    names = ["a.svg", "b.svg", "c.svg"]
    for name in names:
        (tmp_path / name).write_bytes((SKETCHES / "cat.svg").read_bytes())
    rows = [{"id": name, "sketch": name, "prompt": f"it moves as {name}"} for name in names]
    job = replace(job, manifest=make_manifest(tmp_path, rows), rows_per_shard=1)
    animate_manifest(job)
    (tmp_path / "b.svg").unlink()
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=LOCAL))
    output = str(tmp_path / "chosen")
    curate(CurateConfig(corpus=job.output, output=output, keep=(), duplicate_cosine=None))
    assert sorted(row["id"] for row in read_rows(output)) == ["a.svg", "c.svg"]
    assert "shard 00001: 1 clips could not be scored" in caplog.text


def test_what_cannot_be_chosen_from_is_refused(config, job, tmp_path):
    with pytest.raises(ValueError, match="no clip is left of 108"):
        curate(replace(config, keep=("motion>2",)))
    with pytest.raises(ValueError, match="there is no score beauty"):
        curate(replace(config, best_by="beauty"))
    with pytest.raises(ValueError, match="no corpus of clips"):
        curate(replace(config, corpus=str(tmp_path)))
    with pytest.raises(ValueError, match="is the corpus itself"):
        curate(replace(config, output=config.corpus))
    animate_manifest(job)
    with pytest.raises(ValueError, match="has no scores; run jobs/evaluate.py --corpus"):
        curate(replace(config, corpus=job.output))
    assert not Path(config.output).exists()

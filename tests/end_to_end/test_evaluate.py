"""Evaluating a corpus: scores beside it, joined by key, whatever was interrupted or is bad."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from flipsketch.corpus.shard import read_metadata, read_sample
from flipsketch.media.clip import decode_filmstrip
from flipsketch.media.sketch import load_sketch
from flipsketch.scoring.clip_model import ClipScorer, XClipScorer
from flipsketch.scoring.duplicates import find_duplicates
from flipsketch.scoring.scores import PIXEL_COLUMNS
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import SKETCHES, good_rows, make_manifest, run_child


@pytest.fixture
def config(job, clip_folder):
    """A corpus of three shards, in which one row has failed, to be scored."""
    rows = good_rows(6)
    rows[3]["sketch"] = "none.svg"
    folder = Path(job.output).parent
    (folder / "moving.svg").write_bytes((SKETCHES.parent / rows[4]["sketch"]).read_bytes())
    rows[4]["sketch"] = "moving.svg"
    manifest = make_manifest(folder, rows)
    animate_manifest(replace(job, manifest=manifest, max_failures="1"))
    local = ExecutorConfig(executor="local")
    return EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=local)


def read_all(corpus: str) -> list[dict]:
    paths = sorted((Path(corpus) / "scores").glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_every_clip_has_scores_and_they_are_those_of_its_own_frames(config, clip_folder):
    assert evaluate(config) == 0
    scores = {row["key"]: row for row in read_all(config.corpus)}
    folder, scorer = open_folder(config.corpus), ClipScorer(str(clip_folder))
    sketches = {row["id"]: row["sketch"] for row in good_rows(6)}
    clips = [
        (shard, row)
        for shard in range(3)
        for row in read_metadata(folder, shard).to_pylist()
        if row["status"] == "ok"
    ]
    assert {row["key"] for _, row in clips} == scores.keys() and len(scores) == 5
    # The cheap ones are in the metadata already.
    for column in pa.schema(PIXEL_COLUMNS).names:
        assert [row[column] for _, row in clips] == [scores[row["key"]][column] for _, row in clips]
    for shard, row in clips:
        frames = decode_filmstrip(read_sample(folder, shard, row).png, row["num_frames"])
        sketch = load_sketch(SKETCHES.parent / sketches[row["id"]], 16)
        own = scores[row["key"]]
        ink, drawn = (image @ [0.299, 0.587, 0.114] < 128 for image in (frames, sketch))
        assert own["ink_mean"] == pytest.approx(ink.mean())
        union = (ink[0] | drawn).sum()
        assert own["first_iou"] == pytest.approx((ink[0] & drawn).sum() / union if union else 1)
        cosines = scorer.embed_frames(frames) @ scorer.embed_frames(sketch[None])[0]
        assert own["s2v_consistency"] == pytest.approx(cosines.mean().item(), abs=1e-5)
        assert own["frame_consistency"] == pytest.approx(cosines.tolist(), abs=1e-5)
        text = scorer.embed_text(row["prompt"])
        expected = (scorer.embed_frames(frames) @ text).mean().item()
        assert own["t2v_alignment"] == pytest.approx(expected, abs=1e-5)
        assert own["clip_fingerprint"] == scorer.fingerprint and own["xclip_alignment"] is None


def test_clips_are_compared_with_their_sketches_as_their_run_read_them(job, clip_folder):
    thin = b'<svg viewBox="0 0 64 64"><path d="M8 30H56" stroke="black" stroke-width="1"/></svg>'
    folder = Path(job.output).parent
    (folder / "thin.svg").write_bytes(thin)
    rows = [{"id": "thin", "sketch": "thin.svg", "prompt": "a line"}]
    sampling = replace(job.sampling, darken_sketch=True, binarize=False)
    manifest = make_manifest(folder, rows)
    animate_manifest(replace(job, manifest=manifest, method="still", sampling=sampling))
    local = ExecutorConfig(executor="local")
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=local))
    [row] = read_all(job.output)
    assert row["ink_mean"] > 0 and row["first_iou"] == 1
    assert row["s2v_consistency"] == pytest.approx(1, abs=1e-5)


def test_the_whole_is_summed_up(config, capsys):
    evaluate(config)
    rows = read_all(config.corpus)
    folder = Path(config.corpus) / "scores"
    facts = json.loads((folder / "summary.json").read_text())
    values = np.array([row["motion"] for row in rows])
    assert facts["scores"]["motion"]["mean"] == pytest.approx(values.mean())
    error = values.std(ddof=1) / len(values) ** 0.5
    assert facts["scores"]["motion"]["standard_error"] == pytest.approx(error)
    assert facts["num_clips"] == 5 and facts["num_failed"] == 0
    assert facts["scorers"]["clip_model"] == config.clip_model
    assert "| motion |" in capsys.readouterr().out
    prompts = [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]
    assert [(entry["rows"], entry["clips"]) for entry in prompts] == [
        (1, int(number != 3)) for number in range(6)
    ]
    assert prompts[3]["s2v_consistency"] is None
    assert prompts[0]["s2v_consistency"] == pytest.approx(rows[0]["s2v_consistency"])


def test_x_clip_scores_come_with_its_weights(config, xclip_folder):
    evaluate(replace(config, xclip_model=str(xclip_folder)))
    folder, scorer = open_folder(config.corpus), XClipScorer(str(xclip_folder))
    row = read_metadata(folder, 0).to_pylist()[0]
    frames = decode_filmstrip(read_sample(folder, 0, row).png, row["num_frames"])
    own = read_all(config.corpus)[0]
    assert own["xclip_alignment"] == pytest.approx(scorer.align(frames, [row["prompt"]]), abs=1e-5)
    assert own["xclip_fingerprint"] == scorer.fingerprint
    summary = json.loads((Path(config.corpus) / "scores" / "summary.json").read_text())
    names = ("clip_model", "clip_fingerprint", "xclip_model", "xclip_fingerprint")
    assert summary["scorers"] == {name: own[name] for name in names}


def test_what_is_scored_is_not_scored_again_and_what_is_lost_is(config):
    evaluate(config)
    scores = Path(config.corpus) / "scores"
    before = {path.name: path.stat().st_mtime_ns for path in scores.glob("*.parquet")}
    content = (scores / "00001.parquet").read_bytes()
    (scores / "00001.parquet").write_bytes(content[:100])
    assert evaluate(config) == 0
    after = {path.name: path.stat().st_mtime_ns for path in scores.glob("*.parquet")}
    assert [name for name in before if before[name] != after[name]] == ["00001.parquet"]
    assert (scores / "00001.parquet").read_bytes() == content


def test_scores_of_another_scorer_are_not_mixed_in(config, clip_folder, tmp_path):
    evaluate(config)
    other = ClipScorer(str(clip_folder))
    for path in clip_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with torch.no_grad():
        other.clip.visual_projection.weight *= -1
    other.clip.save_pretrained(tmp_path)
    other_config = replace(config, clip_model=str(tmp_path))
    before = read_all(config.corpus)
    with pytest.raises(ValueError, match="do not mix.*--overwrite"):
        evaluate(other_config)
    assert read_all(config.corpus) == before
    assert evaluate(replace(other_config, overwrite=True)) == 0
    assert {row["clip_model"] for row in read_all(config.corpus)} == {str(tmp_path)}


def test_a_corpus_that_was_made_anew_is_scored_anew(config, job):
    evaluate(config)
    rows = [{**row, "seed": 7} for row in good_rows(6)]
    manifest = make_manifest(Path(job.output).parent, rows)
    animate_manifest(replace(job, manifest=manifest, overwrite=True))
    assert not (Path(job.output) / "scores").exists()
    assert evaluate(config) == 0
    assert len(read_all(config.corpus)) == 6


def test_a_clip_whose_sketch_is_gone_costs_no_other(config, tmp_path):
    (tmp_path / "moving.svg").unlink()
    assert evaluate(config) == 1
    rows = read_all(config.corpus)
    errors = {row["id"]: row["error"] for row in rows if row["error"]}
    assert errors.keys() == {"row 4"} and "moving.svg: expected a file" in errors["row 4"]
    assert all(row["motion"] is not None for row in rows if row["id"] != "row 4")

    # The same command tries it again.
    (tmp_path / "moving.svg").write_bytes(
        (SKETCHES.parent / good_rows(6)[4]["sketch"]).read_bytes()
    )
    assert evaluate(config) == 0
    assert [row["id"] for row in read_all(config.corpus) if row["error"]] == []


def test_a_sketch_that_has_changed_is_not_scored_against(config, tmp_path):
    (tmp_path / "moving.svg").write_bytes(
        (SKETCHES.parent / good_rows(6)[0]["sketch"]).read_bytes()
    )
    assert evaluate(config) == 1
    errors = {row["id"]: row["error"] for row in read_all(config.corpus) if row["error"]}
    assert errors.keys() == {"row 4"} and "has changed since its clip was made" in errors["row 4"]


def test_a_damaged_clip_costs_no_other(config):
    folder = open_folder(config.corpus)
    row = read_metadata(folder, 2).to_pylist()[0]
    tar = Path(config.corpus) / "clips" / "00002.tar"
    content = bytearray(tar.read_bytes())
    content[content.index(b"IDAT", row["tar_offset"]) + 1] ^= 1
    tar.write_bytes(content)
    assert evaluate(config) == 1
    assert [row["id"] for row in read_all(config.corpus) if row["error"]] == ["row 4"]


def test_a_manifest_that_is_gone_or_another_is_asked_for(config, tmp_path):
    manifest = tmp_path / "manifest.jsonl"
    moved = manifest.rename(tmp_path / "moved.jsonl")
    with pytest.raises(ValueError, match="cannot be read.*--manifest"):
        evaluate(config)
    make_manifest(tmp_path, good_rows(6))
    with pytest.raises(ValueError, match="its rows are not those of the corpus"):
        evaluate(config)
    assert evaluate(replace(config, manifest=str(moved))) == 0
    # One that has only gained rows still has the corpus's.
    more = tmp_path / "more.jsonl"
    more.write_text(moved.read_text() + '{"id": "new", "sketch": "a.svg", "prompt": "it moves"}\n')
    assert evaluate(replace(config, manifest=str(more))) == 0


def test_what_is_no_corpus_of_clips_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no corpus of clips"):
        evaluate(EvaluateConfig(corpus=str(tmp_path)))


def test_near_duplicates_are_found_once_each():
    random = np.random.default_rng(0)
    base = random.normal(size=(1500, 8))
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    copies = base[[3, 1200, 3]] + 1e-4
    features = np.concatenate([base, copies / np.linalg.norm(copies, axis=1, keepdims=True)])
    found = find_duplicates(features.astype(np.float16), 0.9999)
    assert found[1500:].tolist() == [3, 1200, 3]
    # As a loop over all pairs has it.
    expected = []
    for vector in features.astype(np.float16).astype(np.float32):
        alike = [
            number
            for number, original in enumerate(expected)
            if original < 0 and vector @ features[number] >= 0.9999
        ]
        expected.append(alike[0] if alike else -1)
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("harm", "codes", "reason"),
    [
        (lambda: sys.exit("a library leaves"), [1], "a library leaves"),
        (lambda: os._exit(9), [9, 9, 9, 9, 1], "scoring the row ended the process 3 times"),
    ],
)
def test_a_clip_that_does_harm_when_it_is_scored_costs_no_other(
    job, clip_folder, tmp_path, harm, codes, reason, monkeypatch
):
    odd = Image.new("RGB", (77, 33), "white")
    odd.paste("black", (5, 5, 72, 28))
    odd.save(tmp_path / "odd.png")
    rows = good_rows(6)
    rows[4]["sketch"] = "odd.png"
    animate_manifest(replace(job, manifest=make_manifest(tmp_path, rows)))
    local = ExecutorConfig(executor="local")
    config = EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=local)
    read_tags = PngImageFile.getexif
    # Children are forks, without the threads of this process.
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(
        PngImageFile,
        "getexif",
        lambda image: harm() if image.size == (77, 33) else read_tags(image),
    )
    found = []
    while not found or found[-1] == 9:
        found.append(run_child(config, pipeline=evaluate))
    assert found == codes
    errors = {row["id"]: row["error"] for row in read_all(config.corpus) if row["error"]}
    assert errors.keys() == {"row 4"} and reason in errors["row 4"]
    assert open_folder(config.corpus).list("_tmp") == []

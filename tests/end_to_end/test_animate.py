"""The job, end to end, mostly on the local executor: Ray runs the same makers (test_ray.py)."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
import webdataset
from PIL import Image

from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.corpus.plan import read_plan, write_plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.shard import committed_shards, read_sample
from flipsketch.media.clip import decode_filmstrip
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import LATER_FIELDS, SamplingConfig
from flipsketch.method.sampler import animate
from flipsketch.models.places import find_embedded
from flipsketch.models.registry import fingerprint_folder
from flipsketch.models.video_model import load_model
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.cli import run
from pipelines.execution.sources import SourcesConfig
from pipelines.makers.batches import split_batches
from pipelines.makers.row_settings import row_sampling
from pipelines.remake import RemakeConfig, remake
from pipelines.sharding.summary import exceeds, parse_max_failures
from tests.helpers.corpora import (
    QUICK,
    ROOT,
    SKETCHES,
    exit_code,
    flags,
    good_rows,
    make_manifest,
    read_rows,
    read_tars,
    same_corpus,
    start_child,
    wait_for,
)


def test_a_manifest_becomes_a_corpus(whole):
    folder = open_folder(whole.output)
    assert committed_shards(folder) == [0, 1, 2]
    rows = read_rows(whole.output)
    assert [row["id"] for row in rows] == [f"row {number}" for number in range(6)]
    for number, row in enumerate(rows):
        sample = read_sample(folder, number // 2, row)
        frames = decode_filmstrip(sample.png, row["num_frames"])
        assert frames.shape == (3, 16, 16, 3)
        assert sample.txt.decode() == row["prompt"]
        about = json.loads(sample.json)
        assert about["seed"] == row["seed"] and about["sketch_sha256"] == row["sketch_sha256"]
        assert about["reference_scale"] == 0.5 and about["align_steps"] == 0
        sketch = decode_filmstrip(sample.sketch, 1)[0]
        np.testing.assert_array_equal(sketch, load_sketch(SKETCHES.parent / row["sketch"], 16))
    assert {row["model_fingerprint"] for row in rows} != {None}
    assert not {"time", "host", "attempts", "seconds"} & set(about)


def test_the_clip_is_the_one_that_the_method_makes(job, tiny_model):
    torch.set_num_threads(1)
    animate_manifest(replace(job, batch_size=1))
    (row,) = [row for row in read_rows(job.output) if row["id"] == "row 3"]
    sketch = load_sketch(SKETCHES.parent / row["sketch"], 16)
    (clip,) = animate(tiny_model, [sketch], [row["prompt"]], [row["seed"]], QUICK)
    sample = read_sample(open_folder(job.output), 1, row)
    np.testing.assert_array_equal(decode_filmstrip(sample.png, 3), clip.frames)


@pytest.mark.parametrize("streaming", [True, False])
def test_the_corpus_opens_in_datasets(job, streaming, tmp_path):
    rows = good_rows(5)
    rows.insert(2, {**rows[0], "id": "long", "num_frames": 4, "negative_prompt": "grey"})
    rows[3] |= {"mood": "glad", "score": 0.5}
    animate_manifest(replace(job, manifest=make_manifest(tmp_path, rows)))
    clips = datasets.load_dataset(
        job.output, split="train", streaming=streaming, cache_dir=str(tmp_path / "cache")
    )
    seen = {clip["__key__"]: clip for clip in clips}
    assert set(seen) == {row["key"] for row in read_rows(job.output)}
    for row in read_rows(job.output):
        clip = seen[row["key"]]
        assert clip["txt"] == row["prompt"] and clip["json"]["id"] == row["id"]
        assert clip["png"].size == (16, 16 * row["num_frames"])
        assert clip["sketch.png"].size == (16, 16)
        assert (clip["json"]["mood"], clip["json"]["score"]) == (row["mood"], row["score"])


def test_the_corpus_opens_in_webdataset(whole):
    tars = sorted(str(path) for path in (Path(whole.output) / "clips").iterdir())
    samples = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [
        row["key"] for row in read_rows(whole.output)
    ]
    strip = np.asarray(Image.open(io.BytesIO(samples[0]["png"])))
    assert strip.reshape(3, 16, 16).dtype == np.uint8


def test_bad_rows_fail_with_a_reason_and_leave_other_rows_unaffected(job, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    (tmp_path / "bomb.svg").write_text('<!DOCTYPE a [<!ENTITY b "&b;&b;">]><svg>&b;</svg>')
    (tmp_path / "hostile.svg").write_text(
        '<svg width="9" height="9"><path d="M1 1h7"/><image href="/etc/passwd"/></svg>'
    )
    Image.new("1", (5000, 5000)).save(tmp_path / "huge.png")
    bad = {
        "missing file": {"sketch": "none.svg"},
        "not an image": {"sketch": "text.png"},
        "blank": {"sketch": "blank.png"},
        "bomb": {"sketch": "bomb.svg"},
        "hostile": {"sketch": "hostile.svg"},
        "huge": {"sketch": "huge.png"},
        "a folder": {"sketch": "."},
        "empty prompt": {"prompt": ""},
        "repeated": {"id": "row 0"},
        "no id": {"id": None},
    }
    good = good_rows(10)
    mixed, clean = [], []
    for number, (name, fields) in enumerate(bad.items()):
        mixed += [good[number], {**good[number], "id": name, **fields}]
        clean += [good[number], {**good[number], "id": name}]
    job = replace(job, manifest=make_manifest(tmp_path, mixed), rows_per_shard=4, batch_size=4)
    assert animate_manifest(job) == 1
    rows = read_rows(job.output)
    assert [row["status"] for row in rows] == ["ok", "failed"] * 10
    for row, name in zip(rows[1::2], bad, strict=True):
        assert row["error"] and row["num_frames"] is None, name
    reasons = [row["error"] for row in rows[1::2]]
    for word, reason in zip(
        [
            "none.svg",
            "text.png",
            "blank",
            "entities",
            "blank",
            "pixels",
            "folder",
            "prompt",
            "used",
            "id",
        ],
        reasons,
        strict=True,
    ):
        assert word in reason
    # Against the run in which every row is good: a bad row's place in its batch is kept.
    others = replace(job, manifest=make_manifest(tmp_path, clean), output=str(tmp_path / "clean"))
    assert animate_manifest(others) == 0
    hashes = [[row["frames_sha256"] for row in read_rows(o)] for o in (job.output, others.output)]
    assert hashes[0][::2] == hashes[1][::2]


def test_a_result_that_is_not_a_number_fails_its_row_alone(job, tiny_folder, tmp_path):
    poisoned = load_model(tiny_folder)
    token = poisoned.tokenizer.convert_tokens_to_ids("q")
    embedding = poisoned.text_encoder.get_input_embeddings()
    embedding.weight.data[token] = float("nan")
    model = tmp_path / "poisoned"
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        getattr(poisoned, part).save_pretrained(model / part)
    rows = good_rows(4)
    rows[1]["prompt"] = "a qat"
    job = replace(job, model=str(model), manifest=make_manifest(tmp_path, rows), batch_size=4)
    job = replace(job, rows_per_shard=4)
    assert animate_manifest(job) == 1
    assert [row["status"] for row in read_rows(job.output)] == ["ok", "failed", "ok", "ok"]
    assert "not finite" in read_rows(job.output)[1]["error"]


def test_a_shard_of_bad_rows_alone_still_opens_in_datasets(job, tmp_path):
    rows = good_rows(4)
    for row in rows[:2]:
        row["sketch"] = "none.svg"
    job = replace(job, manifest=make_manifest(tmp_path, rows), max_failures="50%")
    assert animate_manifest(job) == 0
    assert sorted(read_tars(job.output)) == ["00001.tar"]
    clips = datasets.load_dataset(job.output, split="train", streaming=True)
    assert len(list(clips)) == 2


def test_rows_say_their_own_settings(job, tmp_path):
    rows = good_rows(6)
    rows[0] |= {"seed": 5, "reference_scale": 2.0}
    rows[1] |= {"num_frames": 5}
    rows[2] |= {"align": True}
    rows[3] |= {"prompts": ["it jumps", "it sits"], "prompt": None}
    rows[4] |= {"negative_prompt": "grey", "mood": "glad"}
    job = replace(job, manifest=make_manifest(tmp_path, rows), rows_per_shard=6)
    job = replace(job, sampling=replace(QUICK, num_inference_steps=5))
    assert animate_manifest(job) == 0
    found = read_rows(job.output)
    assert (found[0]["seed"], found[0]["reference_scale"]) == (5, 2.0)
    assert [row["num_frames"] for row in found] == [3, 5, 3, 5, 3, 3]
    # Alignment is off in this job; the row that asks for it gets the default, 2/5 of 5 steps.
    assert [row["align_steps"] for row in found] == [0, 0, 2, 0, 0, 0]
    assert found[3]["prompts"] == ["it jumps", "it sits"]
    assert found[3]["prompt"] == "it jumps it sits"
    assert [row["negative_prompt"] for row in found][3:5] == ["", "grey"]
    assert [row["mood"] for row in found] == [None] * 4 + ["glad", None]


def test_doodle_is_animated_with_its_adapter_unless_the_user_says_none(job, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    manifest = make_manifest(tmp_path, good_rows(1))
    doodle = replace(job, model="doodle", manifest=manifest)
    bare = replace(doodle, lora="none", output=str(tmp_path / "bare"))
    assert animate_manifest(doodle) == animate_manifest(bare) == 0
    (adapted,), (plain,) = read_rows(doodle.output), read_rows(bare.output)
    own = fingerprint_folder(find_embedded("doodle-lora"))
    assert (adapted["lora_fingerprint"], plain["lora_fingerprint"]) == (own, None)
    assert adapted["frames_sha256"] != plain["frames_sha256"]
    assert "model doodle, adapter doodle-lora" in caplog.text
    assert "model doodle, adapter none" in caplog.text
    assert replace(doodle, method="still").adapter is None


def test_rows_that_differ_in_kind_are_batched_apart():
    rows = [Row(index=n, id=str(n), prompts=("a",)) for n in range(7)]
    rows[1] = replace(rows[1], num_frames=8)
    rows[2] = replace(rows[2], align=True)
    rows[3] = replace(rows[3], prompts=("a", "b"))
    rows[5] = replace(rows[5], reference_scale=3.0, negative_prompt="x", seed=9)
    config = SamplingConfig(num_frames=4, align_steps=0)
    samplings = {row.index: row_sampling(row, config, "flipsketch") for row in rows}
    batches = [[row.index for row in batch] for batch in split_batches(rows, samplings, 2)]
    assert batches == [[0, 4], [5, 6], [1], [2], [3]]


def test_another_rows_per_shard_gives_the_same_seeds_and_nearly_the_same_clips(job, whole):
    other = replace(job, rows_per_shard=3)
    animate_manifest(other)
    one, two = read_rows(whole.output), read_rows(other.output)
    assert [(row["key"], row["seed"]) for row in one] == [(row["key"], row["seed"]) for row in two]
    folders = open_folder(whole.output), open_folder(other.output)
    assert [len(committed_shards(folder)) for folder in folders] == [3, 2]
    for number in range(6):
        samples = (
            read_sample(folders[0], number // 2, one[number]),
            read_sample(folders[1], number // 3, two[number]),
        )
        frames, others = (decode_filmstrip(sample.png, 3) for sample in samples)
        # A batch of another size may round a pixel at the threshold the other way.
        assert (frames != others).mean() < 0.01


def test_a_second_run_makes_what_is_missing(made, whole):
    os.unlink(Path(made.output) / "metadata" / "00001.parquet")
    before = (Path(made.output) / "metadata" / "00000.parquet").stat().st_mtime_ns
    assert animate_manifest(made) == 0
    assert (Path(made.output) / "metadata" / "00000.parquet").stat().st_mtime_ns == before
    assert same_corpus(made.output, whole.output)


def test_a_resume_takes_what_was_chosen_for_the_user(job):
    first = replace(job, rows_per_shard=None, threads=None, dtype=None)
    animate_manifest(first)
    plan = json.loads((Path(job.output) / "run.json").read_text())
    assert plan["chosen"] == ["dtype", "kernels", "rows_per_shard", "threads"]
    # Named with the same value, or not named at all: the same plan.
    assert animate_manifest(replace(first, rows_per_shard=1)) == 0
    with pytest.raises(ValueError, match="rows_per_shard: 1 there, 4 now"):
        animate_manifest(replace(first, rows_per_shard=4))


def test_a_plan_that_names_no_kernels_has_the_plain_ones(job):
    """A run of an earlier version is finished with what it began with."""
    plain = replace(job, kernels="plain", output=f"{job.output}_plain")
    animate_manifest(plain)
    folder = open_folder(job.output)
    plan = read_plan(open_folder(plain.output))
    settings = {name: value for name, value in plan.settings.items() if name != "kernels"}
    folder.make()
    write_plan(folder, replace(plan, settings=settings))
    with pytest.raises(ValueError, match="kernels: None there, {.*} now"):
        animate_manifest(replace(job, kernels="fast"))
    assert animate_manifest(job) == 0
    assert animate_manifest(replace(job, kernels="plain")) == 0
    assert read_tars(job.output) == read_tars(plain.output)
    assert "kernels" not in read_plan(folder).settings


def test_fast_kernels_are_noted_and_kept(job):
    fast = replace(job, kernels="fast")
    assert animate_manifest(fast) == 0
    assert read_plan(open_folder(job.output)).kernels["temporal_convolution"] == "2d"
    os.unlink(Path(job.output) / "metadata" / "00001.parquet")
    before = read_tars(job.output)
    assert animate_manifest(job) == 0
    assert read_tars(job.output) == before
    with pytest.raises(ValueError, match="kernels: {.*} there"):
        animate_manifest(replace(job, kernels="plain"))


def test_a_changed_plan_is_refused_until_it_is_told_to_overwrite(made, tmp_path):
    before = read_tars(made.output)
    changed = replace(made, sampling=replace(QUICK, guidance_scale=2.0))
    with pytest.raises(ValueError, match="guidance_scale: 9.0 there, 2.0 now"):
        animate_manifest(changed)
    assert read_tars(made.output) == before
    make_manifest(tmp_path, good_rows(5))
    with pytest.raises(ValueError, match="manifest_fingerprint"):
        animate_manifest(made)
    assert animate_manifest(replace(changed, overwrite=True)) == 0
    assert len(read_rows(made.output)) == 5
    assert read_tars(made.output).keys() == before.keys()
    assert read_tars(made.output) != before


def test_a_second_job_on_a_folder_is_refused_while_the_first_lives(job):
    with open_folder(job.output).locked():
        with pytest.raises(ValueError, match="another job is writing to this folder"):
            animate_manifest(replace(job, overwrite=True))
    assert animate_manifest(job) == 0


def test_reserved_columns_and_missing_models_are_refused_before_anything_is_written(job, tmp_path):
    rows = [{**row, "tar_offset": 1} for row in good_rows(2)]
    with pytest.raises(ValueError, match="'tar_offset' is a reserved name"):
        animate_manifest(replace(job, manifest=make_manifest(tmp_path, rows)))
    with pytest.raises(ValueError, match="neither a folder here"):
        animate_manifest(replace(job, model=str(tmp_path / "none")))
    assert not Path(job.output).exists()


@pytest.mark.parametrize(
    ("failed", "limit", "too_many"),
    [
        (0, "0", False),
        (1, "0", True),
        (3, "3", False),
        (4, "3", True),
        (2, "2%", False),
        (3, "2%", True),
    ],
)
def test_the_exit_code_follows_max_failures(failed, limit, too_many):
    assert exceeds(failed, 100, limit) is too_many


@pytest.mark.parametrize("text", ["-1", "1.5", "101%", "many", ""])
def test_a_limit_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="max_failures"):
        parse_max_failures(text)


def commit_a_shard(job) -> Callable[[], list[int]]:
    return lambda: committed_shards(open_folder(job.output))


def test_a_killed_run_resumes_to_the_same_files(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(12)))
    pid = start_child(job)
    wait_for(pid, commit_a_shard(job))
    os.kill(pid, signal.SIGKILL)
    assert exit_code(pid) == -signal.SIGKILL, "killed too late to show anything"
    assert animate_manifest(job) == 0
    whole = replace(job, output=str(tmp_path / "whole"))
    assert animate_manifest(whole) == 0
    assert same_corpus(job.output, whole.output)


def test_an_interrupted_run_ends_cleanly_and_says_how_to_go_on(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(12)))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "jobs" / "animate_manifest.py"), *flags(job)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(process.pid, commit_a_shard(job))
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 6 shards are committed and kept; rerun the same command to resume" in log
    assert "Traceback" not in log


def test_ctrl_c_ends_a_run_in_the_same_way(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(12)))
    log = tmp_path / "log"

    def prepare():
        # A shell that runs the tests in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logging.basicConfig(filename=log, force=True)

    pid = start_child(
        flags(job), prepare, lambda args: run(animate_manifest, AnimateConfig, None, args=args)
    )
    wait_for(pid, commit_a_shard(job))
    os.kill(pid, signal.SIGINT)
    assert exit_code(pid) == 130
    assert "of 6 shards are committed and kept; rerun the same command to resume" in log.read_text()


def test_what_cannot_be_used_is_one_line_and_exit_code_2(job, capsys):
    arguments = [*flags(job), "--model", "no/such-model!"]
    assert run(animate_manifest, AnimateConfig, None, args=arguments) == 2
    # After the log, which says which model and adapter are taken.
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: 'no/such-model!'")
    assert run(animate_manifest, AnimateConfig, None, args=flags(job)) == 0


def test_a_plan_without_later_settings_keeps_to_its_columns(job, tmp_path):
    """A run of an earlier version, whose manifest may have had columns of these names."""
    names = {*LATER_FIELDS, "kernels"}
    rows = [{**row, "solver": "by hand"} for row in good_rows(4)]
    job = replace(job, manifest=make_manifest(tmp_path, rows))
    with pytest.raises(ValueError, match="'solver' is a reserved name"):
        animate_manifest(job)
    (tmp_path / "new").mkdir()
    manifest = make_manifest(tmp_path / "new", good_rows(4))
    other = replace(job, manifest=manifest, output=f"{job.output}_new")
    assert animate_manifest(other) == 0
    plan = read_plan(open_folder(other.output))
    settings = {name: value for name, value in plan.settings.items() if name not in names}
    settings["manifest_fingerprint"] = summarize_manifest(job.manifest).fingerprint
    settings["extra_columns"] = {"solver": "string"}
    folder = open_folder(job.output)
    folder.make()
    write_plan(folder, replace(plan, settings=settings))
    with pytest.raises(ValueError, match="align_updates: None there, 3 now"):
        animate_manifest(replace(job, sampling=replace(QUICK, align_updates=3)))
    assert animate_manifest(job) == 0
    made, new = read_rows(job.output), read_rows(other.output)
    assert [row["solver"] for row in made] == ["by hand"] * 4
    assert made[0].keys() == new[0].keys() - {*LATER_FIELDS} | {"solver"}
    assert [row["frames_sha256"] for row in made] == [row["frames_sha256"] for row in new]
    assert new[0]["solver"] == "ddim" and new[0]["align_updates"] == 9
    for corpus in (job, other):
        folder = open_folder(corpus.output)
        config = RemakeConfig(num_clips=2, seed=0, sources=SourcesConfig())
        assert remake(folder, read_plan(folder), config, as_json=False) == 0

"""Trying again what failed, adding rows, and plans that are only looked at."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest

from flipsketch.corpus.manifest import read_rows as read_manifest
from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.corpus.parts import format_ranges, parse_ranges
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.shard import committed_shards, read_shards
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.execution.config import ExecutorConfig
from pipelines.sharding.planning import missing_shards
from pipelines.sharding.state import read_status
from tests.corpus.test_run_folder import PLAN, ROWS
from tests.helpers.corpora import QUICK, good_rows, make_manifest, read_rows, read_tars, same_corpus


def verified(output: str):
    folder = open_folder(output)
    status = read_status(folder, read_plan(folder), verify=True)
    assert status.problems == [] and status.in_doubt == []
    return status


@pytest.fixture
def mendable(job, tmp_path):
    """A job with two sketches that are not there yet and an empty prompt."""
    rows = good_rows(7)
    rows[1]["sketch"] = str(tmp_path / "one.svg")
    rows[4]["sketch"] = str(tmp_path / "two.svg")
    rows[5]["prompt"] = ""
    return replace(job, manifest=make_manifest(tmp_path, rows))


def test_failed_rows_are_tried_again_in_shards_of_their_own(mendable, tmp_path):
    assert animate_manifest(mendable) == 1
    before = read_tars(mendable.output)
    good = tmp_path / good_rows(1)[0]["sketch"]
    shutil.copy(good, tmp_path / "one.svg")
    again = replace(mendable, retry_failed=True)
    assert animate_manifest(again) == 1
    status = verified(mendable.output)
    assert (status.planned, status.done, status.ok, status.failed) == (5, 5, 5, 2)
    assert [reason for reason in status.reasons if "two.svg" in reason]
    # Nothing that was there has changed; the empty prompt is not worth another try.
    assert before.items() <= read_tars(mendable.output).items()
    assert [row["manifest_row"] for row in read_rows(mendable.output)][7:] == [1, 4]

    shutil.copy(good, tmp_path / "two.svg")
    assert animate_manifest(replace(again, max_failures="1")) == 0
    status = verified(mendable.output)
    assert (status.planned, status.ok, status.failed) == (6, 6, 1)
    # Nothing is left that another try could mend.
    assert animate_manifest(replace(again, max_failures="1")) == 0
    assert verified(mendable.output).planned == 6
    clips = datasets.load_dataset(mendable.output, split="train", streaming=True)
    assert len({clip["__key__"] for clip in clips}) == 6


def test_a_second_try_makes_what_the_first_would_have_made(mendable, tmp_path):
    animate_manifest(mendable)
    for name in ("one.svg", "two.svg"):
        shutil.copy(tmp_path / good_rows(1)[0]["sketch"], tmp_path / name)
    animate_manifest(replace(mendable, retry_failed=True))
    at_once = replace(mendable, output=str(tmp_path / "at once"))
    animate_manifest(at_once)
    hashes = [
        {row["id"]: row["frames_sha256"] for row in read_rows(output) if row["status"] == "ok"}
        for output in (mendable.output, at_once.output)
    ]
    assert hashes[0].keys() == hashes[1].keys()
    assert hashes[0] == hashes[1]


def test_a_second_try_that_was_cut_short_goes_on(mendable, tmp_path):
    animate_manifest(mendable)
    shutil.copy(tmp_path / good_rows(1)[0]["sketch"], tmp_path / "one.svg")
    animate_manifest(replace(mendable, retry_failed=True))
    whole = {path.name: path.read_bytes() for path in (Path(mendable.output) / "clips").iterdir()}
    (Path(mendable.output) / "metadata" / "00004.parquet").unlink()
    (Path(mendable.output) / "clips" / "00004.tar").unlink()
    # Without the flag too: the second try is part of the plan.
    assert animate_manifest(mendable) == 1
    assert read_tars(mendable.output) == whole
    assert verified(mendable.output).planned == 5


def test_rows_at_the_end_of_a_manifest_extend_the_run(job, tmp_path):
    animate_manifest(replace(job, manifest=make_manifest(tmp_path, good_rows(5))))
    before = read_tars(job.output)
    (tmp_path / "longer").mkdir()
    job = replace(job, manifest=make_manifest(tmp_path / "longer", good_rows(8)))
    with pytest.raises(ValueError, match=r"num_rows: 5 there, 8 now(.|\n)*--extend"):
        animate_manifest(job)
    extended = replace(job, extend=True)
    for again in (extended, extended, job):
        assert animate_manifest(again) == 0
        status = verified(job.output)
        assert (status.planned, status.ok, status.planned_rows) == (5, 8, 8)
    assert before.items() <= read_tars(job.output).items()
    assert [row["manifest_row"] for row in read_rows(job.output)] == list(range(8))
    plan = read_plan(open_folder(job.output))
    assert list(plan.parts[1].rows) == [5, 6, 7]
    # Evaluate, preview and report look there for sketches.
    assert plan.log["manifest"] == job.manifest


def test_a_manifest_that_changed_before_its_end_extends_nothing(made, tmp_path):
    rows = good_rows(8)
    rows[2]["prompt"] = "another"
    changed = replace(made, manifest=make_manifest(tmp_path, rows), extend=True)
    with pytest.raises(ValueError, match="manifest_fingerprint"):
        animate_manifest(changed)
    shorter = replace(made, manifest=make_manifest(tmp_path, good_rows(5)), extend=True)
    with pytest.raises(ValueError, match="num_rows: 6 there, 5 now"):
        animate_manifest(shorter)
    rows = [*good_rows(6), {**good_rows(7)[6], "mood": "glad"}]
    with pytest.raises(ValueError, match="extra_columns"):
        animate_manifest(replace(made, manifest=make_manifest(tmp_path, rows), extend=True))
    assert read_plan(open_folder(made.output)).additions == ()


def test_a_shard_of_another_plan_or_none_is_made_anew(made, whole, tmp_path):
    folder = Path(made.output) / "metadata"
    (folder / "00000.parquet").write_bytes(b"half a file")
    other = replace(made, output=str(tmp_path / "other"), batch_size=1)
    animate_manifest(other)
    shutil.copy(Path(other.output) / "metadata" / "00002.parquet", folder)
    _, doubts = read_shards(open_folder(made.output), read_plan(open_folder(made.output)))
    assert "00000.parquet: not readable" in doubts[0] and "another plan" in doubts[1]
    assert animate_manifest(made) == 0
    assert same_corpus(made.output, whole.output)


def test_missing_shards_have_the_rows_that_they_had(tmp_path):
    manifest = make_manifest(tmp_path, good_rows(10))
    summary = summarize_manifest(manifest)
    plan = replace(PLAN, settings={**ROWS, "num_rows": 8})
    plan = plan.add(kind="retry", rows="0 2-3 5-6")
    plan = plan.add(kind="extend", num_rows=2, manifest_fingerprint="n")
    found = {
        index: [row.index if row.error is None else row.error for row in rows]
        for index, rows in missing_shards(manifest, summary, plan, done=[1])
    }
    again = "tried again in a later shard"
    assert found == {0: [again, 1, again, again], 2: [0, 2, 3, 5], 3: [6], 4: [8, 9]}


def test_rows_of_a_second_try_are_noted_as_ranges():
    for numbers, text in (([5], "5"), ([3, 7, 8, 9, 12, 13], "3 7-9 12-13")):
        assert format_ranges(numbers) == text
        assert parse_ranges(text).tolist() == numbers


def test_a_first_try_that_is_lost_after_the_second_doubles_nothing(mendable, tmp_path):
    animate_manifest(mendable)
    shutil.copy(tmp_path / good_rows(1)[0]["sketch"], tmp_path / "one.svg")
    animate_manifest(replace(mendable, retry_failed=True))
    (Path(mendable.output) / "metadata" / "00000.parquet").unlink()
    assert animate_manifest(mendable) == 1
    status = verified(mendable.output)
    assert (status.done, status.ok, status.failed) == (5, 5, 2)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_wanted_rows_are_read_as_in_a_whole_reading(tmp_path, ending):
    import pandas

    rows = [{**row, "mood": number % 3} for number, row in enumerate(good_rows(50))]
    rows[30]["id"] = rows[4]["id"]
    rows[7]["prompt"] = ""
    path = str(tmp_path / f"a.{ending}")
    table = pandas.DataFrame(rows)
    if ending == "jsonl":
        table.to_json(path, orient="records", lines=True)
    elif ending == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, row_group_size=8)
    summary = summarize_manifest(path)
    assert summary.repeats == {30: 4} and summary.num_bad == 1
    wanted = np.zeros(50, bool)
    wanted[[7, 30, 31, 49]] = True
    every = list(read_manifest(path, summary))
    assert list(read_manifest(path, summary, wanted)) == [every[7], every[30], every[31], every[49]]
    assert "already used by row 5" in every[30].error


def test_a_dry_run_writes_nothing_and_needs_no_model(job, capsys, tmp_path):
    rows = [*good_rows(20), good_rows(1)[0], {"id": "x", "sketch": "x.svg", "prompt": ""}]
    model = job.model
    job = replace(job, manifest=make_manifest(tmp_path, rows), model="no/such-model", dry_run=True)
    assert animate_manifest(job) == 0
    out = capsys.readouterr().out
    assert "rows:   22" in out and "shards: 11 of up to 2 rows" in out
    assert "since the model is not here" in out
    local = ExecutorConfig(executor="local", workers=1)
    assert animate_manifest(replace(job, rows_per_shard=None, executor=local, model=model)) == 0
    out = capsys.readouterr().out
    assert "shards: 6 of up to 4 rows" in out
    assert "terms:  license unknown; sketch unknown, model cc0-1.0\n" in out
    assert "1 row that cannot be made" in out and "1 row with an id" in out
    assert "row 22: the prompt is empty" in out
    assert not Path(job.output).exists()
    with pytest.raises(ValueError, match="'doodel' is neither a folder here nor a model on"):
        animate_manifest(replace(job, model="doodel"))
    for dry_run in (True, False):
        with pytest.raises(ValueError, match="--gpu-memory-gb is of GPUs, and"):
            animate_manifest(
                replace(job, model=model, device="cpu", gpu_memory_gb=16, dry_run=dry_run)
            )
        with pytest.raises(ValueError, match="--offload is for GPUs, and"):
            animate_manifest(replace(job, model=model, device="cpu", offload=True, dry_run=dry_run))
    assert not Path(job.output).exists()


def test_a_dry_run_knows_the_embedded_model_and_the_local_executor(job, capsys):
    sampling = SamplingConfig(align_steps=0)
    doodle = replace(job, model="doodle", sampling=sampling, device="cpu", dry_run=True)
    animate_manifest(doodle)
    # Six clips, of some seconds each: a model of full size would take an hour.
    out = capsys.readouterr().out
    assert re.search(r"time:   \d+ s on 1 worker \(cpu\)", out)


def test_a_dry_run_says_what_fits_and_what_it_takes(job, capsys, tmp_path):
    asked = replace(job, dry_run=True, device="cuda", gpu_memory_gb=24)
    assert animate_manifest(asked) == 0
    out = capsys.readouterr().out
    assert "batch:  2 clips in bfloat16, for a GPU with 24 GB" in out
    assert re.search(r"memory: 0\.\d+ GB a worker: weights .* traced from the shapes of tiny", out)
    assert animate_manifest(replace(asked, batch_size=None, rows_per_shard=64)) == 0
    out = capsys.readouterr().out
    assert "batch:  32 clips" in out and "16 GB 32, 24 GB 32," in out
    assert re.search(r"\n        the smallest that does has 0\.0\d+ GB", out)
    long = replace(QUICK, num_frames=256)
    small = replace(asked, batch_size=None, sampling=long, gpu_memory_gb=0.1)
    with pytest.raises(ValueError, match="a batch of 1 clip of 256 frames takes 0.* GB, and a wor"):
        animate_manifest(small)
    own = [row | {"num_frames": 40, "prompts": [row.pop("prompt")] * 3} for row in good_rows(8)]
    own_rows = replace(asked, manifest=make_manifest(tmp_path, own), batch_size=None)
    assert animate_manifest(replace(own_rows, rows_per_shard=1, gpu_memory_gb=0.2)) == 0
    out = capsys.readouterr().out
    assert "own:    8 rows with" in out and "the batch is for 40 frames" in out
    assert "batch:  1 clip in" in out and "shards: 8 of up to 1 row\n" in out


def test_a_batch_size_that_was_chosen_is_kept(job, made, tmp_path):
    free = replace(job, output=str(tmp_path / "free"), batch_size=None)
    assert animate_manifest(free) == 0
    plan = read_plan(open_folder(free.output))
    assert plan.batch_size == 4 and "batch_size" in plan.chosen
    # One that was asked for need not be asked for again; another is refused.
    assert animate_manifest(replace(made, batch_size=None)) == 0
    assert read_plan(open_folder(made.output)).batch_size == 2
    with pytest.raises(ValueError, match="batch_size: 4 there, 3 now"):
        animate_manifest(replace(free, batch_size=3))


def test_a_dry_run_goes_by_the_shards_that_are_there(made, capsys, tmp_path):
    assert animate_manifest(replace(made, dry_run=True)) == 0
    out = capsys.readouterr().out
    assert "done:   6 rows in 3 shards" in out and "time:   0 s" in out
    again = replace(made, dry_run=True, overwrite=True)
    assert animate_manifest(again) == 0
    assert "done:" not in capsys.readouterr().out
    # Another run is refused in the same words, whether it would be made or not.
    others = [
        replace(made, sampling=replace(made.sampling, guidance_scale=3.0)),
        replace(made, batch_size=5),
        replace(made, manifest=make_manifest(tmp_path / "other", good_rows(5))),
        replace(made, manifest=make_manifest(tmp_path / "longer", good_rows(9))),
    ]
    for other in others:
        said = []
        for dry_run in (True, False):
            with pytest.raises(ValueError, match="holds a run with other settings") as error:
                animate_manifest(replace(other, dry_run=dry_run))
            said.append(str(error.value))
        assert said[0] == said[1]
    unseen = replace(made, model="no/such-model", dry_run=True)
    assert animate_manifest(unseen) == 0
    with pytest.raises(ValueError, match="batch_size: 2 there, 5 now"):
        animate_manifest(replace(unseen, batch_size=5))
    capsys.readouterr()
    assert animate_manifest(replace(others[-1], dry_run=True, extend=True)) == 0
    assert "shards: 5 of" in capsys.readouterr().out
    assert len(committed_shards(open_folder(made.output))) == 3


def test_prompts_that_are_cut_are_flagged_and_counted(job, tmp_path, caplog):
    rows = good_rows(4)
    # The toy tokenizer takes 24 tokens, two of them its own; every letter is one.
    rows[1]["prompt"] = "a" * 22
    rows[2]["prompt"] = "a" * 23
    with caplog.at_level("WARNING"):
        animate_manifest(replace(job, manifest=make_manifest(tmp_path, rows)))
    assert [row["prompt_cut"] for row in read_rows(job.output)] == [False, False, True, False]
    assert "1 prompt longer" in caplog.text
    assert verified(job.output).prompts_cut == 1

"""Manifests and folders that change while a run is under way: nothing lost, nothing let in."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.row_digests import has_wrong_digests
from flipsketch.corpus.shard import committed_shards
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.sharding.state import read_status
from tests.helpers.commits import once_committed
from tests.helpers.corpora import good_rows, make_manifest, read_tars, same_corpus

# Rows longer than what is read ahead, so that a run still has to read when the file changes.
NOTE = "x" * 700_000


def num_committed(output: str) -> int:
    return len(committed_shards(open_folder(output)))


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_sound(output: str) -> None:
    folder = open_folder(output)
    status = read_status(folder, read_plan(folder), verify=True)
    assert (status.missing, status.in_doubt, status.problems) == (0, [], [])


@pytest.mark.parametrize("cut", ["between rows", "within a row"])
def test_a_manifest_that_is_cut_short_ends_the_run_and_a_whole_one_resumes_it(job, tmp_path, cut):
    rows = [{**row, "note": NOTE} for row in good_rows(10)]
    job = replace(job, manifest=make_manifest(tmp_path, rows))
    whole = Path(job.manifest).read_bytes()
    num_bytes = sum(len(line) for line in whole.splitlines(keepends=True)[:8])
    num_bytes += 1000 if cut == "within a row" else 0
    found = {"between rows": "ends before row 9", "within a row": "row 9 is not the one"}[cut]
    with (
        once_committed(0, lambda: os.truncate(job.manifest, num_bytes)),
        pytest.raises(ValueError, match=rf"{found}(.|\n)*restore it"),
    ):
        animate_manifest(job)
    # What had been read when the first was committed is made.
    assert num_committed(job.output) == 4
    Path(job.manifest).write_bytes(whole)
    assert animate_manifest(job) == 0
    other = replace(job, output=str(tmp_path / "other"))
    assert animate_manifest(other) == 0
    assert same_corpus(job.output, other.output)
    assert_sound(job.output)


def test_a_manifest_that_is_replaced_before_the_second_try_gets_no_row_in(job, tmp_path):
    rows = good_rows(6)
    rows[1]["sketch"] = "later.svg"
    job = replace(job, manifest=make_manifest(tmp_path, rows), retry_failed=True)
    whole = Path(job.manifest).read_bytes()

    def replace_manifest() -> None:
        shutil.copy(tmp_path / rows[0]["sketch"], tmp_path / "later.svg")
        other = [{**row, "prompt": "of another manifest"} for row in rows]
        Path(job.manifest).write_text("".join(json.dumps(row) + "\n" for row in other))

    with (
        once_committed(2, replace_manifest),
        pytest.raises(ValueError, match="row 2 is not the one that was planned"),
    ):
        animate_manifest(job)
    assert num_committed(job.output) == 3
    Path(job.manifest).write_bytes(whole)
    assert animate_manifest(job) == 0
    assert num_committed(job.output) == 4
    assert_sound(job.output)


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_every_reading_of_a_manifest_compares_its_rows(tmp_path, ending):
    import pandas

    path, rows = str(tmp_path / f"a.{ending}"), [{**row, "n": 1} for row in good_rows(20)]

    def write(rows: list[dict]) -> None:
        table = pandas.DataFrame(rows)
        if ending == "parquet":
            table.to_parquet(path, row_group_size=8)
        elif ending == "csv":
            table.to_csv(path, index=False)
        else:
            table.to_json(path, orient="records", lines=True)

    write(rows)
    summary = summarize_manifest(path)
    # Rows that were added at the end are none of the run's.
    write([*rows, *({**row, "id": "new"} for row in rows[:3])])
    assert len(list(read_rows(path, summary))) == 20
    for number, change in enumerate(({"prompt": "b"}, {"id": "b"}, {"n": 2}, {"sketch": "b.svg"})):
        write([{**row, **change} if n == number + 10 else row for n, row in enumerate(rows)])
        found = []
        with pytest.raises(ValueError, match=f"row {number + 11} is not the one"):
            found += read_rows(path, summary)
        assert [row.index for row in found] == list(range(number + 10))
    for changed, expected in (
        ([*rows[1:], rows[0]], "row 1 is not"),
        (rows[:19], "ends before row 20"),
        ([{**row, "more": 1} for row in rows], "row 1 is not"),
    ):
        write(changed)
        with pytest.raises(ValueError, match=expected):
            list(read_rows(path, summary))
    Path(path).write_bytes(b"neither\x00this nor that")
    with pytest.raises(ValueError, match="restore it"):
        list(read_rows(path, summary))
    Path(path).unlink()
    with pytest.raises(ValueError, match="row 1 cannot be read any more"):
        list(read_rows(path, summary))


def test_a_folder_that_is_deleted_is_not_made_again(job):
    with (
        once_committed(0, lambda: shutil.rmtree(job.output)),
        pytest.raises((ValueError, OSError), match="moved or deleted|moved, deleted"),
    ):
        animate_manifest(job)
    assert not Path(job.output).exists()


def test_a_folder_that_is_renamed_keeps_what_it_has(job, whole, tmp_path):
    moved = tmp_path / "moved"
    with (
        once_committed(0, lambda: os.rename(job.output, moved)),
        pytest.raises((ValueError, OSError), match="moved or deleted|moved, deleted"),
    ):
        animate_manifest(job)
    assert not Path(job.output).exists()
    os.rename(moved, job.output)
    assert animate_manifest(job) == 0
    assert same_corpus(job.output, whole.output)


@pytest.mark.parametrize("which", ["another run", "nothing"])
def test_a_folder_put_in_its_place_gains_nothing(job, tmp_path, which):
    other = tmp_path / "other"
    if which == "nothing":
        other.mkdir()
    else:
        animate_manifest(replace(job, output=str(other), batch_size=1))
    before = files_in(other)
    tars = read_tars(str(other))

    def swap() -> None:
        os.rename(job.output, tmp_path / "moved")
        os.rename(other, job.output)

    with (
        once_committed(0, swap),
        pytest.raises(ValueError, match="is no longer the folder of this run"),
    ):
        animate_manifest(job)
    assert files_in(Path(job.output)) == before
    assert read_tars(job.output) == tars


def test_a_folder_lost_after_the_last_commit_is_not_reported_as_made(job):
    with (
        once_committed(2, lambda: shutil.rmtree(job.output)),
        pytest.raises(ValueError, match="is no longer the folder of this run"),
    ):
        animate_manifest(job)
    assert not Path(job.output).exists()


@pytest.mark.parametrize("name", ["metadata", "clips"])
def test_files_deleted_during_a_run_are_missed_and_made_again(job, whole, name):
    with (
        once_committed(1, lambda: shutil.rmtree(Path(job.output) / name)),
        pytest.raises(ValueError, match=r"2 of the 3 shards .* \(0-1\): files in metadata/ or"),
    ):
        animate_manifest(job)
    card = (Path(job.output) / "README.md").read_text()
    assert "2 clips of 6 sketches" in card
    assert animate_manifest(job) == 0
    assert same_corpus(job.output, whole.output)


def test_a_tar_cut_short_during_a_run_is_missed(job, whole):
    tar = Path(job.output) / "clips" / "00000.tar"
    with (
        once_committed(1, lambda: os.truncate(tar, 1024)),
        pytest.raises(ValueError, match=r"1 of the 3 shards .* \(0\)"),
    ):
        animate_manifest(job)


def change_footer(path: Path, rows: slice = slice(None), **changes: str | None) -> None:
    """Write a shard's Parquet file again with other facts, or fewer rows."""
    table = pq.read_table(path)
    footer = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    footer |= changes
    table = table.take(pa.array(range(len(table))[rows], pa.int64()))
    kept = {name: value for name, value in footer.items() if value is not None}
    pq.write_table(table.replace_schema_metadata(kept), path)


def test_shards_of_other_rows_are_made_again_and_older_ones_are_taken(made, whole):
    shards = [Path(made.output) / "metadata" / f"{index:05d}.parquet" for index in range(3)]
    change_footer(shards[0], rows_sha256="0" * 64)
    change_footer(shards[1], rows_sha256=None)
    # As a run made it whose manifest was cut short, before rows had digests.
    change_footer(shards[2], slice(0), rows_sha256=None, ok="0", tar_bytes="0", tar_sha256="")
    folder = open_folder(made.output)
    status = read_status(folder, read_plan(folder))
    assert status.done == 1
    assert status.in_doubt[:2] == [
        "metadata/00000.parquet: its rows are not those of the plan",
        "metadata/00002.parquet: has 0 of the plan's 2 rows",
    ]
    assert animate_manifest(made) == 0
    assert same_corpus(made.output, whole.output)


@pytest.mark.parametrize("left", [b"", b"x" * 192, None])
def test_digests_that_are_lost_are_made_again_from_the_manifest(made, left):
    path = Path(made.output) / "rows.sha256"
    content = path.read_bytes()
    assert len(content) == 6 * 32
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    folder = open_folder(made.output)
    assert has_wrong_digests(folder, read_plan(folder)) == (left is not None)
    assert animate_manifest(made) == 0
    assert path.read_bytes() == content
    assert not has_wrong_digests(folder, read_plan(folder))


def test_an_extended_run_has_the_digests_of_all_rows(made, tmp_path):
    before = (Path(made.output) / "rows.sha256").read_bytes()
    longer = replace(made, manifest=make_manifest(tmp_path, good_rows(8)), extend=True)
    assert animate_manifest(longer) == 0
    after = (Path(made.output) / "rows.sha256").read_bytes()
    assert len(after) == 8 * 32 and after.startswith(before)
    assert_sound(made.output)


def test_scores_are_of_the_planned_rows(made, tmp_path, clip_folder):
    config = EvaluateConfig(
        corpus=made.output,
        clip_model=str(clip_folder),
        device="cpu",
        executor=ExecutorConfig(executor="local"),
    )
    rows = good_rows(6)
    rows[3]["sketch"] = rows[0]["sketch"]
    config = replace(config, manifest=make_manifest(tmp_path, rows))
    with pytest.raises(ValueError, match="its rows are not those of the corpus"):
        evaluate(config)

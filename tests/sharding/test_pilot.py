"""A pilot is the beginning of a run, from all of its rows, and says what the others will take."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flipsketch.corpus.kinds import PLAN_FILE
from flipsketch.corpus.parts import RowsWithout
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.shard import committed_shards, read_shards
from flipsketch.corpus.verify import remake_command
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.rasterize import make_training_shards
from pipelines.sharding.estimates import estimate_mean, estimate_share, read_sizes
from pipelines.sharding.pilot import add_pilot, draw_rows
from pipelines.sharding.state import describe, read_status
from tests.corpus.test_run_folder import PLAN
from tests.helpers.corpora import good_rows, make_manifest, read_rows, read_tars, same_corpus
from tests.helpers.runs import Runs
from tests.sharding.test_planning import verified


def hashes(output: str) -> dict[str, str]:
    return {row["id"]: row["frames_sha256"] for row in read_rows(output)}


@pytest.fixture
def mixed(job, tmp_path):
    """A job of rows some of which have settings of their own, and of one that is bad."""
    rows = good_rows(11)
    rows[2]["num_frames"] = rows[7]["num_frames"] = 4
    rows[4]["prompt"] = ""
    return replace(job, manifest=make_manifest(tmp_path, rows), max_failures="1")


def test_a_pilot_is_the_beginning_of_the_run(mixed, tmp_path, capsys):
    pilot = replace(mixed, pilot=4, output=str(tmp_path / "piloted"))
    assert animate_manifest(pilot) == 0
    out = capsys.readouterr().out
    assert re.search(r"pilot: +4 of 11 rows made, \d failed", out)
    assert "for the other 7 rows on 1 worker" in out and "CPU hours in all" in out
    plan = read_plan(open_folder(pilot.output))
    begun, files = read_rows(pilot.output), read_tars(pilot.output)
    drawn = [row["manifest_row"] for row in begun]
    assert drawn == plan.parts[0].rows.tolist() and len(drawn) == 4
    assert drawn[0] < 3 and drawn[-1] > 7, "from all of the manifest"
    status = verified(pilot.output)
    assert (status.done, status.missing, status.planned_rows, status.piloted) == (2, 4, 11, 4)
    assert "its pilot is done; rerun the same command without --pilot" in describe(status, False)

    assert animate_manifest(replace(pilot, pilot=None)) == 0
    status = verified(pilot.output)
    assert (status.missing, status.ok, status.failed) == (0, 10, 1)
    # What the pilot made is as it was, and nothing is made twice.
    assert files.items() <= read_tars(pilot.output).items()
    assert read_rows(pilot.output)[:4] == begun
    assert sorted(row["manifest_row"] for row in read_rows(pilot.output)) == list(range(11))
    at_once = replace(mixed, output=str(tmp_path / "at once"))
    assert animate_manifest(at_once) == 0
    assert hashes(at_once.output) == hashes(pilot.output)
    # The pilot's figures can be asked for again.
    assert animate_manifest(pilot) == 0
    assert "for the other 7 rows" in capsys.readouterr().out


def test_a_second_pilot_adds_to_the_first_until_the_run_goes_on(job, tmp_path, capsys):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(9)))
    animate_manifest(replace(job, pilot=2))
    before = read_tars(job.output)
    assert animate_manifest(replace(job, pilot=5)) == 0
    assert "pilot:  5 of 9 rows made, 0 failed" in capsys.readouterr().out
    assert before.items() <= read_tars(job.output).items()
    assert verified(job.output).ok == 5
    assert animate_manifest(replace(job, pilot=4)) == 0
    assert verified(job.output).ok == 5
    assert animate_manifest(job) == 0
    assert verified(job.output).ok == 9
    with pytest.raises(ValueError, match=r"a pilot of 5 rows and more(.|\n)*without --pilot"):
        animate_manifest(replace(job, pilot=6))


def test_a_run_that_has_shards_has_no_pilot_any_more(made, tmp_path):
    with pytest.raises(ValueError, match=r"has shards but no pilot(.|\n)*--dry-run"):
        animate_manifest(replace(made, pilot=2))
    assert read_plan(open_folder(made.output)).additions == ()
    again = replace(made, pilot=2, overwrite=True)
    assert animate_manifest(again) == 0
    assert verified(made.output).ok == 2


def test_a_pilot_of_more_rows_than_there_are_makes_all(job):
    assert animate_manifest(replace(job, pilot=50)) == 0
    status = verified(job.output)
    assert (status.ok, status.missing) == (6, 0)
    assert animate_manifest(job) == 0


def test_a_pilot_that_was_cut_short_goes_on_with_or_without_the_flag(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(8)))
    pilot, whole = replace(job, pilot=4), replace(job, output=str(tmp_path / "whole"))
    animate_manifest(replace(whole, pilot=4))
    animate_manifest(whole)
    animate_manifest(pilot)
    lost = Path(job.output) / "metadata" / "00001.parquet"
    lost.unlink()
    plan = read_plan(open_folder(job.output))
    said = describe(read_status(open_folder(job.output), plan), False)
    assert "the same command for the rest of its pilot, or without" in said
    assert animate_manifest(pilot) == 0
    assert committed_shards(open_folder(job.output)) == [0, 1]
    lost.unlink()
    assert animate_manifest(job) == 0
    (Path(job.output) / "metadata" / "00003.parquet").unlink()
    said = describe(read_status(open_folder(job.output), plan), False)
    assert "not finished: rerun the same command to resume" in said
    assert animate_manifest(job) == 0
    assert same_corpus(job.output, whole.output)


def test_a_pilots_failures_are_tried_again_and_rows_extend_it(job, tmp_path, capsys, caplog):
    rows = good_rows(6)
    for row in rows:
        row["sketch"] = str(tmp_path / "later.svg")
    job = replace(job, manifest=make_manifest(tmp_path, rows), max_failures="6")
    # The pilot finds out, on two rows, what all others would have failed of.
    assert animate_manifest(replace(job, pilot=2, max_failures="1")) == 1
    out = capsys.readouterr().out
    assert "clips:  none" in out and len(re.findall("(?:time|CPU|bytes):.* not known", out)) == 3
    assert "to this command without --pilot, which tries them again at its end" in caplog.text
    (tmp_path / "later.svg").write_bytes((tmp_path / good_rows(1)[0]["sketch"]).read_bytes())
    assert animate_manifest(replace(job, retry_failed=True, max_failures="0")) == 0
    assert verified(job.output).ok == 6
    make_manifest(tmp_path, [*rows, good_rows(7)[6]])
    assert animate_manifest(replace(job, extend=True)) == 0
    assert verified(job.output).ok == 7
    assert [part.kind for part in read_plan(open_folder(job.output)).parts] == [
        *("pilot", "manifest", "retry", "extend")
    ]


def test_training_shards_begin_with_a_pilot_too(tiny_folder, clip_folder, tmp_path, capsys):
    job = Runs(tmp_path, tiny_folder, clip_folder).rasterize
    assert make_training_shards(replace(job, pilot=2)) == 0
    assert "pilot:  2 of 3 rows made, 0 failed" in capsys.readouterr().out
    assert make_training_shards(job) == 0
    assert verified(job.output).ok == 3


def test_rows_are_drawn_from_everywhere_and_once():
    plan = Plan({**PLAN.settings, "num_rows": 100_000, "rows_per_shard": 64})
    rows = draw_rows(plan, 1000)
    assert (rows // 100).tolist() == list(range(1000))
    # At random within each stretch: no rhythm of the manifest is met or missed.
    assert abs((rows % 100).mean() - 49.5) < 3 * 28.9 / math.sqrt(1000)
    plan = plan.add(kind="pilot", rows=" ".join(map(str, rows.tolist())), rows_per_shard=64)
    more = draw_rows(plan, 500)
    assert len({*more.tolist()} - {*rows.tolist()}) == 500
    assert plan.num_shards == 16 + math.ceil(99_000 / 64)
    every = np.concatenate([part.rows[:] for part in plan.parts])
    assert np.array_equal(np.sort(every), np.arange(100_000))


def test_rows_without_some_are_the_others_in_order():
    random = np.random.default_rng(0)
    for _ in range(50):
        size = int(random.integers(1, 20))
        left_out = np.flatnonzero(random.random(size) < 0.4)
        expected = np.setdiff1d(np.arange(size), left_out)
        rows = RowsWithout(size, left_out)
        assert len(rows) == len(expected)
        for start in range(0, size, 3):
            assert rows[start : start + 3].tolist() == expected[start : start + 3].tolist()


def test_a_pilots_batches_are_whole_and_go_to_all_workers(tmp_path):
    settings = {**PLAN.settings, "num_rows": 100_000, "rows_per_shard": 64, "batch_size": 8}
    folder = open_folder(str(tmp_path))
    for num_rows, per_shard in ((512, 16), (64, 8), (3, 8)):
        part = add_pilot(folder, Plan(settings), num_rows, workers=8).parts[0]
        assert (len(part.rows), part.rows_per_shard) == (num_rows, per_shard)


def test_intervals_are_those_of_the_books():
    # Wilson's ends at the shares from which the one seen is 1.96 standard errors away.
    for num_failed, num_rows in ((2, 64), (0, 20), (7, 7)):
        found = estimate_share(num_failed, num_rows)
        for end in (found.low, found.high):
            if 0 < end < 1:
                error = math.sqrt(end * (1 - end) / num_rows)
                assert abs(found.mean - end) == pytest.approx(1.96 * error)
        assert found.low <= found.mean <= found.high
    # Of single rows it is the mean with Student's t: 2.2622 for ten.
    values = np.arange(10.0)
    mean = estimate_mean([[value] for value in values])
    error = 2.2622 * values.std(ddof=1) / math.sqrt(10)
    assert mean.mean == 4.5 and mean.high - 4.5 == pytest.approx(error, rel=0.03)
    # Exactly Student's 12.706 for two of them, and of one alone no interval is known.
    assert estimate_mean([[1.0], [2.0]]).high == pytest.approx(1.5 + 12.706 / 2)
    alone = estimate_mean([[2.0, 2.0]])
    assert not alone.has_interval and alone.total(10).shown(str) == "20.0 (unknown)"
    assert alone.total(0, known=7.0).shown(str) == "7.0"
    # Twins tell no more than one of them.
    twins = estimate_mean([[value, value] for value in values])
    assert twins.high == pytest.approx(mean.high)


def test_the_bytes_of_a_whole_run_are_told_by_its_pilot(job, tmp_path):
    job = replace(job, manifest=make_manifest(tmp_path, good_rows(24)), method="still")
    job = replace(job, rows_per_shard=12, batch_size=1)
    assert animate_manifest(replace(job, pilot=4)) == 0
    folder = open_folder(job.output)
    plan = read_plan(folder)
    shards = list(read_shards(folder, plan)[0].values())
    known = shard_bytes(job.output)
    told = read_sizes(folder, shards).total(20, 20, plan.num_shards - len(shards), known)
    assert animate_manifest(job) == 0
    made = shard_bytes(job.output)
    # Tars pad files to 512 bytes: where the JSON of just some rows needs one block more, clips as
    # small as these differ by a tenth.
    assert told.mean == pytest.approx(made, rel=0.05)


def shard_bytes(output: str) -> int:
    files = [*Path(output).glob("clips/*.tar"), *Path(output).glob("metadata/*.parquet")]
    return sum(file.stat().st_size for file in files)


def test_the_command_that_goes_on_has_no_pilot():
    for flag in ("--pilot 64", "--pilot=64"):
        plan = replace(PLAN, log={"command": f"jobs/a.py --output x {flag} --batch-size 64"})
        assert remake_command(plan) == "python jobs/a.py --output x --batch-size 64"


def test_a_pilot_is_asked_for_alone(job):
    for flag in ("extend", "retry_failed", "dry_run"):
        with pytest.raises(ValueError, match="--pilot makes the first rows"):
            replace(job, pilot=2, **{flag: True})
    with pytest.raises(ValueError, match="between 1 and"):
        replace(job, pilot=0)
    assert not Path(job.output, PLAN_FILE).exists()

"""What is said of a run when it has ended."""

import logging
from dataclasses import replace

import pytest

from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.shard import read_shards
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.sharding.summary import RunSummary
from tests.helpers.corpora import good_rows, make_manifest


@pytest.mark.parametrize(
    ("sketches", "said", "unsaid"),
    [
        (["cat.svg", ""], "wrong in the input itself: 1; repair it", "mend what"),
        (["none.svg", ""], "reasons name, and add --retry-failed", "rerun"),
        (["none.svg", "cat.svg"], "reasons name, and add --retry-failed", "in the input itself"),
    ],
)
def test_only_remedies_that_help_are_named(job, tmp_path, caplog, sketches, said, unsaid):
    rows = good_rows(2)
    for row, sketch in zip(rows, sketches, strict=True):
        if sketch != "cat.svg":
            row["sketch"] = sketch
    job = replace(job, manifest=make_manifest(tmp_path, rows), method="still")
    assert animate_manifest(job) == 1
    folder = open_folder(job.output)
    shards, _ = read_shards(folder, read_plan(folder))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        RunSummary(folder, list(shards.values()), "animated", "repair it", retried=False).log(
            seconds=1, new_clips=0
        )
    assert said in caplog.text and unsaid not in caplog.text


def test_a_row_without_an_id_is_known_by_its_place(job, tmp_path, caplog):
    rows = good_rows(2)
    del rows[1]["id"]
    job = replace(job, manifest=make_manifest(tmp_path, rows), method="still")
    with caplog.at_level(logging.WARNING):
        assert animate_manifest(job) == 1
    (said,) = [line for line in caplog.messages if line.startswith("failed 1 row: id must be")]
    assert said.endswith("; row 2")

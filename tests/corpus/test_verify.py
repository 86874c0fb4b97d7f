import json
import os
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.verify import remake_command
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.process import command_line
from pipelines.sharding.state import describe, read_status
from pipelines.status import StatusConfig, print_status
from tests.helpers.corpora import good_rows, make_job, make_manifest


@pytest.fixture(scope="module")
def one_failed(tiny_folder, tmp_path_factory) -> Path:
    """A corpus of six rows in which one has failed, to be copied."""
    folder = tmp_path_factory.mktemp("one_failed")
    rows = good_rows(6)
    rows[3]["sketch"] = "none.svg"
    job = make_job(tiny_folder, folder)
    animate_manifest(replace(job, manifest=make_manifest(folder, rows)))
    return Path(job.output)


@pytest.fixture
def corpus(one_failed, tmp_path) -> Path:
    return shutil.copytree(one_failed, tmp_path / "corpus")


def status_of(corpus: Path):
    folder = open_folder(str(corpus))
    return read_status(folder, read_plan(folder), verify=True)


def test_a_sound_corpus_is_found_sound(corpus, capsys):
    assert print_status(StatusConfig(corpus=str(corpus), verify=True)) == 0
    out = capsys.readouterr().out
    assert "3 of 3 done, 0 missing" in out and "5 ok and 1 failed of 6" in out
    assert "failed: 1 row: expected a file, found nothing; row 4 none.svg" in out
    assert "verified: every tar, sample and row of the 3 shards is as committed" in out
    print_status(StatusConfig(corpus=str(corpus), json=True))
    assert json.loads(capsys.readouterr().out)["failed"] == 1


def test_what_a_crash_leaves_is_missing_or_in_doubt_not_wrong(corpus):
    (corpus / "metadata" / "00001.parquet").unlink()
    (corpus / "metadata" / "00002.parquet").write_bytes(b"half")
    (corpus / "README.md").unlink()
    # A tar that was written just now may be followed by its metadata, if its job still runs.
    assert "on its way: clips/00001.tar" in describe(status_of(corpus), verified=True)
    for tar in (corpus / "clips").iterdir():
        os.utime(tar, (1, 1))
    status = status_of(corpus)
    assert "verified" not in describe(status, verified=True)
    assert (status.done, status.missing, status.ok) == (1, 2, 2)
    assert status.problems == []
    assert [entry.partition(":")[0] for entry in status.in_doubt] == [
        "metadata/00002.parquet",
        "clips/00001.tar",
    ]


def test_metadata_that_were_deleted_when_the_job_was_done_are_lost(corpus, s3):
    (corpus / "metadata" / "00000.parquet").unlink()
    for path in sorted(corpus.rglob("*")):
        if path.is_file():
            s3.put(f"lost/{path.relative_to(corpus)}", path.read_bytes())
    # The card is the last file of a job.
    s3.put("lost/README.md", (corpus / "README.md").read_bytes())
    for place in (str(corpus), s3.uri("lost")):
        folder = open_folder(place)
        status = read_status(folder, read_plan(folder))
        assert status.on_its_way == [] and status.in_doubt == [
            "clips/00000.tar: belongs to no committed shard: its metadata are lost"
        ]


def test_a_tar_that_is_older_than_other_commits_is_not_on_its_way(corpus):
    (corpus / "README.md").unlink()
    (corpus / "metadata" / "00001.parquet").unlink()
    now = time.time()
    os.utime(corpus / "clips" / "00001.tar", (now - 300, now - 300))
    assert status_of(corpus).on_its_way == []
    for path in (corpus / "metadata").iterdir():
        os.utime(path, (now - 330, now - 330))
    assert status_of(corpus).on_its_way == ["clips/00001.tar"]


def test_a_command_is_printed_as_a_shell_takes_it(monkeypatch):
    words = ["jobs/animate_manifest.py", "--manifest", "my rows.csv", "--output", "s3://b/o?x=1&y"]
    monkeypatch.setattr(sys, "argv", [*words, "--overwrite"])
    noted = Plan({}, log={"command": command_line()})
    assert shlex.split(remake_command(noted)) == ["python", *words]
    # Earlier versions noted it without quotes.
    older = Plan({}, log={"command": "jobs/x.py --overwrite --prompt it's"})
    assert shlex.split(remake_command(older)) == ["python", "jobs/x.py", "--prompt", "it's"]


def test_scores_that_are_cut_short_or_anothers_are_wrong(corpus, clip_folder):
    local = ExecutorConfig(executor="local")
    evaluate(EvaluateConfig(corpus=str(corpus), clip_model=str(clip_folder), executor=local))
    assert status_of(corpus).problems == []
    scores = corpus / "scores"
    (scores / "00001.parquet").write_bytes((scores / "00001.parquet").read_bytes()[:100])
    (scores / "00002.parquet").write_bytes((scores / "00000.parquet").read_bytes())
    cut, other = status_of(corpus).problems
    assert (
        "scores/00001.parquet: its bytes are not those" in cut
        and "evaluate.py to make it again" in cut
    )
    assert "scores/00002.parquet: scores other clips than the corpus has" in other


def test_changed_lost_and_doubled_tars_are_wrong(corpus):
    clips = corpus / "clips"
    content = bytearray((clips / "00000.tar").read_bytes())
    content[600] ^= 1
    (clips / "00000.tar").write_bytes(content)
    (clips / "00002.tar").unlink()
    status = status_of(corpus)
    assert len(status.problems) == 1 and len(status.in_doubt) == 1
    assert "clips/00000.tar: its bytes are not" in status.problems[0]
    assert "metadata/00002.parquet: its tar is gone" in status.in_doubt[0]
    assert "not finished: rerun the same command to resume" in describe(status, verified=True)


def test_a_shard_that_stands_twice_is_in_doubt(corpus):
    for folder, ending in (("metadata", "parquet"), ("clips", "tar")):
        twin = (corpus / folder / f"00000.{ending}").read_bytes()
        (corpus / folder / f"00002.{ending}").write_bytes(twin)
    doubts = status_of(corpus).in_doubt
    assert doubts[0] == "metadata/00002.parquet: its rows are not those of the plan"


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(ValueError, match="no run.json"):
        print_status(StatusConfig(corpus=str(tmp_path)))

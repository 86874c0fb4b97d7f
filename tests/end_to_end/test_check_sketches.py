"""A collection is looked through before a run: every sketch is opened, whatever the others are."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from flipsketch.media.sketch import load_sketch
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.check_sketches import CheckSketchesConfig, check_sketches
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import SKETCHES, good_rows, make_manifest, read_rows


@pytest.fixture
def folder(tmp_path):
    """Two good sketches, one of them in a folder below, one on yellow paper, two bad ones, and
    another kind of file."""
    one, other = sorted(SKETCHES.glob("*.svg"))[:2]
    (tmp_path / "in" / "more").mkdir(parents=True)
    shutil.copy(one, tmp_path / "in" / "one.svg")
    shutil.copy(other, tmp_path / "in" / "more" / "other.SVG")
    yellow = np.minimum(load_sketch(one, 128), np.uint8([230, 215, 160]))
    Image.fromarray(yellow).save(tmp_path / "in" / "yellow.png")
    (tmp_path / "in" / "empty.svg").touch()
    Image.fromarray(np.full((32, 32), 255, np.uint8)).save(tmp_path / "in" / "white.png")
    (tmp_path / "in" / "notes.txt").write_text("no sketch")
    return tmp_path


def test_what_is_read_is_not_overwritten(tmp_path):
    shutil.copy(next(SKETCHES.glob("*.png")), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    rows = [{"id": "1", "sketch": "a.png", "prompt": "it moves"}]
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "link.jsonl").symlink_to(manifest)
    for collection, output in (
        (tmp_path, "a.png"),
        (manifest, "a.png"),
        (manifest, "link.jsonl"),
    ):
        job = CheckSketchesConfig(
            collection=str(collection), output=(str(tmp_path / output),), size=32, workers=1
        )
        with pytest.raises(ValueError, match="is also what is read"):
            check_sketches(job)
    assert (tmp_path / "a.png").read_bytes() == before
    assert manifest.read_text() == json.dumps(rows[0])


def test_a_name_that_is_not_text_is_refused_and_written_as_text(tmp_path):
    (tmp_path / "in").mkdir()
    for name in (b"caf\xe9.svg", b"ok.svg"):
        shutil.copy(SKETCHES / "cat.svg", tmp_path / "in" / os.fsdecode(name))
    table = tmp_path / "t.jsonl"
    job = CheckSketchesConfig(
        collection=str(tmp_path / "in"), output=(str(table),), size=32, workers=1
    )
    assert check_sketches(job) == 1
    bad, good = map(json.loads, table.read_text().splitlines())
    assert bad["error"] == "the name of the file is not text in UTF-8; rename it"
    assert good["status"] == "clean" and "\\udc" not in table.read_text()


def test_a_folder_is_looked_through(folder, capsys):
    job = CheckSketchesConfig(
        collection=str(folder / "in"),
        output=tuple(str(folder / name) for name in ("sheet.png", "page.html", "table.jsonl")),
        size=64,
        workers=1,
    )
    assert check_sketches(job) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("opened: 5 files; a run would refuse 2, repair or note 1 and")
    assert "notes:  1 file: whitened the paper; yellow.png" in printed
    assert {line.rpartition("; ")[2] for line in printed[1:]} > {"empty.svg", "white.png"}
    rows = [json.loads(line) for line in (folder / "table.jsonl").read_text().splitlines()]
    assert {row["sketch"]: row["status"] for row in rows} == {
        "empty.svg": "refused",
        "more/other.SVG": "clean",
        "one.svg": "clean",
        "white.png": "refused",
        "yellow.png": "repaired",
    }
    for row in rows:
        assert (row["error"] is None) == (row["status"] != "refused")
        assert row["sketch"] not in (row["error"] or "")
    assert Image.open(folder / "sheet.png").width > 1000
    assert "more/other.SVG" in (folder / "page.html").read_text()


def test_a_manifest_is_looked_through(tmp_path, capsys):
    rows = good_rows(3)
    rows[1]["sketch"] = "gone.svg"
    rows[2]["id"] = rows[0]["id"]
    job = CheckSketchesConfig(collection=make_manifest(tmp_path, rows), workers=1, json=True)
    assert check_sketches(job) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["sketches"], found["refused"], found["clean"]) == (3, 2, 1)
    missing, repeated = sorted(found["reasons"], key=lambda reason: reason["row"])
    assert (missing["row"], missing["sketch"]) == (2, "gone.svg")
    assert missing["reason"] == "expected a file, found nothing"
    assert "already used" in repeated["reason"]


def test_a_dry_run_finds_what_the_run_then_refuses(tiny_folder, tmp_path, capsys):
    rows = good_rows(4)
    rows[0]["prompt"] = ""
    rows[1]["sketch"] = "gone.svg"
    job = AnimateConfig(
        manifest=make_manifest(tmp_path, rows),
        output=str(tmp_path / "corpus"),
        model=str(tiny_folder),
        method="still",
        max_failures="1",
        executor=ExecutorConfig(executor="local"),
    )
    assert animate_manifest(replace(job, dry_run=True, check_sketches=True)) == 1
    said = "expected a file, found nothing"
    printed = capsys.readouterr().out
    assert f"refuse: 1 row: {said}; row 2 gone.svg" in printed
    assert "opened: 3 rows; a run would refuse 1" in printed
    assert not (tmp_path / "corpus").exists()
    assert animate_manifest(job) == 1
    failed = [row["error"] for row in read_rows(job.output) if row["status"] == "failed"]
    assert len(failed) == 2 and f"gone.svg: {said}" in failed


def test_sketches_are_checked_by_a_dry_run_alone(job):
    with pytest.raises(ValueError, match="--dry-run"):
        replace(job, check_sketches=True)


@pytest.mark.parametrize("name", ["gone", "in/notes.txt", "void"])
def test_what_is_no_collection_is_refused(folder, name):
    (folder / "void").mkdir()
    with pytest.raises((ValueError, OSError), match=name):
        check_sketches(CheckSketchesConfig(collection=str(folder / name)))

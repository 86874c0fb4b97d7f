"""Each row names the licenses that its clip comes under, and runs from before go on without."""

import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.corpus.plan import read_plan, write_plan
from flipsketch.models.places import EMBEDDED
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.animating.dry_run import print_licenses
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import good_rows, make_job, make_manifest, read_rows, read_tars

LATER = ("row_licenses", "lora_license", "motion_license")
NAMED = ["cc-by-4.0", None, "cc-by-nc-4.0", "  ", ["mit", "cc0-1.0"], "mine:\nall"]
# Blank where the row names none.
READ = ["cc-by-4.0", None, "cc-by-nc-4.0", None, "mit, cc0-1.0", "mine: all"]


@pytest.fixture
def stills(tmp_path) -> AnimateConfig:
    """A job that needs no model's weights, so that the model may as well be the embedded one."""
    job = make_job(EMBEDDED / "doodle", tmp_path)
    rows = [{**row, "license": name} for row, name in zip(good_rows(6), NAMED, strict=True)]
    return replace(job, manifest=make_manifest(tmp_path, rows), method="still")


def read_samples(output: str) -> list[dict]:
    parts = b"".join(content for _, content in sorted(read_tars(output).items())).split(b"\0")
    return [json.loads(part) for part in parts if part.startswith(b'{"')]


def test_a_rows_own_license_holds_before_that_of_the_corpus(stills, tmp_path, clip_folder):
    assert animate_manifest(stills) == 0
    rows, tars = read_rows(stills.output), read_tars(stills.output)
    assert [row["license"] for row in rows] == READ
    assert {row["model_licence"] for row in rows} == {"cc0-1.0"}
    assert {(row["lora_license"], row["motion_license"]) for row in rows} == {(None, None)}
    # That of the corpus is named later, and samples stay what they are.
    os.unlink(Path(stills.output) / "metadata" / "00001.parquet")
    assert animate_manifest(replace(stills, license="cc0-1.0")) == 0
    assert read_tars(stills.output) == tars
    assert [sample["license"] for sample in read_samples(stills.output)] == READ
    made_later = [row["license"] for row in read_rows(stills.output)]
    assert made_later == [*READ[:3], "cc0-1.0", *READ[4:]]

    # Chosen clips have it throughout.
    local = ExecutorConfig(executor="local")
    evaluate(EvaluateConfig(corpus=stills.output, clip_model=str(clip_folder), executor=local))
    chosen = CurateConfig(corpus=stills.output, output=str(tmp_path / "chosen"), keep=())
    curate(replace(chosen, duplicate_cosine=None, splits=("train=1",)))
    by_id = {row["id"]: row["license"] for row in read_rows(chosen.output)}
    assert [by_id[f"row {number}"] for number in range(6)] == [name or "cc0-1.0" for name in READ]
    assert read_plan(open_folder(chosen.output)).licence == "cc0-1.0"


def test_a_dry_run_names_what_is_not_free(stills, tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(EMBEDDED / "doodle", model)
    card = "---\nlicense: cc-by-nc-4.0\n---\n**License:** [CC BY-NC-ND 4.0](https://"
    (model / "README.md").write_text(f"{card}creativecommons.org/licenses/by-nc-nd/4.0/)\n")
    job = replace(stills, model=str(model), method="flipsketch", lora="doodle-lora")
    rows = summarize_manifest(job.manifest).licenses
    print_licenses(replace(job, license="mit"), None, model, rows)
    first, *restrictions = capsys.readouterr().out.splitlines()
    assert first == (
        "terms:  license mit; sketch CC-BY-NC-4.0, model cc-by-nc-4.0, CC-BY-NC-ND-4.0, "
        "sketch mine: all, sketch CC-BY-4.0, sketch mit, sketch MIT, CC0-1.0, adapter cc0-1.0"
    )
    assert [line.strip()[:60] for line in restrictions] == [
        "the sketch is for non-commercial use only (CC-BY-NC-4.0), an",
        "the model is for non-commercial use only (cc-by-nc-4.0, CC-B",
        "whether the license of the sketch (mine: all) allows commerc",
        "the license of the corpus (mit) allows commercial use, that ",
        "clips made of the model (CC-BY-NC-4.0, CC-BY-NC-ND-4.0) must",
    ]


def test_the_start_says_what_the_dry_run_says(stills, tmp_path, capsys, caplog):
    names = ["CC0-1.0", "cc-by-nc-4.0", 7, ["MIT"]]
    rows = [{**row, "license": name} for row, name in zip(good_rows(4), names, strict=True)]
    job = replace(stills, manifest=make_manifest(tmp_path, rows), max_failures="1")
    assert animate_manifest(replace(job, dry_run=True)) == 0
    printed = capsys.readouterr().out
    licenses = "sketch CC-BY-NC-4.0, sketch CC0-1.0, sketch MIT"
    assert f"license unknown; {licenses}" in printed
    assert "row 3: license must be text" in printed
    with caplog.at_level(logging.WARNING):
        # The second reads what the first has found of the manifest.
        for _ in range(2):
            caplog.clear()
            assert animate_manifest(job) == 0
            told = [one.message for one in caplog.records if "license of the" in one.message]
            assert told == []
            assert "the sketch is for non-commercial use only (CC-BY-NC-4.0)" in caplog.text
    assert [row["status"] for row in read_rows(job.output)] == ["ok", "ok", "failed", "ok"]


def test_a_run_from_before_rows_had_licenses_goes_on_without(stills, tmp_path):
    """Its manifest may have such a column all the same, of any type, which is carried as it was."""
    rows = [{**row, "license": number} for number, row in enumerate(good_rows(4))]
    job = replace(stills, manifest=make_manifest(tmp_path, rows))
    new = replace(job, output=f"{job.output}_new")
    # In a new run they are no licenses.
    assert animate_manifest(new) == 1
    assert read_rows(new.output)[3]["error"].startswith("license must be text in UTF-8")
    plan, folder = read_plan(open_folder(new.output)), open_folder(job.output)
    folder.make()
    known = {name: value for name, value in plan.settings.items() if name not in LATER}
    write_plan(folder, replace(plan, settings=known))
    assert animate_manifest(replace(job, license="mit")) == 0
    assert [row["license"] for row in read_rows(job.output)] == [0, 1, 2, 3]
    assert [row["license"] for row in read_rows(new.output)] == [None] * 4
    assert not read_rows(job.output)[0].keys() & {"lora_license", "motion_license"}
    # Its shards do not count them, so the license of the corpus is not taken for that of each.
    card = (Path(job.output) / "README.md").read_text()
    assert "| sketch | as the column license names it for each row | 4 | unknown |" in card

"""A corpus of sketches under several licenses: its card, and what curating by them keeps."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from huggingface_hub import metadata_load

from flipsketch.corpus.passport import plan_licenses
from flipsketch.corpus.plan import read_plan
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.report import ReportConfig, write_report
from tests.helpers.corpora import good_rows, make_job, make_manifest, read_rows

LICENSES = ["cc0-1.0", "CC BY 4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "mine | yours", None]


@pytest.fixture(scope="module")
def mixed(tiny_folder, clip_folder, tmp_path_factory) -> str:
    """A scored corpus by a model of Apache-2.0 and a scorer of MIT."""
    folder = tmp_path_factory.mktemp("mixed")
    for name, source, license in (
        ("model", tiny_folder, "apache-2.0"),
        ("scorer", clip_folder, "mit"),
    ):
        shutil.copytree(source, folder / name)
        (folder / name / "README.md").write_text(f"---\nlicense: {license}\n---\n")
    rows = [
        {**row, "license": license} for row, license in zip(good_rows(6), LICENSES, strict=True)
    ]
    job = replace(
        make_job(folder / "model", folder),
        manifest=make_manifest(folder, rows),
        method="t2v",
        sampling=SamplingConfig(num_frames=2, num_inference_steps=1),
    )
    assert animate_manifest(job) == 0
    scorer = str(folder / "scorer")
    scoring = EvaluateConfig(corpus=job.output, clip_model=scorer, executor=job.executor)
    assert evaluate(scoring) == 0
    return job.output


@pytest.fixture
def config(mixed, tmp_path) -> CurateConfig:
    return CurateConfig(
        corpus=mixed, output=str(tmp_path / "chosen"), keep=(), duplicate_cosine=None
    )


def read_table(corpus: str) -> dict[tuple[str, str], list[str]]:
    """Return the rows of the card's table of terms: clips, then flags, by part and license."""
    card = (Path(corpus) / "README.md").read_text()
    table = card.split("| part | license |")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {(part, license): rest[:5] for part, license, *rest in cells}


def test_curating_keeps_what_all_parts_allow_and_says_what_each_refused(config, caplog):
    caplog.set_level("INFO")
    curate(replace(config, allow=("commercial", "train-others")))
    rows = read_rows(config.output)
    assert sorted(row["license"] for row in rows) == ["CC BY 4.0", "cc0-1.0"]
    left_out = "left out for the sketch: 1 CC-BY-NC-4.0 (no), 1 mine | yours (unknown), 1 not"
    assert f"allows commercial: 3 of 6 clips; {left_out} stated (unknown)" in caplog.text
    assert "allows train-others: 3 of 6 clips; left out for the sketch: 1 CC-BY-ND-4.0 (no)" in (
        caplog.text
    )
    assert read_table(config.output) == {
        ("sketch", "CC-BY-4.0"): ["1", "yes", "yes", "yes", "no"],
        ("sketch", "CC0-1.0"): ["1", "yes", "yes", "no", "no"],
        ("model", "Apache-2.0"): ["2", "yes", "yes", "yes", "no"],
        ("scorer", "MIT"): ["2", "yes", "yes", "yes", "no"],
        ("all together", ""): ["", "yes", "yes", "yes", "no"],
    }
    # So does its status, and what is trained on it.
    assert plan_licenses(read_plan(open_folder(config.output)))["scorer"] == "mit"
    # Its own manifest says the licenses of its sketches.
    manifest = pq.read_table(Path(config.output) / "manifest.parquet")
    assert manifest["license"].to_pylist() == [row["license"] for row in rows]
    with pytest.raises(ValueError, match="allow: .*commercial.* there, None now"):
        curate(config)


def test_the_report_sums_up_what_licenses_allow(mixed, tmp_path):
    page = tmp_path / "report.html"
    assert write_report(ReportConfig(corpus=mixed, output=str(page))) == 0
    text = page.read_text()
    assert "commercial use: no, training other models: no, attribution: yes" in text
    assert "sketch CC BY 4.0" in text and "model apache-2.0" in text


def test_a_license_that_curating_names_holds_for_sketches_that_have_none(config):
    curate(replace(config, allow=("commercial",), license="cc0-1.0"))
    named = [row["license"] for row in read_rows(config.output)]
    assert sorted(named) == ["CC BY 4.0", "cc-by-nd-4.0", "cc0-1.0", "cc0-1.0"]
    card = Path(config.output) / "README.md"
    assert metadata_load(card)["license"] == "cc0-1.0"
    assert read_table(config.output)["sketch", "CC0-1.0"][0] == "2"
    # What is chosen from it in turn says the same.
    again = replace(config, corpus=config.output, output=f"{config.output}-again")
    curate(replace(again, allow=("commercial", "train-others")))
    assert len(read_rows(again.output)) == 3


def test_a_card_counts_the_licenses_of_a_corpus_and_says_what_they_come_to(mixed):
    table = read_table(mixed)
    assert table["sketch", "CC-BY-NC-4.0"] == ["1", "no", "yes", "yes", "no"]
    assert table["sketch", "mine / yours"] == ["1", *["unknown"] * 4]
    assert table["sketch", "not stated"] == ["1", *["unknown"] * 4]
    assert table["model", "Apache-2.0"] == ["6", "yes", "yes", "yes", "no"]
    assert table["all together", ""] == ["", "no", "no", "yes", "unknown"]
    card = (Path(mixed) / "README.md").read_text()
    assert "Commercial use is not allowed. Other models may not be trained on it." in card

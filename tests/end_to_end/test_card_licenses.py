"""A corpus has the license that its user names, never the model's; and a license is text: whatever
YAML would make of it, the card gives it back as it was given."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import metadata_load

from flipsketch.animations.reader import RasterConfig
from flipsketch.corpus.plan import read_plan
from flipsketch.models.cards import model_licence
from flipsketch.models.places import EMBEDDED
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.report import ReportConfig, write_report
from tests.helpers.animations import write_animation
from tests.helpers.corpora import make_job, read_tars


@pytest.fixture
def shards(tmp_path) -> RasterizeConfig:
    write_animation(tmp_path / "in" / "thing", 2, "it moves")
    return RasterizeConfig(
        animations=str(tmp_path / "in"),
        output=str(tmp_path / "out"),
        raster=RasterConfig(size=16),
        executor=ExecutorConfig(executor="local"),
    )


TEXTS = ("mine: all of it", "say \"hi\" 'ho'", "a\nb", "a\n---\nb: c", "no", "null", "~", "1.0")
TEXTS += ("on", "2024-01-01", "- a", "{a: b}", "# a", "*a", "&a", "!!a", "\x1b[31m", "é | ü")


def test_every_text_comes_back(shards, caplog):
    card = Path(shards.output) / "README.md"
    for text in TEXTS:
        with caplog.at_level(logging.WARNING):
            assert make_training_shards(replace(shards, license=text)) == 0
        block = card.read_text().removeprefix("---\n").partition("\n---\n\n")[0]
        assert yaml.safe_load(block)["license"] == metadata_load(card)["license"] == text
        assert model_licence(Path(shards.output)) == text
    # A run that is complete is told of what changes.
    assert "the license of the run was 'mine: all of it' and is" in caplog.text


def test_a_corpus_has_its_users_license_and_not_its_models(tmp_path, caplog):
    """`still` needs no weights, so that the model may as well be the embedded one."""
    job = replace(make_job(EMBEDDED / "doodle", tmp_path), method="still")
    card = Path(job.output) / "README.md"
    assert animate_manifest(job) == 0
    assert metadata_load(card)["license"] == "unknown"
    assert read_plan(open_folder(job.output)).model_licence == "cc0-1.0"
    tars = read_tars(job.output)
    # At the start, and in the summary.
    assert caplog.text.count("license of the sketch is unknown, so nothing is known") == 2
    caplog.clear()

    # Named later, by the same command: nothing is made again.
    assert animate_manifest(replace(job, license="cc-by-4.0")) == 0
    assert metadata_load(card)["license"] == "cc-by-4.0"
    assert read_tars(job.output) == tars
    assert "nothing is known" not in caplog.text
    assert animate_manifest(job) == 0
    assert metadata_load(card)["license"] == "cc-by-4.0"
    write_report(ReportConfig(corpus=job.output))
    page = (Path(job.output) / "report.html").read_text()
    assert '["License","cc-by-4.0"],["License of the model","cc0-1.0"]' in page


@pytest.mark.parametrize("text", ["", "  ", "\udcff"])
def test_a_license_without_text_is_refused(shards, text):
    with pytest.raises(ValueError, match="license must be a string that is not empty, in UTF-8"):
        replace(shards, license=text)


@pytest.mark.parametrize(
    ("line", "licence"), [("no", "no"), ("Yes # x", "Yes"), ("null", "unknown")]
)
def test_a_word_that_yaml_takes_for_a_truth_value_is_a_word(tmp_path, line, licence):
    (tmp_path / "README.md").write_text(f"---\nlicense: {line}\n---\n")
    assert model_licence(tmp_path) == licence

"""A corpus of format 3, as it was written then: every reader reads it, and no run resumes it.

`format3/corpus` was made of `format3/manifest.parquet` by the method `still`, with columns `group`
and `shard` of the manifest's own, by the last version that wrote that format.
"""

import shutil
from pathlib import Path

import pytest

from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.shard import read_metadata, read_sample
from flipsketch.storage.folder import open_folder
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.preview import PreviewConfig, write_preview
from pipelines.report import ReportConfig, write_report
from pipelines.status import StatusConfig, print_status
from tests.helpers.corpora import read_rows

FORMAT3 = Path(__file__).with_name("format3")
MANIFEST = str(FORMAT3 / "manifest.parquet")


@pytest.fixture
def corpus(tmp_path) -> str:
    return str(shutil.copytree(FORMAT3 / "corpus", tmp_path / "corpus"))


def test_it_is_sound_and_is_shown(corpus, tmp_path, capsys):
    assert print_status(StatusConfig(corpus=corpus, verify=True)) == 0
    assert "3 ok and 1 failed of 4" in capsys.readouterr().out
    picture = tmp_path / "preview.png"
    assert write_preview(PreviewConfig(corpus=corpus, output=str(picture), manifest=MANIFEST)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert write_report(ReportConfig(corpus=corpus, manifest=MANIFEST)) == 0
    assert "way 3" in (Path(corpus) / "report.html").read_text()


def test_it_is_read_for_training(corpus):
    clips = TrainingClips(corpus, ReaderConfig(num_frames=3))
    assert len(clips) == 3 and clips[0]["frames"].shape == (3, 16, 16, 3)


def test_it_is_scored_and_chosen_from_and_its_samples_stay_as_they_are(
    corpus, tmp_path, clip_folder
):
    local = ExecutorConfig(executor="local")
    scoring = EvaluateConfig(
        corpus=corpus, manifest=MANIFEST, clip_model=str(clip_folder), executor=local
    )
    assert evaluate(scoring) == 0
    chosen = CurateConfig(
        corpus=corpus,
        manifest=MANIFEST,
        output=str(tmp_path / "chosen"),
        keep=(),
        duplicate_cosine=None,
        splits=("train=1",),
    )
    assert curate(chosen) == 0
    rows = read_rows(chosen.output)
    assert [(row["id"], row["shard"], row["manifest_shard"], row["group"]) for row in rows] == [
        (f"row {number}", 0, "mine", number) for number in (0, 1, 3)
    ]
    before, after = open_folder(corpus), open_folder(chosen.output)
    for row in rows:
        shard = int(row["id"].removeprefix("row ")) // 2
        own = {old["id"]: old for old in read_metadata(before, shard).to_pylist()}[row["id"]]
        sample = read_sample(after, 0, row)
        assert sample == read_sample(before, shard, own) and sample.sketch is None
    assert print_status(StatusConfig(corpus=chosen.output, verify=True)) == 0


def test_a_run_does_not_go_on_with_it(corpus):
    folder = open_folder(corpus)
    plan = Plan({**read_plan(folder).settings, "format": 4})
    with pytest.raises(ValueError, match="a run of format 3, and this version writes format 4"):
        begin_run(folder, plan)
    assert begin_run(folder, plan, overwrite=True) == plan

"""What a run writes is what its kind says, and so what --overwrite deletes."""

import re
from pathlib import Path

from flipsketch.corpus.kinds import ANIMATE, CURATE, KINDS, RASTERIZE, RunKind
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.run_folder import delete_run
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.report import ReportConfig, write_report
from tests.helpers.animations import write_training_shards


def check_files(output: str, kind: RunKind) -> None:
    """Every file is one of the kind's, every pattern has a file, and deleting leaves none."""
    folder = open_folder(output)
    assert read_plan(folder).kind is kind
    found = {path for path in Path(output).rglob("*") if path.is_file()}
    named = set()
    for name, pattern in kind.files.items():
        own = {path for path in found if path.parent == Path(output, name)}
        matches = {path for path in own if re.fullmatch(pattern, path.name)}
        assert matches, f"{kind.name} writes nothing in {name!r}"
        named |= matches
    assert found == named
    delete_run(folder, kind)
    assert not [path for path in Path(output).rglob("*") if path.is_file()]


def test_kinds_name_what_runs_write(job, clip_folder, tmp_path):
    animate_manifest(job)
    local = ExecutorConfig(executor="local")
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=local))
    chosen = CurateConfig(corpus=job.output, output=str(tmp_path / "chosen"), keep=())
    curate(chosen)
    for output, kind in ((job.output, ANIMATE), (chosen.output, CURATE)):
        write_report(ReportConfig(corpus=output))
        check_files(output, kind)
    check_files(write_training_shards(tmp_path, 2, 3), RASTERIZE)


def test_kinds_are_found_by_name():
    assert all(name == kind.name == kind.settings["kind"] for name, kind in KINDS.items())

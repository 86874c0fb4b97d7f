"""Paths hold on the driver and on workers alike, also in a job that was submitted to a cluster."""

from dataclasses import replace

import pytest

from pipelines.animate import animate_manifest
from pipelines.execution.locations import anchor, anchor_model, refuse_vanishing_output


@pytest.fixture
def submitted(tmp_path, monkeypatch):
    """Stand where Ray unpacks the working directory of a submitted job."""
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_inputs_are_anchored_where_the_driver_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert anchor("in/rows.csv") == str(tmp_path / "in" / "rows.csv")
    assert anchor("/data/rows.csv") == "/data/rows.csv"
    assert anchor("s3://bucket/rows.csv") == "s3://bucket/rows.csv"


def test_a_submitted_jobs_inputs_stay_relative(submitted):
    assert anchor("in/rows.csv") == "in/rows.csv"


def test_a_model_is_anchored_if_it_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert anchor_model("mine") == str(tmp_path / "mine")
    assert anchor_model("doodle") == "doodle" and anchor_model("owner/name") == "owner/name"


def test_an_output_in_the_copy_of_the_working_directory_is_refused(submitted, tmp_path, job):
    for output in ("out/clips", str(submitted / "clips")):
        with pytest.raises(ValueError, match="vanishes with the job; give an absolute path"):
            refuse_vanishing_output(output)
    refuse_vanishing_output(str(tmp_path / "shared"))
    with pytest.raises(ValueError, match="vanishes with the job"):
        animate_manifest(replace(job, output="out/clips"))
    assert list(submitted.iterdir()) == []


def test_elsewhere_an_output_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_vanishing_output("out/clips")

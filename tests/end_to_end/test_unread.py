"""Rows whose disk or server does not deliver: they alone fail, and they are tried again."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.corpus.plan import read_plan
from flipsketch.storage.folder import open_folder
from flipsketch.storage.reading import UnavailableError
from pipelines.animate import animate_manifest
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.sources import SourcesConfig
from pipelines.makers.training_shards import RasterMaker
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.sharding.state import read_status
from tests.helpers.animations import write_animation
from tests.helpers.corpora import good_rows, make_manifest, read_rows, read_tars


def num_unread(output: str) -> int:
    folder = open_folder(output)
    plan = read_plan(folder)
    assert plan is not None
    return read_status(folder, plan).unread


def test_rows_that_a_store_did_not_deliver_are_tried_by_the_same_command(
    job, whole, s3, proxy, tmp_path, caplog
):
    rows = good_rows(6)
    manifest = Path(make_manifest(tmp_path, rows))
    for row in rows[2:4]:
        s3.put(f"unread/{row['sketch']}", (tmp_path / row["sketch"]).read_bytes())
        row["sketch"] = f"s3://bucket/unread/{row['sketch']}"
    rows[5]["sketch"] = "none.svg"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources = SourcesConfig(allow_source=(proxy.uri("unread"),), read_timeout=0.5)
    job = replace(job, sources=sources)
    proxy.fall_silent()
    assert animate_manifest(job) == 1
    errors = {row["id"]: row["error"] for row in read_rows(job.output) if row["error"]}
    assert errors.keys() == {"row 2", "row 3", "row 5"}
    assert "reading took longer than the 0.5 s" in errors["row 2"]
    assert num_unread(job.output) == 2 and "not delivered by their disk or server: 2" in caplog.text

    proxy.work()
    job = replace(job, sources=replace(sources, read_timeout=30), max_failures="1")
    assert animate_manifest(job) == 0
    assert num_unread(job.output) == 0
    retried = [row for row in read_rows(job.output) if row["shard"] == 3]
    assert [(row["id"], row["status"]) for row in retried] == [("row 2", "ok"), ("row 3", "ok")]
    frames = {row["id"]: row["frames_sha256"] for row in read_rows(whole.output)}
    assert [row["frames_sha256"] for row in retried] == [frames["row 2"], frames["row 3"]]
    # What is simply missing is not tried again, and what is done is left alone.
    before = read_tars(job.output)
    assert animate_manifest(job) == 0
    assert read_tars(job.output) == before and len(read_rows(job.output)) == 8


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_an_animation_that_hangs_is_left_and_can_be_read_later(s3, proxy, tmp_path, ending):
    write_animation(tmp_path / "in" / "cat", 2, "it moves")
    if ending:
        shutil.make_archive(str(tmp_path / "in"), "zip", tmp_path / "in")
        s3.put("hangs.zip", (tmp_path / "in.zip").read_bytes())
    else:
        s3.upload(tmp_path / "in", "hangs")
    config = RasterizeConfig(animations=proxy.uri(f"hangs{ending}"), output=str(tmp_path / "out"))
    config = replace(config, executor=ExecutorConfig(executor="local"))
    assert make_training_shards(config) == 0
    folder = open_folder(config.output)
    plan = read_plan(folder)
    assert plan is not None
    sources = config.sources.of(config.animations)
    maker = RasterMaker(
        sources=sources, raster=config.raster, plan=plan, folder=folder, row_timeout=60
    )
    proxy.fall_silent()
    maker.sources = replace(sources, timeout_s=0.3)
    with pytest.raises(UnavailableError, match="reading took longer than the 0.3 s"):
        maker.read("cat")
    proxy.work()
    maker.sources = sources
    assert [name for name, _ in maker.read("cat")] == ["frame000.svg", "frame001.svg"]


def test_links_of_animations_that_lead_elsewhere_fail_their_row_alone(tmp_path):
    root, secret = tmp_path / "in", tmp_path / "secret"
    for name in ("good", "linked", "told", "folder", "within"):
        write_animation(root / name, 2, f"the {name} one moves")
    write_animation(secret, 2, "the secret moves")
    (root / "linked" / "frame001.svg").unlink()
    (root / "linked" / "frame001.svg").symlink_to(secret / "frame001.svg")
    (root / "told" / "prompt.txt").unlink()
    (root / "told" / "prompt.txt").symlink_to("/proc/self/environ")
    shutil.rmtree(root / "folder")
    (root / "folder").symlink_to(secret)
    (root / "within" / "frame001.svg").unlink()
    (root / "within" / "frame001.svg").symlink_to("../good/frame001.svg")
    shutil.make_archive(str(tmp_path / "pack"), "zip", secret)
    shutil.move(tmp_path / "pack.zip", secret)
    (root / "pack.zip").symlink_to(secret / "pack.zip")
    os.mkfifo(root / "pipe.tar")
    (tmp_path / "link").symlink_to(root)
    job = RasterizeConfig(
        animations=str(tmp_path / "link"),
        output=str(tmp_path / "out"),
        executor=ExecutorConfig(executor="local"),
    )
    assert make_training_shards(job) == 1
    errors = {row["id"]: row["error"] or "" for row in read_rows(job.output)}
    assert errors.keys() == {"good", "within", "linked", "told", "folder", "pack", "pipe"}
    assert errors["good"] == errors["within"] == ""
    assert "has no prompt" in errors["told"]
    assert "expected a file, found a device, pipe or socket" in errors["pipe"]
    for name in ("linked", "folder", "pack"):
        assert f"leads out of the folder, to {secret}" in errors[name]
        assert errors[name].endswith(f"add --allow-source {secret}")
    assert os.environ["PATH"] not in "".join(
        path.read_bytes().decode(errors="replace") for path in (tmp_path / "out").glob("*/*")
    )
    # What is allowed is followed; the state of this machine is not.
    allowed = SourcesConfig(allow_source=(str(secret),))
    job = replace(job, output=str(tmp_path / "more"), sources=allowed)
    assert make_training_shards(job) == 1
    failed = {row["id"] for row in read_rows(job.output) if row["error"]}
    assert failed == {"told", "pipe"}

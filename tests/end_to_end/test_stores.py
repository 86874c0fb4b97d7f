"""Every job with its inputs and outputs in an object store, whose server stands in the query."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flipsketch import load_sketch, read_corpus
from flipsketch.__main__ import run as run_flipsketch
from flipsketch.animations.reader import RasterConfig
from flipsketch.doodles.writer import DrawingConfig
from pipelines import cli
from pipelines.animate import animate_manifest
from pipelines.compare import CompareConfig, compare
from pipelines.curate import CurateConfig, curate
from pipelines.doodle_model.job import make_doodle_model
from pipelines.doodle_model.settings import DoodleModelConfig
from pipelines.doodles import DoodlesConfig, make_doodles
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.merge_lora import MergeConfig, merge
from pipelines.preview import PreviewConfig, write_preview
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.report import ReportConfig, write_report
from pipelines.status import StatusConfig, print_status
from tests.helpers.animations import write_animation
from tests.helpers.corpora import SKETCHES, flags, good_rows, make_manifest, read_rows

LOCAL = ExecutorConfig(executor="local")
RUNS = b"""
[[run]]
name = "Still sketch"
method = "still"
num_frames = 2
"""


def put_manifest(s3, prefix: str, count: int = 6) -> str:
    """Put a manifest, and the sketches that it names by their paths below it, into the bucket."""
    rows = []
    for number, sketch in enumerate(sorted(SKETCHES.glob("*.svg"))[:count]):
        s3.put(f"{prefix}/sketches/{sketch.name}", sketch.read_bytes())
        name = f"sketches/{sketch.name}"
        rows.append({"id": f"row {number}", "sketch": name, "prompt": f"it moves, way {number}"})
    s3.put(f"{prefix}/manifest.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    return s3.uri(f"{prefix}/manifest.jsonl")


def test_a_corpus_in_a_store_is_made_scored_chosen_and_shown(job, whole, clip_folder, s3, capsys):
    job = replace(job, manifest=put_manifest(s3, "chain"), output=s3.uri("chain/clips"))
    clip_model = str(clip_folder)
    assert cli.run(animate_manifest, type(job), None, flags(job)) == 0
    made = [clip.row["frames_sha256"] for clip in read_corpus(job.output)]
    assert made == [row["frames_sha256"] for row in read_rows(whole.output)]

    scoring = EvaluateConfig(corpus=job.output, clip_model=clip_model, executor=LOCAL)
    assert evaluate(scoring) == 0
    chosen = s3.uri("chain/chosen")
    choice = CurateConfig(
        corpus=job.output, output=chosen, keep=("motion>=0",), duplicate_cosine=None
    )
    assert curate(choice) == 0
    plan = json.loads(s3.get("chain/chosen/run.json"))
    assert plan["log"]["corpus"] == job.output
    for corpus in (job.output, chosen):
        assert print_status(StatusConfig(corpus=corpus, verify=True)) == 0
        assert "is as committed" in capsys.readouterr().out
    # What was chosen has its sketches with it, and can be scored again.
    assert evaluate(replace(scoring, corpus=chosen, overwrite=True)) == 0
    assert sorted(clip.row["frames_sha256"] for clip in read_corpus(chosen)) == sorted(made)

    assert write_report(ReportConfig(corpus=job.output)) == 0
    assert write_report(ReportConfig(corpus=chosen, output=s3.uri("chain/shown/page.html"))) == 0
    shown = s3.uri("chain/shown/clips.png")
    gifs = s3.uri("chain/shown/gifs")
    assert write_preview(PreviewConfig(corpus=job.output, output=shown, gifs=gifs)) == 0
    keys = s3.keys("chain/shown/")
    assert {"chain/shown/page.html", "chain/shown/clips.png"} < set(keys) and len(keys) == 2 + 6
    assert b"Sketch animations: clips" in s3.get("chain/clips/report.html")
    assert load_sketch(shown, 64).min() < 200


def test_runs_in_a_store_are_compared(tiny_folder, clip_folder, s3):
    s3.put("compare/runs.toml", RUNS)
    config = CompareConfig(
        manifest=put_manifest(s3, "compare", 2),
        runs=s3.uri("compare/runs.toml"),
        output=s3.uri("compare/out"),
        model=str(tiny_folder),
        clip_model=str(clip_folder),
        threads=1,
        executor=LOCAL,
    )
    assert compare(config) == 0
    assert b"| Still sketch |" in s3.get("compare/out/table.md")
    assert len(list(read_corpus(s3.uri("compare/out/still-sketch")))) == 2


def test_animations_and_captions_in_a_store_become_shards(s3, tmp_path):
    for number in range(3):
        write_animation(tmp_path / "in" / f"thing {number}", prompt=f"way {number}" * (number > 0))
    s3.upload(tmp_path / "in", "rasterize/in")
    s3.put("rasterize/captions.tsv", b"name\tprompt\nthing 0\tit comes\n")
    config = RasterizeConfig(
        animations=s3.uri("rasterize/in"),
        captions=s3.uri("rasterize/captions.tsv"),
        output=s3.uri("rasterize/out"),
        raster=RasterConfig(size=16),
        rows_per_shard=2,
        executor=LOCAL,
    )
    assert make_training_shards(config) == 0
    s3.put("rasterize/captions.tsv", b"name\tprompt\nthing 0\tit comes\n")
    assert make_training_shards(config) == 0, "a resume finds the same"
    clips = list(read_corpus(config.output))
    assert [clip.prompt for clip in clips] == ["it comes", "way 1", "way 2"]
    local = replace(
        config,
        animations=str(tmp_path / "in"),
        captions=None,
        output=str(tmp_path / "out"),
        max_failures="1",
    )
    assert make_training_shards(local) == 0
    for clip, other in zip(clips[1:], list(read_corpus(local.output)), strict=True):
        np.testing.assert_array_equal(clip.frames, other.frames)


def test_doodles_are_drawn_into_a_store(s3, tmp_path):
    three, four = (DrawingConfig(num_animations=number, num_frames=2) for number in (3, 4))
    here, there = str(tmp_path / "doodles"), s3.uri("doodles/in")
    assert make_doodles(DoodlesConfig(output=there, drawing=three)) == 0
    first = s3.keys("doodles/in/")
    # What a job that was killed leaves: frames without their prompt.
    prompt = next(key for key in first if key.endswith("prompt.txt"))
    s3.client.delete_object(Bucket="bucket", Key=prompt)
    assert make_doodles(DoodlesConfig(output=there, drawing=four)) == 0
    assert make_doodles(DoodlesConfig(output=here, drawing=four)) == 0
    s3.download("doodles/in", tmp_path / "copy")
    files = [path for path in (tmp_path / "doodles").rglob("*") if path.is_file()]
    assert len(files) == len(s3.keys("doodles/in/")) == 4 * 3
    for path in files:
        copy = tmp_path / "copy" / path.relative_to(tmp_path / "doodles")
        assert copy.read_bytes() == path.read_bytes()
    for other in (replace(four, seed=1), replace(four, num_frames=3)):
        with pytest.raises(ValueError, match="holds another animation"):
            make_doodles(DoodlesConfig(output=there, drawing=other))

    table = s3.uri("doodles/rows.parquet")
    assert make_doodles(DoodlesConfig(manifest=table, drawing=four)) == 0
    assert make_doodles(DoodlesConfig(manifest=here + ".parquet", drawing=four)) == 0
    assert s3.get("doodles/rows.parquet") == (tmp_path / "doodles.parquet").read_bytes()


def test_one_drawing_comes_from_a_store_and_its_clip_goes_there(s3, tmp_path, capsys):
    s3.put("one/cat.svg", (SKETCHES / "cat.svg").read_bytes())
    quick = ["--num-frames", "2", "--num-inference-steps", "1", "--align-steps", "0"]
    run_flipsketch([s3.uri("one/cat.svg"), "it moves", "-o", s3.uri("one/cat.png"), *quick])
    run_flipsketch([str(SKETCHES / "cat.svg"), "it moves", "-o", str(tmp_path / "cat.png"), *quick])
    assert s3.get("one/cat.png") == (tmp_path / "cat.png").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]
    assert Image.open(tmp_path / "cat.png").size == (64, 128)
    with pytest.raises(SystemExit):
        run_flipsketch([s3.uri("one/none.svg"), "it moves", "-o", "x.gif", *quick])
    assert "one/none.svg" in capsys.readouterr().err


def test_models_and_adapters_are_refused_in_a_store_and_leave_no_folder(job, s3, tmp_path):
    for change in ({"model": s3.uri("models/m")}, {"lora": s3.uri("models/l")}):
        with pytest.raises(ValueError, match="are read from local disks alone"):
            animate_manifest(replace(job, **change))
    with pytest.raises(ValueError, match="models are made on local disks alone"):
        make_doodle_model(DoodleModelConfig(output=s3.uri("models/made")))
    with pytest.raises(ValueError, match="are written to local disks alone"):
        merge(MergeConfig(model="doodle", output=s3.uri("models/merged")))
    assert not Path(job.output).exists() and not s3.keys("models/")


def test_a_shard_costs_a_store_few_requests(job, proxy, tmp_path):
    counts = []
    for num_rows in (2, 6):
        folder = tmp_path / str(num_rows)
        folder.mkdir()
        manifest = make_manifest(folder, good_rows(num_rows))
        proxy.requests()
        output = proxy.uri(f"requests/{num_rows}")
        assert animate_manifest(replace(job, manifest=manifest, output=output)) == 0
        counts.append(proxy.count())
    more = counts[1] - counts[0]
    # Of two shards: reads of the plan, two files with a look at each, and a note that comes and
    # goes; the folder that holds it is marked as one.
    assert more.total() <= 2 * 14 and more["PUT"] <= 2 * 4 and more["POST"] == 0

"""The job with --method livesketch: vector clips beside those of pixels, all else as with any."""

import hashlib
import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import datasets
import numpy as np
import pytest
import webdataset

from flipsketch import read_corpus
from flipsketch.corpus.shard import read_sample
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.storage.folder import open_folder
from flipsketch.svg.animated import read_animated_svg
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.makers.clip_columns import livesketch_columns, reserved_names
from pipelines.preview import PreviewConfig, write_preview
from pipelines.report import ReportConfig, write_report
from pipelines.status import StatusConfig, print_status
from tests.helpers.corpora import read_rows, same_corpus
from tests.helpers.vector_corpora import change_first_svg
from tests.helpers.vector_jobs import BAD, SIZE, make_vector_job

LOCAL = ExecutorConfig(executor="local")


@pytest.fixture(scope="module")
def vectors(tiny_folder, tmp_path_factory) -> AnimateConfig:
    """A corpus, to be read or copied."""
    job = make_vector_job(tiny_folder, tmp_path_factory.mktemp("vectors"))
    assert animate_manifest(job) == 0
    return job


@pytest.fixture
def again(vectors, tmp_path) -> AnimateConfig:
    """The same job, with a copy of the corpus to be changed."""
    output = str(shutil.copytree(vectors.output, tmp_path / "corpus"))
    return replace(vectors, output=output)


def test_strokes_are_written_as_pixels_and_as_svg(vectors):
    clips = list(read_corpus(vectors.output))
    assert [len(clip.frames) for clip in clips] == [3, 3, 5, 3, 3]
    for clip in clips:
        assert clip.frames.shape[1:] == (SIZE, SIZE, 3)
        assert (clip.row["height"], clip.row["width"]) == (SIZE, SIZE)
        np.testing.assert_array_equal(clip.frames[0], clip.sketch)
        # Greys are kept.
        assert len(np.unique(clip.frames)) > 2
        svgs = read_animated_svg(clip.svg)
        assert len(svgs) == len(clip.frames) and len(set(svgs)) > 1


def test_drawings_that_are_no_strokes_fail_alone(vectors):
    rows = {row["id"]: row for row in read_rows(vectors.output)}
    assert {name for name, row in rows.items() if row["status"] == "failed"} == set(BAD)
    assert "raster picture" in rows["raster"]["error"]
    assert rows["perhaps"]["error"] == "trace must be true or false, found 'perhaps'"
    assert "298 frames are more than the 256 of an animated SVG" in rows["long"]["error"]
    assert (rows["row 4"]["trace"], rows["row 0"]["trace"]) == (True, False)
    assert "coloured.svg" in rows["coloured"]["error"] and "#ff0000" in rows["coloured"]["error"]


def test_the_settings_are_in_the_plan_the_columns_and_the_samples_of_this_method_alone(
    vectors, whole
):
    plan, other = (
        json.loads((Path(job.output) / "run.json").read_bytes())["settings"]
        for job in (vectors, whole)
    )
    own = asdict(vectors.livesketch)
    # What chose among the tries, if there were several, and not where that lay.
    del own["clip_model"]
    assert {**own, "scorer_fingerprint": None}.items() <= plan.items()
    assert not own.keys() & other.keys()
    assert (plan["align_steps"], plan["guidance_scale"], plan["binarize"]) == (0, 1.0, False)
    columns = {column.name for column in livesketch_columns().values()}
    good = [row for row in read_rows(vectors.output) if row["status"] == "ok"]
    sample = json.loads(read_sample(open_folder(vectors.output), 0, good[0]).json)
    for found in (good[0], sample):
        assert columns <= found.keys()
        assert (found["optimization_steps"], found["stroke_motion"]) == (2, "lattice")
    svg = next(read_corpus(vectors.output)).svg
    assert good[0]["svg_sha256"] == sample["svg_sha256"] == hashlib.sha256(svg).hexdigest()
    assert not {*columns, "svg_sha256"} & read_rows(whole.output)[0].keys()
    assert not columns & set(reserved_names("flipsketch", None))
    reserved = {*columns, *own, "output_size", "clip_model", "svg_sha256"} - {"trace"}
    for settings in (None, plan):
        assert reserved <= set(reserved_names("livesketch", settings))
        assert "trace" not in reserved_names("livesketch", settings)


def test_readers_of_tars_give_the_svg_as_it_is(vectors, tmp_path):
    expected = {clip.row["key"]: clip.svg for clip in read_corpus(vectors.output)}
    tars = sorted(map(str, (Path(vectors.output) / "clips").iterdir()))
    clips = list(webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8"))
    assert {clip["__key__"]: clip["svg"] for clip in clips} == expected
    for streaming in (True, False):
        clips = datasets.load_dataset(
            vectors.output, split="train", streaming=streaming, cache_dir=str(tmp_path / "cache")
        )
        assert {clip["__key__"]: clip["svg"] for clip in clips} == expected


def test_a_shard_that_is_lost_is_made_again_to_the_byte(vectors, again):
    """Good rows of a batch stay the same if the others are bad, or are tried alone."""
    output = Path(again.output)
    (output / "metadata" / "00000.parquet").unlink()
    (output / "clips" / "00000.tar").write_bytes(b"cut short")
    assert animate_manifest(again) == 0
    assert same_corpus(again.output, vectors.output)


def test_a_run_with_other_settings_is_refused(vectors):
    other = replace(vectors.livesketch, distillation_guidance=3.0)
    with pytest.raises(ValueError, match="distillation_guidance: 15.0 there, 3.0 now"):
        animate_manifest(replace(vectors, livesketch=other))
    # What the method has no use for does not matter.
    sampling = replace(vectors.sampling, guidance_scale=2.0, solver="dpmpp_2m")
    assert animate_manifest(replace(vectors, sampling=sampling)) == 0


@pytest.mark.parametrize("name", ["output_size", "clip_model", "rigidity"])
def test_a_row_cannot_say_the_settings_of_the_whole_run(vectors, tmp_path, name):
    rows = [json.loads(line) for line in Path(vectors.manifest).read_text().splitlines()]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps({**row, name: 64}) + "\n" for row in rows))
    for dry_run in (True, False):
        job = replace(vectors, manifest=str(manifest), output=str(tmp_path / "none"))
        with pytest.raises(ValueError, match=f"column '{name}' is a reserved name"):
            animate_manifest(replace(job, dry_run=dry_run))


def test_settings_of_another_method_are_named(job, vectors, caplog):
    with pytest.raises(ValueError, match="flipsketch has no use for --optimization-steps, --tries"):
        replace(job, livesketch=LiveSketchConfig(optimization_steps=3, tries=2))
    sampling = replace(vectors.sampling, solver="dpmpp_2m", guidance_scale=2.0)
    animate_manifest(replace(vectors, sampling=sampling, dry_run=True))
    assert "the method livesketch has no use for solver, guidance_scale" in caplog.text


def test_more_rows_and_second_tries(again, tmp_path):
    rows = [json.loads(line) for line in Path(again.manifest).read_text().splitlines()]
    more = [{**row, "id": f"{row['id']} again"} for row in rows[:1]]
    folder = Path(again.manifest).parent
    shutil.copy(folder / "sketches" / "star.svg", tmp_path / "star.svg")
    shutil.copytree(folder / "sketches", tmp_path / "sketches")
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))
    shutil.copy(tmp_path / "star.svg", tmp_path / "coloured.svg")
    job = replace(again, manifest=str(manifest), extend=True, retry_failed=True)
    assert animate_manifest(job) == 0
    statuses = {row["id"]: row["status"] for row in read_rows(job.output)}
    assert statuses["coloured"] == statuses["row 0 again"] == "ok"
    assert statuses["raster"] == "failed"


def test_it_is_scored_curated_shown_and_verified_as_any_corpus(
    again, clip_folder, tmp_path, capsys
):
    score = EvaluateConfig(corpus=again.output, clip_model=str(clip_folder), executor=LOCAL)
    assert evaluate(score) == 0
    chosen = CurateConfig(
        corpus=again.output,
        output=str(tmp_path / "chosen"),
        keep=(),
        duplicate_cosine=None,
        splits=("train=1",),
    )
    assert curate(chosen) == 0
    before, after = (
        {clip.row["key"]: clip.svg for clip in read_corpus(output)}
        for output in (again.output, chosen.output)
    )
    assert before == after
    assert write_report(ReportConfig(corpus=again.output)) == 0
    picture = str(tmp_path / "preview.png")
    assert write_preview(PreviewConfig(corpus=again.output, output=picture)) == 0
    assert print_status(StatusConfig(corpus=again.output, verify=True)) == 0
    capsys.readouterr()
    assert print_status(StatusConfig(corpus=again.output, remake=2)) == 0
    assert "remade: 2 of 2 clips are as committed" in capsys.readouterr().out
    change_first_svg(Path(again.output) / "clips" / "00000.tar")
    with pytest.raises(ValueError, match=r"00000.tar: the sample .*svg is not as it was written"):
        curate(replace(chosen, output=str(tmp_path / "more")))
    assert not list((tmp_path / "more").glob("clips/*"))


def test_a_dry_run_says_what_clips_take(vectors, tmp_path, capsys):
    job = replace(vectors, output=str(tmp_path / "none"), dry_run=True)
    assert animate_manifest(job) == 0
    once = read_tflop(capsys)
    assert animate_manifest(replace(job, livesketch=replace(job.livesketch, tries=3))) == 0
    assert read_tflop(capsys) == pytest.approx(3 * once, rel=0.01)


def read_tflop(capsys) -> float:
    return float(re.search(r"guessed from (\S+) TFLOP a clip", capsys.readouterr().out)[1])


def test_a_pilot_of_the_best_of_two_tries(vectors, clip_folder, tmp_path, capsys):
    moved = shutil.copytree(clip_folder, tmp_path / "scorer")
    own = replace(vectors.livesketch, tries=2, clip_model=str(clip_folder))
    job = replace(vectors, output=str(tmp_path / "pilot"), livesketch=own, pilot=4)
    assert animate_manifest(job) == 0
    assert "for the other 5 rows" in capsys.readouterr().out
    # The scorer is known by what it is, not by where it lies.
    again = replace(job, livesketch=replace(own, clip_model=str(moved)))
    assert animate_manifest(again) == 0
    assert print_status(StatusConfig(corpus=job.output, remake=1)) == 0
    (moved / "config.json").unlink()
    with pytest.raises(ValueError, match="scorer"):
        animate_manifest(again)

"""The job, end to end: animations in, shards to train on out."""

import json
import logging
import os
import resource
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from flipsketch.animations.reader import AnimationReader, RasterConfig, rasterize_animation
from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.shard import read_sample
from flipsketch.media.clip import decode_filmstrip
from flipsketch.storage.folder import open_folder
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.sharding.state import read_status
from tests.helpers.animations import frame, write_animation, write_livesketch
from tests.helpers.corpora import exit_code, start_child

SIZE = 32


@pytest.fixture
def shards(tmp_path) -> RasterizeConfig:
    """A job on six animations; tests replace what they are about."""
    for number in range(6):
        write_livesketch(tmp_path / "in" / f"thing {number}", 3 + number, f"it moves, way {number}")
    return RasterizeConfig(
        animations=str(tmp_path / "in"),
        output=str(tmp_path / "out"),
        raster=RasterConfig(size=SIZE),
        rows_per_shard=2,
        executor=ExecutorConfig(executor="local"),
    )


def rows_of(config: RasterizeConfig) -> list[dict]:
    paths = sorted((Path(config.output) / "metadata").iterdir())
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def tars_of(config: RasterizeConfig) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (Path(config.output) / "shards").iterdir()}


def status_of(config: RasterizeConfig):
    folder = open_folder(config.output)
    return read_status(folder, read_plan(folder), verify=True)


def test_animations_become_shards(shards):
    assert make_training_shards(shards) == 0
    reader = AnimationReader(shards.animations, shards.raster)
    for number, row in enumerate(rows_of(shards)):
        assert (row["id"], row["num_frames"]) == (f"thing {number}", 3 + number)
        sample = read_sample(open_folder(shards.output), number // 2, row, "shards")
        assert sample.txt.decode() == row["prompt"] == f"it moves, way {number}"
        frames = rasterize_animation(reader.read(row["animation"]), shards.raster)
        np.testing.assert_array_equal(decode_filmstrip(sample.png, 3 + number), frames)
        np.testing.assert_array_equal(decode_filmstrip(sample.sketch, 1)[0], frames[0])
    status = status_of(shards)
    assert (status.ok, status.missing, status.in_doubt, status.problems) == (6, 0, [], [])


def test_the_shards_open_in_datasets_and_webdataset(shards, tmp_path):
    make_training_shards(shards)
    expected = {row["key"]: row["prompt"] for row in rows_of(shards)}
    clips = datasets.load_dataset(
        shards.output, split="train", cache_dir=str(tmp_path / "cache"), streaming=True
    )
    assert {clip["__key__"]: clip["txt"] for clip in clips} == expected
    tars = [str(Path(shards.output) / "shards" / name) for name in sorted(tars_of(shards))]
    found = webdataset.WebDataset(tars, shardshuffle=False)
    assert {sample["__key__"]: sample["txt"].decode() for sample in found} == expected


def test_captions_win_over_prompt_files_and_no_prompt_fails_the_row(shards, tmp_path):
    (tmp_path / "in" / "thing 2" / "prompt.txt").unlink()
    (tmp_path / "captions.tsv").write_text("name\tprompt\nthing 4_scaled1\tit jumps\n")
    assert make_training_shards(replace(shards, captions=str(tmp_path / "captions.tsv"))) == 1
    rows = rows_of(shards)
    assert rows[4]["prompt"] == "it jumps" and rows[1]["prompt"] == "it moves, way 1"
    assert "has no prompt" in rows[2]["error"]
    assert [row["status"] for row in rows].count("ok") == 5
    # It is given one later.
    (tmp_path / "captions.tsv").write_text("name\tprompt\nthing 4\tit jumps\nthing 2\tit sits\n")
    again = replace(shards, captions=str(tmp_path / "captions.tsv"), retry_failed=True)
    assert make_training_shards(again) == 0
    assert (rows_of(shards)[-1]["prompt"], status_of(shards).ok) == ("it sits", 6)


def test_another_prompt_for_what_is_made_is_refused_by_name(shards, tmp_path):
    make_training_shards(shards)
    (tmp_path / "in" / "thing 1" / "prompt.txt").write_text("it stops")
    with pytest.raises(ValueError, match="thing 1: its prompt is 'it stops' now, but 'it moves"):
        make_training_shards(shards)


def test_two_animations_of_one_name_are_two_rows_and_the_run_goes_on(shards, tmp_path):
    with zipfile.ZipFile(tmp_path / "in" / "thing 0.zip", "w") as archive:
        archive.writestr("frame000.svg", frame(7))
        archive.writestr("prompt.txt", "it is packed")
    assert make_training_shards(shards) == 0
    names = {row["id"]: row["prompt"] for row in rows_of(shards)}
    assert names["thing 0.zip!/"] == "it is packed" and names["thing 0"] == "it moves, way 0"
    assert len(names) == 7 and make_training_shards(shards) == 0


def test_a_mended_archive_is_tried_again_and_what_it_holds_is_added(shards, tmp_path):
    (tmp_path / "in" / "more.zip").write_bytes(b"PK and no more")
    assert make_training_shards(shards) == 1
    (bad,) = [row for row in rows_of(shards) if row["status"] == "failed"]
    assert bad["id"] == "more" and "the archive cannot be read" in bad["error"]
    with zipfile.ZipFile(tmp_path / "in" / "more.zip", "w") as archive:
        archive.writestr("cat/frame000.svg", frame(7))
        archive.writestr("cat/prompt.txt", "a cat")
    with pytest.raises(ValueError, match=r"1 more are there now \(more/cat, ...\); add --extend"):
        make_training_shards(shards)
    make_training_shards(replace(shards, extend=True))
    assert rows_of(shards)[-1]["id"] == "more/cat" and status_of(shards).ok == 7


def test_a_stray_frame_hides_nothing(shards, tmp_path):
    (tmp_path / "in" / "frame000.svg").write_bytes(frame(0))
    assert make_training_shards(shards) == 1
    assert status_of(shards).ok == 6


def test_names_that_are_not_text_fail_their_own_row(shards, tmp_path):
    write_animation(tmp_path / "in" / "bad")
    os.rename(bytes(tmp_path / "in" / "bad"), bytes(tmp_path / "in") + b"/bad\xff")
    write_animation(tmp_path / "in" / "wow!" / "cat", prompt="a cat")
    assert make_training_shards(shards) == 1
    failed = [row["id"] for row in rows_of(shards) if row["status"] == "failed"]
    assert failed == ["bad\\udcff"] and status_of(shards).ok == 7


def test_a_licence_may_be_named_later(shards):
    make_training_shards(shards)
    card = Path(shards.output) / "README.md"
    assert "license: unknown" in card.read_text()
    make_training_shards(replace(shards, license="cc0-1.0"))
    assert "license: cc0-1.0" in card.read_text()
    make_training_shards(shards)
    assert "license: cc0-1.0" in card.read_text()


def test_overwriting_forgets_what_the_old_run_went_through(shards):
    make_training_shards(shards)
    note = {"stage": "rasterizing", "running": [0], "limit_s": 0.1}
    note["suspects"] = {"reading": [], "animating": [], "rasterizing": [0]}
    (Path(shards.output) / "_tmp" / "attempts-00000.json").write_text(json.dumps(note))
    assert make_training_shards(replace(shards, overwrite=True)) == 0
    assert {row["attempts"] for row in rows_of(shards)} == {1}


def test_another_folder_of_animations_is_warned_of(shards, tmp_path, caplog):
    make_training_shards(shards)
    shutil.copytree(tmp_path / "in", tmp_path / "moved")
    with caplog.at_level(logging.WARNING):
        assert make_training_shards(replace(shards, animations=str(tmp_path / "moved"))) == 0
    assert "the run began with the animations in" in caplog.text


def test_a_run_goes_on_where_it_was(shards):
    make_training_shards(shards)
    whole = tars_of(shards)
    for lost in ("shards/00001.tar", "metadata/00001.parquet"):
        (Path(shards.output) / lost).unlink()
    changed = (Path(shards.output) / "shards" / "00000.tar").stat().st_mtime_ns
    assert make_training_shards(shards) == 0
    assert tars_of(shards) == whole
    assert (Path(shards.output) / "shards" / "00000.tar").stat().st_mtime_ns == changed


def test_another_size_is_another_plan(shards):
    make_training_shards(shards)
    with pytest.raises(ValueError, match="size: 32 there, 64 now"):
        make_training_shards(replace(shards, raster=RasterConfig(size=64)))


def test_new_animations_are_added_behind_wherever_they_sort(shards, tmp_path):
    make_training_shards(shards)
    before = tars_of(shards)
    write_animation(tmp_path / "in" / "a first", prompt="it is new")
    with pytest.raises(ValueError, match="--extend"):
        make_training_shards(shards)
    assert make_training_shards(replace(shards, extend=True)) == 0
    assert before.items() < tars_of(shards).items()
    assert rows_of(shards)[-1]["id"] == "a first"
    assert make_training_shards(shards) == 0, "a plain resume has the same order"


def test_a_mended_animation_is_tried_again(shards, tmp_path):
    broken = tmp_path / "in" / "thing 3" / "svg_logs" / "svg_step1000" / "frame001.svg"
    good = broken.read_bytes()
    broken.write_bytes(b"<svg")
    assert make_training_shards(shards) == 1
    assert "frame001.svg: the SVG is cut short" in rows_of(shards)[3]["error"]
    broken.write_bytes(good)
    assert make_training_shards(replace(shards, retry_failed=True)) == 0
    assert rows_of(shards)[-1]["id"] == "thing 3" and rows_of(shards)[-1]["status"] == "ok"
    assert (status_of(shards).ok, status_of(shards).failed) == (6, 0)


def test_few_shards_for_many_training_workers_are_warned_of(shards, caplog):
    with caplog.at_level(logging.WARNING):
        make_training_shards(replace(shards, rows_per_shard=1))
        assert "training workers" not in caplog.text
        make_training_shards(replace(shards, rows_per_shard=1, training_workers=2))
    assert "6 shards for 2 training workers: 8 or more" in caplog.text


def test_a_dry_run_writes_nothing(shards, capsys):
    assert make_training_shards(replace(shards, dry_run=True)) == 0
    assert "rows:   6\nshards: 3 of up to 2 rows" in capsys.readouterr().out
    assert not Path(shards.output).exists()


def test_a_folder_without_animations_is_refused(shards, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="has no animations; they are folders"):
        make_training_shards(replace(shards, animations=str(tmp_path / "none")))


# What each is refused for, so that none gets as far as what it would do.
HOSTILE = {
    "entities": (
        b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
        + b"]><svg width='9' height='9'>&j;</svg>",
        "entities",
    ),
    "external": (
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        b'<svg width="9" height="9"><title>&a;</title></svg>',
        "lies in another file",
    ),
    "file": (
        b'<svg width="9" height="9"><image href="file:///etc/passwd"/></svg>',
        "nothing but images",
    ),
    "http": (
        b'<svg width="9" height="9"><image href="http://127.0.0.1:9/x"/></svg>',
        "nothing but images",
    ),
    "use": (
        b'<svg width="9" height="9"><g id="a0"/>'
        + b"".join(b'<g id="a%d">%s</g>' % (i + 1, b'<use href="#a%d"/>' % i * 9) for i in range(9))
        + b"</svg>",
        "with the copies that <use>",
    ),
    "huge": (
        b'<svg width="1e5" height="1e5"><path d="M0 0H9" stroke="black"/></svg>',
        "100000 x 100000",
    ),
    "nan": (
        b'<svg width="9" height="9"><path d="M0 0LNaN 9" stroke="black"/></svg>',
        "its canvas is 9 x 9",
    ),
    "long": (
        b'<svg width="9" height="9"><path d="M0 0' + b"L1 1" * 1_800_000 + b'"/></svg>',
        "bytes",
    ),
    "gzip": (b"\x1f\x8b\x08\x00", "gzip"),
    "torn": (frame(0)[:-40], "not XML"),
    "empty": (b"", "empty"),
    "text": (b"no drawing at all", "not XML"),
}


def test_hostile_animations_are_refused_and_the_others_saved(tmp_path):
    reasons = {"bomb/a": "bytes", "slip.zip!/../../etc/cron.d/frame000.svg": "outside"}
    for name, (svg, reason) in HOSTILE.items():
        reasons[name] = reason
        write_animation(tmp_path / "in" / name, prompt="it attacks")
        (tmp_path / "in" / name / "frame001.svg").write_bytes(svg)
    write_animation(tmp_path / "in" / "good", prompt="it is good")
    for name, entry in (("slip", "../../etc/cron.d/frame000.svg"), ("bomb", "a/frame000.svg")):
        with zipfile.ZipFile(tmp_path / "in" / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(entry, b" " * 50_000_000)
            archive.writestr("a/prompt.txt", "it attacks")
            archive.writestr("good/frame000.svg", frame(0))
            archive.writestr("good/prompt.txt", "it is good")
    config = RasterizeConfig(
        animations=str(tmp_path / "in"),
        output=str(tmp_path / "out"),
        raster=RasterConfig(size=SIZE),
        executor=ExecutorConfig(executor="local"),
    )

    def limit():
        """Let the kernel refuse memory beyond what is taken already, and end what takes long."""
        taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (taken + 400 * 2**20,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    assert exit_code(start_child(config, limit, make_training_shards)) == 1
    errors = {row["id"]: row["error"] for row in rows_of(config)}
    good = {name for name, error in errors.items() if error is None}
    assert good == {"good", "bomb/good", "slip/good"} and errors.keys() == good | reasons.keys()
    assert [name for name, reason in reasons.items() if reason not in errors[name]] == []


def test_captions_in_parquet_take_the_same_road(shards, tmp_path):
    table = pa.table({"name": ["thing 0"], "prompt": ["it flies"]})
    pq.write_table(table, tmp_path / "captions.parquet")
    make_training_shards(replace(shards, captions=str(tmp_path / "captions.parquet")))
    assert rows_of(shards)[0]["prompt"] == "it flies"

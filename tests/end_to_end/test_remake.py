"""An audit that makes committed clips again finds those that are not what their plan says."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch.corpus.plan import read_plan, write_plan
from flipsketch.corpus.row_digests import digest_of, read_digests
from flipsketch.corpus.shard import ROW_DIGEST, read_metadata, read_sample, write_shard
from flipsketch.media.clip import decode_filmstrip, encode_filmstrip
from flipsketch.storage.folder import open_folder
from pipelines.makers.clip_columns import row_schema
from pipelines.status import StatusConfig, print_status
from tests.helpers.runs import Runs


@pytest.fixture(scope="module")
def runs(tiny_folder, clip_folder, tmp_path_factory) -> Runs:
    found = Runs(tmp_path_factory.mktemp("runs"), tiny_folder, clip_folder)
    found.make()
    return found


@pytest.fixture
def corpus(runs, tmp_path) -> Path:
    """A copy of the corpus, to be changed."""
    return shutil.copytree(runs.outputs[0], tmp_path / "corpus")


def audit(corpus: Path, capsys, **flags) -> tuple[int, list[str]]:
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    code = print_status(StatusConfig(corpus=str(corpus), seed=3, **flags))
    assert before == {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    return code, capsys.readouterr().out.splitlines()


def forge(corpus: Path, shard: int, columns: slice) -> None:
    """Commit a shard again in which a part of each clip is white, with all hashes as they ought."""
    folder = open_folder(str(corpus))
    plan = read_plan(folder)
    digests = read_digests(folder, plan)
    rows = read_metadata(folder, shard).to_pylist()
    samples = []
    for row in rows:
        row[ROW_DIGEST] = digest_of(digests, row["manifest_row"])
        if row["status"] == "ok":
            sample = read_sample(folder, shard, row)
            frames = decode_filmstrip(sample.png, row["num_frames"]).copy()
            frames[:, :, columns] = 255
            samples.append(replace(sample, png=encode_filmstrip(frames)))
    write_shard(folder, plan, shard, rows, samples, row_schema())


def test_clips_and_shards_are_made_again_as_they_were(runs, capsys):
    corpus, chosen, shards = runs.outputs
    code, lines = audit(corpus, capsys, remake=4)
    assert code == 0 and lines[0].startswith(
        "remake: 4 of 5 clips, chosen by --seed 3; compared ex"
    )
    assert [line.partition(":")[0] for line in lines[1:]] == ["same"] * 4 + ["remade"]
    code, lines = audit(shards, capsys, remake=9)
    assert code == 0 and lines[-1] == "remade: 3 of 3 clips are as committed"
    with pytest.raises(ValueError, match=f"are copies.*--corpus {corpus} --remake 2"):
        audit(chosen, capsys, remake=2)


def test_a_clip_that_was_forged_is_found_though_its_hashes_agree(corpus, capsys):
    forge(corpus, 0, slice(0, 8))
    assert print_status(StatusConfig(corpus=str(corpus))) == 0
    code, lines = audit(corpus, capsys, remake=5)
    assert code == 1 and lines[-1] == "remade: 3 of 5 clips are as committed"
    differing = [line for line in lines if line.startswith("differs: row ")]
    assert len(differing) == 2 and all(
        "in shard 00000: pixels differ by" in one for one in differing
    )


def test_on_other_versions_clips_are_compared_within_a_tolerance(corpus, capsys):
    folder = open_folder(str(corpus))
    plan = read_plan(folder)
    versions = {**plan.log["versions"], "torch": "1.0"}
    write_plan(folder, replace(plan, log={**plan.log, "versions": versions}))
    forge(corpus, 0, slice(0, 1))
    forge(corpus, 2, slice(0, 16))
    code, lines = audit(corpus, capsys, remake=5)
    assert "compared within 5 of 255 on average" in lines[0]
    verdicts = sorted(line.partition(":")[0] for line in lines[1:-1])
    assert code == 1 and verdicts.count("differs") >= 2 and "same" in verdicts


def test_what_a_clip_was_made_of_must_be_there_still(runs, corpus, capsys, tmp_path):
    changed = tmp_path / "changed.jsonl"
    changed.write_text(Path(runs.animate.manifest).read_text().replace("way 1", "way 7"))
    with pytest.raises(ValueError, match="pass --manifest"):
        audit(corpus, capsys, remake=5, manifest=str(changed))
    # Beside the sketches, which its rows name.
    moved = shutil.copy(runs.animate.manifest, Path(runs.animate.manifest).with_name("m.jsonl"))
    assert audit(corpus, capsys, remake=1, manifest=str(moved))[0] == 0
    with pytest.raises(ValueError, match="is not the model that the clips were made with"):
        audit(corpus, capsys, remake=1, model="doodle")
    with pytest.raises(ValueError, match="doodle-lora: the clips were made without an adapter"):
        audit(corpus, capsys, remake=1, lora="doodle-lora")
    with pytest.raises(ValueError, match="drawn without a model; leave out --model"):
        audit(runs.outputs[2], capsys, remake=1, lora="doodle-lora")
    with pytest.raises(ValueError, match="--lora is for --remake"):
        StatusConfig(corpus=str(corpus), lora="doodle-lora")

"""Whatever is damaged is found, named, moved aside and made again."""

import json
import random
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flipsketch import read_corpus
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.rasterize import make_training_shards
from pipelines.report import write_report
from pipelines.status import StatusConfig, print_status
from tests.helpers.animations import write_animation
from tests.helpers.edits import flip
from tests.helpers.runs import Runs


@pytest.fixture(scope="module")
def runs(tiny_folder, clip_folder, tmp_path_factory) -> Runs:
    """Made once; a test that changes a file puts it back."""
    found = Runs(tmp_path_factory.mktemp("runs"), tiny_folder, clip_folder)
    found.make()
    return found


def verify(corpus: Path | str, capsys) -> list[str]:
    """Return what --verify says is not as it should be."""
    capsys.readouterr()
    code = print_status(StatusConfig(corpus=str(corpus), verify=True))
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if line.startswith(("wrong", "in doubt", "note"))]
    assert code == any(not line.startswith("note") for line in found)
    assert ("verified: every" in lines[-1]) == (code == 0)
    return found


def repair(corpus: Path | str, capsys) -> list[str]:
    capsys.readouterr()
    code = print_status(StatusConfig(corpus=str(corpus), repair=True))
    lines = capsys.readouterr().out.splitlines()
    # As long as anything is to be made again, it is said by what.
    assert code == any(line.startswith("then") for line in lines)
    return [line for line in lines if line.startswith(("repaired", "then"))]


def test_what_is_whole_is_found_whole_and_needs_no_repair(runs, capsys):
    for output in runs.outputs:
        assert verify(output, capsys) == [] and repair(output, capsys) == []


def test_each_flipped_bit_is_named_with_its_file_in_one_line(runs, capsys):
    rng = random.Random(0)
    files = [pair for pair in runs.files() for _ in range(3)]
    assert len(files) > 90
    for output, path in files:
        content = path.read_bytes()
        path.write_bytes(flip(content, rng.randrange(8 * len(content))))
        name = str(path.relative_to(output))
        try:
            (line,) = verify(output, capsys)
        finally:
            path.write_bytes(content)
        assert f": {name}: " in line and "; " in line, line


def test_what_is_moved_aside_is_made_again_byte_for_byte(runs, capsys):
    before, rng = runs.contents(), random.Random(1)
    corpus, chosen, shards = runs.outputs
    damaged = {
        corpus: ["run.json", "manifest.json", "README.md", "report.html", "clips/00000.tar"],
        chosen: ["run.copy.json", "manifest.parquet", "scores/00001.parquet", "sample.png"],
        shards: ["animations.parquet", "metadata/00000.parquet", "shards/00001.tar"],
    }
    damaged[corpus] += ["metadata/00002.parquet", "scores/00001.parquet", "scores/prompts.jsonl"]
    damaged[chosen] += ["clips/00000.tar"]
    for output, names in damaged.items():
        for name in names:
            content = (output / name).read_bytes()
            (output / name).write_bytes(flip(content, rng.randrange(8 * len(content))))
        lines = verify(output, capsys)
        assert len(lines) == len(names)
        done = repair(output, capsys)
        for name in names:
            assert any(f"moved {name} -> _damaged/{name}: " in line for line in done)
            assert (output / "_damaged" / name).exists()
        assert "repaired: put back run.json from its copy" in done or output != corpus
        assert any(line.startswith("then rerun: ") for line in done)
        # Nothing is in the way of those who read what is left.
        assert not any("_damaged" in line for line in verify(output, capsys))
    runs.make()
    assert runs.contents() == before
    for output in runs.outputs:
        assert verify(output, capsys) == []


def test_nothing_that_was_moved_aside_is_ever_overwritten(runs, capsys):
    corpus = runs.outputs[0]
    path = corpus / "report.html"
    content = path.read_bytes()
    for number in range(2):
        path.write_bytes(flip(content, 800 + number))
        repair(corpus, capsys)
    path.write_bytes(content)
    kept = {file.read_bytes() for file in (corpus / "_damaged").glob("report.html*")}
    assert {flip(content, 800), flip(content, 801)} <= kept


def test_what_is_missing_is_named_with_what_makes_it_again(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = shutil.copytree(runs.outputs[0], tmp_path / "its corpus")
    place = shlex.quote(str(corpus))
    scores = corpus / "scores" / "00001.parquet"
    content = scores.read_bytes()
    scores.unlink()
    assert repair(corpus, capsys) == [
        f"then run, with the scorers as before: python jobs/evaluate.py --corpus {place}"
    ]
    scores.write_bytes(content)
    # A tar of no shard is moved, and nothing has to be made for it.
    shutil.copy(corpus / "clips" / "00000.tar", corpus / "clips" / "00007.tar")
    assert repair(corpus, capsys) == [
        "repaired: moved clips/00007.tar -> _damaged/clips/00007.tar: is of no clips of the plan"
    ]
    for name in ("clips/00000.tar", "metadata/00000.parquet"):
        content = (corpus / name).read_bytes()
        (corpus / name).unlink()
        (line,) = repair(corpus, capsys)
        assert line.startswith("then rerun: ")
        (corpus / name).write_bytes(content)
    assert repair(corpus, capsys) == []


def test_a_plan_whose_seal_was_removed_is_put_back_from_its_copy(runs, tmp_path, capsys):
    ignore = shutil.ignore_patterns("_damaged")
    corpus = shutil.copytree(runs.outputs[0], tmp_path / "corpus", ignore=ignore)
    content = (corpus / "run.json").read_bytes()
    document = json.loads(content)
    del document["file_sha256"], document["sealed_by"]
    document["log"]["device"] = "cuda"
    edited = json.dumps(document).encode()
    (corpus / "run.json").write_bytes(edited)
    (line,) = verify(corpus, capsys)
    assert line.startswith("wrong: run.json: is not as it was written") and "; add" in line
    with pytest.raises(ValueError, match="run.json: is not as it was written"):
        animate_manifest(replace(runs.animate, output=str(corpus)))
    assert repair(corpus, capsys) == [
        "repaired: moved run.json -> _damaged/run.json: it is no plan as it was written",
        "repaired: put back run.json from its copy",
    ]
    assert (corpus / "_damaged" / "run.json").read_bytes() == edited
    assert (corpus / "run.json").read_bytes() == content == (corpus / "run.copy.json").read_bytes()


def test_a_run_is_not_repaired_while_a_job_runs(runs):
    corpus = str(runs.outputs[0])
    for folder in (corpus, f"{corpus}/scores"):
        with (
            open_folder(folder).locked(),
            pytest.raises(ValueError, match="another job is writing to this folder"),
        ):
            print_status(StatusConfig(corpus=corpus, repair=True))


def test_a_run_without_a_plan_or_its_copy_cannot_be_repaired(runs):
    corpus = runs.outputs[0]
    contents = {name: (corpus / name).read_bytes() for name in ("run.json", "run.copy.json")}
    try:
        for name, content in contents.items():
            (corpus / name).write_bytes(content[:100])
        with pytest.raises(ValueError, match="neither run.json nor run.copy.json is a plan"):
            print_status(StatusConfig(corpus=str(corpus), repair=True))
    finally:
        for name, content in contents.items():
            (corpus / name).write_bytes(content)
    assert not (corpus / "_damaged" / "run.copy.json").exists()


def test_files_of_others_are_named_and_left_alone(runs, capsys):
    corpus = runs.outputs[0]
    mine = [corpus / "notes.txt", corpus / "clips" / "notes.txt", corpus / "more" / "notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    lines = verify(corpus, capsys)
    repair(corpus, capsys)
    assert [line.partition(": not of this run")[0] for line in lines] == [
        *("note: clips/notes.txt", "note: notes.txt", "note: more/"),
    ]
    for path in mine:
        assert path.read_text() == "mine"
        path.unlink()
    mine[-1].parent.rmdir()


def test_animations_that_were_added_keep_their_places(runs, tmp_path, capsys):
    animations = tmp_path / "in"
    config = replace(runs.rasterize, animations=str(animations), output=str(tmp_path / "out"))
    for names in ("bc", "a"):
        for name in names:
            write_animation(animations / name, 3, f"{name} moves")
        assert make_training_shards(replace(config, extend=names == "a")) == 0
    table = tmp_path / "out" / "animations.parquet"
    content = table.read_bytes()
    table.write_bytes(flip(content, 900))
    with pytest.raises(ValueError, match="animations.parquet: its bytes.*--repair moves it aside"):
        make_training_shards(config)
    repair(tmp_path / "out", capsys)
    assert make_training_shards(config) == 0
    assert table.read_bytes() == content


def test_a_reader_leaves_out_the_shards_whose_tars_were_moved_aside(runs, tmp_path, capsys):
    corpus = shutil.copytree(runs.outputs[0], tmp_path / "corpus")
    tar = corpus / "clips" / "00001.tar"
    tar.write_bytes(flip(tar.read_bytes(), 5000))
    repair(corpus, capsys)
    assert len(list(read_corpus(corpus))) == 4
    assert write_report(replace(runs.report, corpus=str(corpus))) == 0
    assert "its tar is gone" in verify(corpus, capsys)[0]


def test_a_corpus_in_a_store_is_verified_and_repaired(runs, s3, capsys):
    corpus = runs.outputs[0]
    damaged = ["clips/00001.tar", "run.json", "scores/00000.parquet"]
    for output, path in runs.files():
        if output == corpus:
            name, content = str(path.relative_to(corpus)), path.read_bytes()
            s3.put(f"damage/{name}", flip(content, 4000) if name in damaged else content)
    place = s3.uri("damage")
    assert len(verify(place, capsys)) == len(damaged)
    assert f"repaired: moved clips/00001.tar -> _damaged/{damaged[0]}: " in repair(place, capsys)[2]
    folder = open_folder(place)
    assert folder.read("run.json") == (corpus / "run.json").read_bytes()
    for name in damaged:
        assert folder.read(f"_damaged/{name}") == flip((corpus / name).read_bytes(), 4000)
    assert [line.partition(";")[0] for line in verify(place, capsys)] == [
        "in doubt: metadata/00001.parquet: its tar is gone"
    ]

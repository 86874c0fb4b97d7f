"""A corpus of sketches on other paper, with other paint, and of rows that hold their SVG."""

import io
import json
import logging
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flipsketch.corpus.plan import Plan, read_plan, write_plan
from flipsketch.corpus.reader import read_corpus
from flipsketch.media.config import AS_IS, SketchConfig
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.status import StatusConfig, print_status
from tests.helpers.corpora import make_manifest, read_rows, read_tars

LINE = '<path d="M10 80L50 20L90 80" fill="none" stroke="#000" stroke-width="6"/>'
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{LINE}{{}}</svg>'
COMMENT = f"<!-- {'x ' * 9000} -->"
YELLOW = (250, 240, 160)
TEXT = '<svg xmlns="http://www.w3.org/2000/svg"><text y="{}">a label</text></svg>'
ONLY = "draws nothing but text"


def rows_on_disk(folder: Path) -> list[dict]:
    """Write sketches and return the rows of a manifest of them."""
    files = {
        "plain.svg": SVG.format(""),
        "label.svg": SVG.format('<text x="5" y="9">label</text>'),
        **{f"text {number}.svg": TEXT.format(number) for number in range(3)},
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    page = Image.new("RGB", (64, 64), YELLOW)
    page.paste((20, 20, 20), (20, 10, 24, 54))
    page.save(folder / "yellow.png")
    names = [*files, "yellow.png"]
    rows = [{"id": name, "sketch": name, "prompt": "it moves"} for name in names]
    inline = {"good": SVG.format(COMMENT), "bad": TEXT.format(7) + COMMENT}
    return rows + [
        {"id": f"inline {name}", "sketch": text, "prompt": "it moves"}
        for name, text in inline.items()
    ]


@pytest.fixture
def stills(job, tmp_path):
    """A job whose clips are the sketches repeated."""
    manifest = make_manifest(tmp_path, rows_on_disk(tmp_path))
    return replace(job, manifest=manifest, method="still", max_failures="9", rows_per_shard=4)


def paper_of(output: str, name: str) -> tuple[int, ...]:
    """Return the colour of a corner of a sketch, as the method saw it."""
    (clip,) = [clip for clip in read_corpus(output) if clip.row["id"] == name]
    return tuple(clip.sketch[0, 0].tolist())


def read_json(output: str, key: str) -> dict:
    """Return what a clip's sample has in its JSON."""
    for tar in read_tars(output).values():
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            if f"{key}.json" in archive.getnames():
                return json.load(archive.extractfile(f"{key}.json"))
    raise AssertionError(f"no sample {key}")


def test_rows_samples_log_and_status_say_how_sketches_were_read(stills, caplog, capsys):
    with caplog.at_level(logging.INFO):
        assert animate_manifest(stills) == 0
    rows = {row["id"]: row for row in read_rows(stills.output)}
    assert {(row["paper"], row["fit"]) for row in rows.values()} == {("repair", "none")}
    assert rows["plain.svg"]["sketch_notes"] == rows["inline good"]["sketch_notes"] == []
    assert rows["label.svg"]["sketch_notes"] == ["left out text"]
    assert [note[:20] for note in rows["yellow.png"]["sketch_notes"]] == ["whitened the paper: "]
    assert rows["text 0.svg"]["sketch_notes"] is None
    assert paper_of(stills.output, "yellow.png") == (255, 255, 255)
    # A row's own SVG is neither repeated in the metadata nor in a message.
    assert rows["inline good"]["status"] == "ok" and rows["inline good"]["sketch"] is None
    assert ONLY in rows["inline bad"]["error"] and len(rows["inline bad"]["error"]) < 300

    about = read_json(stills.output, rows["yellow.png"]["key"])
    assert about["sketch_notes"] == rows["yellow.png"]["sketch_notes"]
    assert (about["paper"], about["fit"]) == ("repair", "none")

    said = "\n".join(caplog.messages)
    assert "sketches: left out text (1 row), whitened the paper (1 row)" in said
    (group,) = [line for line in caplog.messages if ONLY in line]
    assert group.startswith("failed 4 rows: the SVG") and group.endswith("; e.g. row 3 text 0.svg")

    config = StatusConfig(corpus=stills.output)
    assert print_status(config) == 0
    out = capsys.readouterr().out
    assert "failed: 4 rows: the SVG" in out and "; e.g. row 3 text 0.svg" in out
    assert "notes:  left out text (1 row), whitened the paper (1 row)" in out
    print_status(replace(config, json=True))
    found = json.loads(capsys.readouterr().out)
    (failure,) = found["failures"]
    assert (failure["rows"], failure["row"], failure["sketch"]) == (4, 3, "text 0.svg")
    assert found["sketch_notes"] == {"left out text": 1, "whitened the paper": 1}


def test_a_run_from_before_there_was_such_a_setting_goes_on_as_it_began(stills, tmp_path):
    assert animate_manifest(replace(stills, sketches=AS_IS)) == 0
    plan = read_plan(open_folder(stills.output))
    began = {name: plan.settings[name] for name in plan.settings if name not in ("paper", "fit")}
    old = replace(stills, output=str(tmp_path / "old"))
    Path(old.output).mkdir()
    write_plan(open_folder(old.output), Plan(began, plan.chosen, plan.log))
    with pytest.raises(ValueError, match="paper: 'as-is' there, 'refuse' now"):
        animate_manifest(replace(old, sketches=SketchConfig(paper="refuse")))
    assert animate_manifest(old) == 0
    assert read_plan(open_folder(old.output)).settings == began
    assert not {"paper", "fit", "sketch_notes"} & read_rows(old.output)[0].keys()
    assert paper_of(old.output, "yellow.png") == YELLOW
    assert print_status(StatusConfig(corpus=old.output, verify=True)) == 0
    frames = [
        [clip.frames for clip in read_corpus(output)] for output in (old.output, stills.output)
    ]
    np.testing.assert_array_equal(*frames)


def test_another_paper_is_another_run(stills):
    assert animate_manifest(stills) == 0
    with pytest.raises(ValueError, match="paper: 'repair' there, 'as-is' now"):
        animate_manifest(replace(stills, sketches=AS_IS))

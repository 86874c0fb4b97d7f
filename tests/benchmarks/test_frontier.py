"""Quality against time, rehearsed on the toy model."""

import json
from pathlib import Path

import pytest

from tests.helpers.corpora import ROOT, good_rows, make_manifest

VARIANTS = """
[[variant]]
name = "exact, short"
beside = "exact, short"
num_frames = 3
num_inference_steps = 4
align_updates = 1

[[variant]]
name = "cache 2"
num_rows = 1
beside = "exact, short"
num_frames = 3
num_inference_steps = 4
align_updates = 1
cache_interval = 2
"""


@pytest.fixture
def frontier(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import frontier

    return frontier


def test_variants_are_paired_and_a_rerun_goes_on(frontier, tiny_folder, clip_folder, tmp_path):
    (tmp_path / "variants.toml").write_text(VARIANTS)
    config = frontier.FrontierConfig(
        output=tmp_path / "out",
        variants=tmp_path / "variants.toml",
        manifest=make_manifest(tmp_path, good_rows(2)),
        model=str(tiny_folder),
        clip_model=str(clip_folder),
        dtype="float32",
    )
    frontier.main(config)
    results = tmp_path / "out" / "results.jsonl"
    written = results.read_text()
    exact, cached = map(json.loads, written.splitlines())
    assert exact["clips"] == 2 and exact["ink_iou"][0] == 1
    assert exact["clip_cosine"][0] == pytest.approx(1)
    assert exact["motion_difference"] == [0, 0] and exact["unet_frames_shallow"] == 0
    # Of four steps the first aligns, the third is whole, and the fourth composes no more; the
    # second has both passes of the clip and a reference of two frames.
    assert cached["clips"] == 1 and cached["unet_frames_shallow"] == 3 + 3 + 2
    assert cached["unet_frames_with_gradients"] == exact["unet_frames_with_gradients"] == 3
    table = (tmp_path / "out" / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| exact, short", "| cache 2"]
    # What was made is neither made nor written again; what was not is made.
    results.write_text(written.splitlines()[0] + "\n")
    frontier.main(config)
    again = [json.loads(line) for line in results.read_text().splitlines()]
    assert again[0] == exact
    assert again[1] | {"seconds": 0} == cached | {"seconds": 0} and again[1] != cached


def test_a_variant_beside_one_that_is_not_there_is_refused(frontier, tmp_path):
    path = Path(tmp_path) / "variants.toml"
    path.write_text('[[variant]]\nname = "a"\nbeside = "b"\n')
    with pytest.raises(ValueError, match="'a' stands beside 'b', which is not before it"):
        frontier.read_variants(path)

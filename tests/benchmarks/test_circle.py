"""The circle's table, rehearsed on the toy model."""

import pytest

from tests.helpers.corpora import ROOT


@pytest.mark.slow
def test_the_table_is_printed_and_a_rerun_makes_nothing_again(
    monkeypatch, tiny_folder, clip_folder, tmp_path, capsys
):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import circle

    config = circle.CircleConfig(
        output=tmp_path,
        num_clips=2,
        optimization_steps=1,
        training_steps=2,
        num_rows=2,
        model=str(tiny_folder),
        size=16,
        manifest=str(ROOT / "data" / "manifests" / "heldout.parquet"),
        clip_model=str(clip_folder),
        livesketch_lora="none",
        reference_lora=None,
        dtype="float32",
    )
    circle.main(config)
    printed = capsys.readouterr().out
    for line in ("| no adapter |", "| trained on clips by Live-Sketch |", "motion of the clips"):
        assert line in printed
    tars = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tar")}
    # A corpus of Live-Sketch, two of training shards, and one for each of three runs.
    assert len({path.parent for path in tars}) == 6
    circle.main(config)
    assert capsys.readouterr().out == printed
    assert {path: path.stat().st_mtime_ns for path in tars} == tars

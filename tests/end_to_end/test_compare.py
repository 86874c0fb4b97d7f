"""Several ways to animate one manifest, in one table."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.compare import CompareConfig, compare, read_runs
from pipelines.execution.config import ExecutorConfig
from tests.helpers.adapters import write_adapter
from tests.helpers.animatediff import write_motion_adapter, write_pictures_model
from tests.helpers.corpora import ROOT, good_rows, make_manifest, read_rows
from tests.helpers.video_pipelines import write_lora, write_wan

RUNS = """
[[run]]
name = "FlipSketch"
preset = "draft"
num_frames = 3
num_inference_steps = 2
align_steps = 0
published = { s2v_consistency = 0.956, t2v_alignment = 0.172 }

[[run]]
name = "Still sketch"
method = "still"
num_frames = 3
binarize = false

[[run]]
name = "T2V, plain"
method = "t2v"
num_frames = 3
num_inference_steps = 2
binarize = false
"""
LIVESKETCH = """
[[run]]
name = "Live-Sketch"
method = "livesketch"
num_frames = 3
num_inference_steps = 2
draft_steps = 0
optimization_steps = 1
output_size = 16
"""


@pytest.fixture
def config(tiny_folder, clip_folder, tmp_path):
    (tmp_path / "runs.toml").write_text(RUNS)
    return CompareConfig(
        manifest=make_manifest(tmp_path, good_rows(3)),
        runs=str(tmp_path / "runs.toml"),
        output=str(tmp_path / "out"),
        model=str(tiny_folder),
        lora=None,
        clip_model=str(clip_folder),
        threads=1,
        executor=ExecutorConfig(executor="local"),
    )


def read_table(config: CompareConfig) -> dict[str, dict]:
    rows = pq.read_table(Path(config.output) / "table.parquet").to_pylist()
    return {row["run"]: row for row in rows}


def test_every_run_has_its_corpus_and_its_line(config, capsys):
    assert compare(config) == 0
    table, printed = read_table(config), capsys.readouterr().out
    assert printed == (Path(config.output) / "table.md").read_text()
    assert list(table) == ["FlipSketch", "Still sketch", "T2V, plain"]
    still, flip = table["Still sketch"], table["FlipSketch"]
    assert still["motion"] == 0 and still["is_still"] == 1
    assert still["s2v_consistency"] == pytest.approx(1, abs=1e-5)
    assert flip["motion"] > 0 and flip["s2v_consistency"] < still["s2v_consistency"]
    assert table["T2V, plain"]["coloured"] > 0.1 > flip["coloured"]
    rows = read_rows(str(Path(config.output) / "flipsketch"))
    # The preset's, but for what the run names itself.
    assert {(row["solver"], row["num_inference_steps"]) for row in rows} == {("dpmpp_2m", 2)}
    assert flip["seconds"] == pytest.approx(sum(row["seconds"] for row in rows) / 3)
    assert flip["published_t2v_alignment"] == 0.172 and still["published_t2v_alignment"] is None
    line = next(line for line in printed.splitlines() if "FlipSketch" in line)
    assert f"{flip['s2v_consistency']:.4f}" in line and "(0.956)" in line


def test_what_is_made_is_not_made_again(config):
    compare(config)
    made = {path: path.stat().st_mtime_ns for path in Path(config.output).glob("*/clips/*.tar")}
    assert len(made) == 9
    table = read_table(config)
    compare(config)
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    assert read_table(config) == table


def test_a_model_that_is_not_to_be_had_costs_no_other_run(config, tmp_path):
    runs = tmp_path / "more.toml"
    runs.write_text('[[run]]\nname = "SVD"\nmethod = "svd"\nmodel = "nowhere/at all"\n' + RUNS)
    assert compare(replace(config, runs=str(runs))) == 2
    table = read_table(config)
    assert "neither a folder here nor a model" in table["SVD"]["error"]
    assert [row["clips"] for row in table.values()] == [None, 3, 3, 3]
    assert (
        "| SVD | - | - | - | - | - | not made | 0 |" in (tmp_path / "out" / "table.md").read_text()
    )


def test_a_run_of_live_sketch_has_its_own_settings(config, tmp_path):
    (tmp_path / "runs.toml").write_text(LIVESKETCH)
    assert compare(config) == 0
    rows = read_rows(str(Path(config.output) / "live-sketch"))
    own = {(row["method"], row["optimization_steps"], row["height"]) for row in rows}
    assert own == {("livesketch", 1, 16)}
    assert read_table(config)["Live-Sketch"]["clips"] == 3


@pytest.fixture(scope="module")
def model_runs(tmp_path_factory) -> str:
    """Runs of four models, each with its own method, adapter and motion adapter."""
    folder = tmp_path_factory.mktemp("models")
    pictures, motion = (
        write_pictures_model(folder / "pictures"),
        write_motion_adapter(folder / "motion"),
    )
    wan, lora = write_wan(folder / "wan"), write_lora(folder / "lora")
    (wan / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    shared = "num_frames = 3\nnum_inference_steps = 1\nbinarize = false\n"
    video = "video_height = 32\nvideo_width = 48\nvideo_frames = 5\n"
    own = f'model = "{pictures}"\nmotion_adapter = "{motion}"\nlora = ""'
    runs = {
        "FlipSketch": "align_steps = 0",
        "AnimateDiff": f"align_steps = 0\n{own}",
        "Wan": f'method = "i2v"\nmodel = "{wan}"\n{video}',
        "Wan with an adapter": f'method = "i2v"\nmodel = "{wan}"\nlora = "{lora}"\n{video}',
    }
    text = "".join(f'[[run]]\nname = "{name}"\n{own}\n{shared}' for name, own in runs.items())
    (folder / "models.toml").write_text(text)
    return str(folder / "models.toml")


def test_models_of_several_kinds_stand_in_one_table(config, model_runs, tiny_folder, tmp_path):
    adapter = str(write_adapter(tiny_folder, tmp_path / "adapter"))
    # The command line's adapter is for the first: no image-to-video model could take it.
    assert compare(replace(config, runs=model_runs, lora=adapter)) == 0
    table = read_table(replace(config, runs=model_runs))
    assert [(row["method"], row["clips"], row["size"]) for row in table.values()] == [
        ("flipsketch", 3, 16),
        ("flipsketch", 3, 16),
        ("i2v", 3, 32),
        ("i2v", 3, 32),
    ]
    assert table["FlipSketch"]["lora"] == adapter and table["Wan"]["lora"] is None
    assert table["AnimateDiff"]["motion_adapter"].endswith("motion")
    assert all(row["num_frames"] == 3 and row["motion"] > 0 for row in table.values())
    clips = [
        [row["frames_sha256"] for row in read_rows(str(Path(config.output) / name))]
        for name in ("wan", "wan-with-an-adapter")
    ]
    assert not set(clips[0]) & set(clips[1])
    markdown = (Path(config.output) / "table.md").read_text()
    assert "| 3 | 32 | wan | apache-2.0 |" in markdown and str(tmp_path) not in markdown


def test_a_value_that_a_setting_cannot_have_costs_no_other_run(config, tmp_path):
    wrong = '[[run]]\nname = "wrong"\nmethod = "livesketch"\ntries = 0\n'
    still = '[[run]]\nname = "still"\nmethod = "still"\n'
    (tmp_path / "more.toml").write_text(wrong + still)
    assert compare(replace(config, runs=str(tmp_path / "more.toml"))) == 2
    table = read_table(config)
    assert table["wrong"]["error"] == "tries must lie between 1 and 64, got 0"
    assert table["still"]["clips"] == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[run", "not TOML"),
        ("x = 1", r"must have a table \[\[run\]\]"),
        ('[[run]]\nmethod = "still"', "run 1: needs a name"),
        ('[[run]]\nname = "a"\nlambda = 3', "run 1 .a.: 'lambda' is no setting of the method f"),
        ('[[run]]\nname = "a"\ntries = 3', "'tries' is no setting of the method flipsketch; there"),
        (
            '[[run]]\nname = "a"\nmethod = "livesketch"\nlambda = 3',
            "'lambda' is no setting of the method livesketch; there are num_frames, .*, motion, ",
        ),
        (
            '[[run]]\nname = "a"\nmethod = "i2v"\nalign_steps = 0',
            "'align_steps' is no setting of the method i2v; there are num_frames, .*, vae_tiling",
        ),
        ('[[run]]\nname = "a"\nvideo_fps = 8', "'video_fps' is no setting of the method flip"),
        ('[[run]]\nname = "a"\npreset = "x"', "preset must be one of exact, fast, draft, got 'x'"),
        ('[[run]]\nname = "a"\npublished = { x = 0.1 }', "published may have s2v_consistency"),
        ('[[run]]\nname = "A b"\n[[run]]\nname = "a B"', "two runs are named like 'a-b'"),
    ],
)
def test_a_list_of_runs_that_is_wrong_is_refused(tmp_path, text, reason):
    (tmp_path / "runs.toml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_runs(str(tmp_path / "runs.toml"))


def test_the_papers_runs_are_all_there():
    runs = {run.name: run for run in read_runs(str(ROOT / "data" / "runs" / "paper.toml"))}
    assert runs["lambda 1"].settings == {"reference_scale": 1.0}
    assert runs["no composition"].published == {"s2v_consistency": 0.876, "t2v_alignment": 0.168}
    assert runs["Live-Sketch"].settings == {"draft_steps": 0}
    assert runs["Live-Sketch"].published == {"s2v_consistency": 0.965, "t2v_alignment": 0.142}
    methods = {run.method for run in runs.values()}
    assert methods == {"flipsketch", "livesketch", "t2v", "still", "svd"}


def test_models_of_today_are_a_list_of_runs():
    runs = read_runs(str(ROOT / "data" / "runs" / "models.toml"))
    models = {run.model for run in runs if run.method == "i2v"}
    assert len(models) == sum(run.method == "i2v" for run in runs) >= 4
    assert any(run.motion_adapter for run in runs)
    assert len({run.settings["num_frames"] for run in runs}) == 1

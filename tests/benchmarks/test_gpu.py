"""Ten minutes on a GPU, rehearsed on a CPU at toy size, and what its rows survive."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from diffusers.models.resnet import TemporalConvLayer

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SWITCHES = ["temporal convolutions as 2-d"]
# What a machine with a GPU may lack: this is put where every Python of a test begins.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

MISSING = {"ray", "tyro", "webdataset", "boto3", "cairocffi", "cairosvg", "cv2", "matplotlib"}

class Others(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in MISSING else super().find_spec(name, path, target)

sys.meta_path[:] = [Others if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture(autouse=True)
def plain_names(monkeypatch):
    """Benchmarks import each other by the names that scripts of their folder see."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def read_lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "gpu.jsonl").read_text().splitlines()]


def read_tables(folder: Path) -> list[dict]:
    """Return the rows of all tables; cells are text, and empty ones are left out."""
    rows, table, names = [], "", []
    for line in (folder / "gpu.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if line.startswith("## "):
            table, names = line[3:], []
        elif cells and not names:
            names = [cell.replace(" ", "_") for cell in cells]
        elif cells and set(line) != {"|", "-"}:
            filled = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
            rows.append({"table": table, **filled})
    return rows


def as_text(row: dict) -> dict:
    words = {True: "yes", False: "no"}
    return {
        name: words[value] if isinstance(value, bool) else str(value).replace("|", "/")
        for name, value in row.items()
        if value not in (None, "")
    }


def run_parts(folder: Path, parts: str, *, seconds: float) -> list[dict]:
    """Measure parts of the toy model in this process."""
    from gpu_parts.plan import run_parts

    run_parts(
        argparse.Namespace(
            **{"output": folder, "size": "tiny", "device": "cpu", "batches": [1]},
            parts=list(parts),
            until=time.time() + seconds,
        )
    )
    return read_lines(folder)


@pytest.mark.slow
def test_every_part_is_measured_at_toy_size(tmp_path, monkeypatch):
    # Tracing every kind of block takes as long as all the rest, and switch after switch is tested
    # with the kernels themselves.
    monkeypatch.setattr("gpu_parts.unet.CHECKPOINTED", (TemporalConvLayer,))
    monkeypatch.setattr("gpu_parts.plan.SWITCHES", SWITCHES)
    rows = run_parts(tmp_path, "abcdefgh", seconds=3600)
    assert {row["table"][0] for row in rows} == set("abcdefgh")
    assert {row["outcome"] for row in rows} == {"ok", "from the rows above"}
    # Variants differ by rounding alone.
    variants = {row["variant"] for row in rows if "from_plain" in row}
    assert variants == {"plain", "all", *SWITCHES, f"all but {SWITCHES[0]}"}
    assert all(float(row["from_plain"]) < 1e-4 for row in rows if "from_plain" in row)
    for row in rows:
        if row["table"] == "b. UNet passes of the toy model" and row["dtype"] == "float64":
            assert float(row["prediction_from_plain"]) < 1e-10
            assert float(row["alignment_update_from_plain"]) < 1e-10
    clips = [row for row in rows if row["table"] == "c. Whole clips"]
    assert {(row["schedule"], row["aligned"]) for row in clips} == {
        (schedule, aligned) for schedule in ("published", "ours") for aligned in (True, False)
    }
    ours = [row for row in clips if row["schedule"] == "ours"]
    assert all(row["finite"] and bool(row["graphs_recorded"]) == row["graphs"] for row in ours)
    assert sum(row["table"] == "g. Goals" for row in rows) == 4
    # The same, line by line and in tables.
    tables = read_tables(tmp_path)
    key = json.dumps
    assert sorted(map(as_text, rows), key=key) == sorted(tables, key=key)
    assert not (tmp_path / "gpu.begun").exists()


def test_what_has_no_time_left_is_a_row_that_says_so_and_is_measured_by_the_next_run(tmp_path):
    rows = run_parts(tmp_path, "d", seconds=0)
    assert rows and all(row["outcome"].startswith("skipped: takes about") for row in rows)
    from gpu_parts.rows import Rows

    Rows(tmp_path).forget_unmeasured()
    again = run_parts(tmp_path, "d", seconds=3600)
    assert [row["case"] for row in again] == [row["case"] for row in rows]
    assert {row["outcome"] for row in again} == {"ok"}
    # What has been measured is not measured again.
    assert run_parts(tmp_path, "d", seconds=3600) == again


def test_a_row_that_fails_has_its_error_and_the_next_is_measured(tmp_path, tiny_model):
    from gpu_parts.bench import Bench
    from gpu_parts.rows import Rows
    from gpu_parts.scale import SCALES

    bench = Bench(tiny_model, SCALES["tiny"], Rows(tmp_path), time.time() + 3600)
    bench.row("t. Table", "fails", {"batch": 65_536}, lambda: tiny_model.decode(None))
    bench.row("t. Table", "works", {"batch": 1}, lambda: {"ms": 1.5})
    failed, works = read_lines(tmp_path)
    assert (
        failed["outcome"].startswith("AttributeError: 'NoneType' object")
        and failed["batch"] == 65_536
    )
    assert works["outcome"] == "ok" and works["ms"] == 1.5
    assert [row["outcome"] for row in read_tables(tmp_path)] == [failed["outcome"], "ok"]


CHILD = """
import os, pathlib, signal, sys, time
from gpu_parts.rows import Rows

rows = Rows(pathlib.Path(sys.argv[1]))
for case in ("before", "dies", "hangs", "after"):
    if rows.has("t. Table", case):
        continue
    row = {"table": "t. Table", "case": case}
    rows.begin({**row, "expected_s": 0.0})
    if case == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if case == "hangs":
        time.sleep(600)
    rows.add([{**row, "took_s": 0.0, "outcome": "ok"}])
    rows.end()
"""


def test_rows_that_take_their_process_down_are_passed_over(tmp_path, monkeypatch):
    from gpu_parts import supervisor

    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS))
    monkeypatch.setattr(supervisor, "LEAST_PATIENCE_S", 1.0)
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    assert supervisor.supervise(command, tmp_path, time.time() + 3600) == 0
    assert {row["case"]: row["outcome"] for row in read_lines(tmp_path)} == {
        "before": "ok",
        "dies": "failed: the process ended by signal 9",
        "hangs": "failed: it took longer than 1 s",
        "after": "ok",
    }


def test_a_process_that_never_gets_to_a_row_is_not_begun_again_and_again(tmp_path):
    from gpu_parts.supervisor import supervise

    command = [sys.executable, "-c", "raise SystemExit(3)"]
    assert supervise(command, tmp_path, time.time() + 3600) == 3


def test_the_command_needs_neither_ray_nor_what_a_gpu_machine_may_lack(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--output", str(tmp_path / "out")]
    flags = ["--size", "tiny", "--device", "cpu", "--seconds", "300", "--parts", "a"]
    ended = subprocess.run(
        [*command, *flags],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert [row["outcome"] for row in read_lines(tmp_path / "out")] == ["ok"] * 8


def test_the_published_schedule_takes_the_published_numbers_of_frames():
    from schedules import published_calls

    for align, plain, with_gradients in ((False, 881, 0), (True, 891, 1000)):
        calls = published_calls(align)
        assert sum(frames for frames, grad in calls if not grad) == plain
        assert sum(frames for frames, grad in calls if grad) == with_gradients

"""Imports run down the table of rooms, never up and never in a circle."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each room, below those that it may use; "cli", "rng" and such are files of the root.
FLIPSKETCH: dict[str, set[str]] = {
    "rng": set(),
    "openmp": set(),
    "storage": set(),
    "svg": set(),
    "media": {"storage", "svg"},
    "models": {"storage"},
    "method": {"storage", "media", "models"},
    "corpus": {"rng", "storage", "media"},
    "animations": {"storage", "svg", "media", "corpus"},
    "doodles": {"svg"},
    "scoring": {"storage", "models", "corpus"},
    "training": {"rng", "storage", "media", "models", "method", "corpus"},
    "report": {"storage", "media", "corpus", "scoring"},
    "livesketch": {"storage", "svg", "media", "models", "method", "scoring"},
}
# These may use every room above.
FLIPSKETCH["doodle_model"] = set(FLIPSKETCH)
FLIPSKETCH["cli"] = {"storage", "method"}
FLIPSKETCH["__main__"] = FLIPSKETCH["__init__"] = set(FLIPSKETCH)
PIPELINES: dict[str, set[str]] = {
    "execution": set(),
    "sharding": {"execution"},
    "makers": {"execution"},
    "training": {"execution", "makers"},
    "animating": {"execution", "makers", "sharding", "check_sketches"},
}
ROOMS = set(PIPELINES)
PIPELINES |= {"cli": {"execution"}, "__init__": set()}
# A job may use every room, and these jobs are made of others.
PIPELINES |= {
    job: ROOMS
    for job in (
        *("animate", "rasterize", "train", "evaluate", "curate", "status"),
        *("preview", "report", "doodles", "import_lora", "merge_lora", "write_animations"),
        "convert_model",
    )
}
PIPELINES["check_sketches"] = ROOMS - {"animating"}
PIPELINES["compare"] = ROOMS | {"animate", "evaluate"}
PIPELINES["remake"] = ROOMS | {"evaluate"}
PIPELINES["status"] = ROOMS | {"remake"}
PIPELINES["doodle_model"] = ROOMS | {"rasterize", "train"}


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it, those for type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def room_of(module: str) -> str:
    return module.split(".")[1]


def offences(package: str, allowed: dict[str, set[str]], root: Path = ROOT) -> list[str]:
    found = []
    for path in sorted((root / package).rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        own = room_of(module)
        for imported in imports(path):
            if imported.startswith(f"{package}.") and room_of(imported) not in {own, *allowed[own]}:
                found.append(f"{path.relative_to(root)}: {own} may not use {imported}")
    return found


@pytest.mark.parametrize("package", ["flipsketch", "pipelines"])
def test_imports_run_down_the_table_of_rooms(package):
    assert not offences(package, {"flipsketch": FLIPSKETCH, "pipelines": PIPELINES}[package])


@pytest.mark.parametrize("table", [FLIPSKETCH, PIPELINES])
def test_the_table_has_no_circle(table):
    TopologicalSorter(table).prepare()


def test_an_import_up_the_table_is_found(tmp_path):
    (tmp_path / "flipsketch" / "svg").mkdir(parents=True)
    (tmp_path / "flipsketch" / "svg" / "reader.py").write_text(
        "def late():\n    from flipsketch.corpus.row import Row\n    return Row\n"
    )
    (found,) = offences("flipsketch", FLIPSKETCH, tmp_path)
    assert found == "flipsketch/svg/reader.py: svg may not use flipsketch.corpus.row.Row"


def test_every_room_says_what_is_kept_there():
    rooms = [
        path for package in ("flipsketch", "pipelines") for path in (ROOT / package).rglob("*")
    ]
    for room in rooms:
        if room.is_dir() and any(room.glob("*.py")):
            assert ast.get_docstring(ast.parse((room / "__init__.py").read_text())), room


def test_flipsketch_and_jobs_that_stay_here_never_import_ray():
    program = """
import importlib, pkgutil, sys, flipsketch
import pipelines.animate, pipelines.rasterize, pipelines.status, pipelines.train
names = [module.name for module in pkgutil.walk_packages(flipsketch.__path__, "flipsketch.")]
assert len(names) > 80
for name in names:
    importlib.import_module(name)
sys.exit("ray" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_jobs_read_their_command_lines_before_they_import_anything_heavy():
    """What takes a second or more to import waits until work begins."""
    program = """
import pathlib, runpy, sys
jobs = sorted(pathlib.Path("jobs").glob("*.py"))
assert len(jobs) == 16
heavy = {"torch", "diffusers", "transformers", "peft", "ray", "datasets", "matplotlib", "cv2"}
for job in jobs:
    sys.argv = [str(job), "--help"]
    try:
        runpy.run_path(str(job), run_name="__main__")
    except SystemExit as end:
        assert end.code == 0, job
    assert not heavy & sys.modules.keys(), (job, heavy & sys.modules.keys())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr

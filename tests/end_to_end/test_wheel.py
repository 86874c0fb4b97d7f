"""A wheel holds all that animating a drawing takes, and works from any folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.corpora import ROOT

SOURCES = ("flipsketch", "pipelines", "data/models", "data/licenses.toml", "pyproject.toml")
SOURCES += ("setup.py", "README.md")


@pytest.mark.slow
def test_a_wheel_animates_a_drawing_from_another_folder(tmp_path):
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    for name in (*SOURCES, "LICENSE", "MANIFEST.in"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    # With a PYTHONPATH pip takes this checkout for the wheel installed, and installs nothing.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(source),
    ]
    subprocess.run([*pip, *build], check=True, env=environment)
    [wheel] = tmp_path.glob("*.whl")

    fresh = tmp_path / "fresh"
    venv.create(fresh)
    python = fresh / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
        env=environment,
    )
    # What it depends on comes from here, and this checkout does not.
    [packages] = fresh.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    elsewhere.mkdir()
    shutil.copy(ROOT / "data" / "sketches" / "cat.svg", elsewhere)
    program = (
        "import importlib, pkgutil, flipsketch, flipsketch.report.page, pathlib\n"
        "for module in pkgutil.walk_packages(flipsketch.__path__, 'flipsketch.'):\n"
        "    importlib.import_module(module.name)\n"
        "room = pathlib.Path(flipsketch.report.page.__file__).parent\n"
        "for name in ('page.html', 'sketch_page.html', 'style.css'):\n"
        "    assert (room / name).is_file(), name\n"
        "from flipsketch.corpus.licenses import resolve_license\n"
        "assert resolve_license('mit').commercial == 'yes'\n"
        "print(flipsketch.__file__)\n"
    )
    ended = subprocess.run(
        [python, "-c", program], cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert Path(ended.stdout.strip()).is_relative_to(fresh)
    ended = subprocess.run(
        [fresh / "bin" / "flipsketch", "cat.svg", "a cat jumps", "-o", "cat.gif"]
        + ["--num-inference-steps", "2", "--threads", "1"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "adapter doodle-lora" in ended.stderr
    assert Image.open(elsewhere / "cat.gif").size == (64, 64)

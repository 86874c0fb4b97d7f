"""`python -m flipsketch`, as a person calls it, in this process."""

import runpy
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
from PIL import Image, ImageOps

from tests.helpers.corpora import SKETCHES


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def flipsketch(monkeypatch, capsys) -> Callable[..., Ended]:
    def run(*arguments) -> Ended:
        monkeypatch.setattr(sys, "argv", ["flipsketch", *map(str, arguments)])
        code = None
        try:
            runpy.run_module("flipsketch", run_name="__main__", alter_sys=True)
        except SystemExit as exit:
            code = exit.code
        if isinstance(code, str):
            # As the interpreter does at its end.
            print(code, file=sys.stderr)
            code = 1
        return Ended(code or 0, *capsys.readouterr())

    return run


@pytest.mark.parametrize("name", ["cat.gif", "deep/cat.png"])
def test_one_drawing_becomes_one_file(flipsketch, tiny_folder, tmp_path, name):
    output = tmp_path / name
    ended = flipsketch(
        *(SKETCHES / "cat.svg", "a cat", "-o", output, "--model", tiny_folder),
        *("--num-frames", 3, "--num-inference-steps", 1),
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str(output)
    picture = Image.open(output)
    assert picture.size == ((16, 16) if output.suffix == ".gif" else (16, 48))


@pytest.mark.parametrize(
    ("sketch", "output", "reason"),
    [
        ("none.svg", "a.gif", "none.svg"),
        (SKETCHES / "cat.svg", "a.mp4", "must end in .gif or .png"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    flipsketch, tiny_folder, tmp_path, sketch, output, reason
):
    ended = flipsketch(sketch, "a cat", "-o", tmp_path / output, "--model", tiny_folder)
    assert ended.returncode == 1
    assert reason in ended.stderr and "Traceback" not in ended.stderr


def test_a_drawing_on_black_is_warned_of(flipsketch, tiny_folder, tmp_path):
    drawing = Image.open(SKETCHES / "kite.png").convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    white.alpha_composite(drawing)
    ImageOps.invert(white.convert("L")).resize((64, 64)).save(tmp_path / "dark.png")
    ended = flipsketch(
        *(tmp_path / "dark.png", "a cat", "-o", tmp_path / "a.gif", "--model", tiny_folder),
        *("--num-frames", 3, "--num-inference-steps", 1, "--device", "cpu"),
    )
    assert ended.returncode == 0 and "dark.png: is mostly dark" in ended.stderr
    assert "--align-steps 0 takes a quarter" in ended.stderr

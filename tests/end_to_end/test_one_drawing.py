"""The command `flipsketch`, as a person calls it, in this process."""

import os

import av
import pytest
from PIL import Image, ImageOps

from flipsketch.__main__ import run
from tests.helpers.corpora import SKETCHES


@pytest.fixture(autouse=True)
def restore_environment(monkeypatch):
    """The command sets variables of its process."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def flipsketch(*arguments) -> None:
    run([str(argument) for argument in arguments])


@pytest.mark.parametrize("name", ["cat.gif", "deep/cat.png", "cat.mp4"])
def test_one_drawing_becomes_one_file(tiny_folder, tmp_path, capsys, name):
    output = tmp_path / name
    flipsketch(
        *(SKETCHES / "cat.svg", "a cat", "-o", output, "--model", tiny_folder),
        *("--num-frames", 3, "--num-inference-steps", 1, "--threads", 1),
    )
    assert capsys.readouterr().out.strip() == str(output)
    if output.suffix == ".mp4":
        with av.open(str(output)) as video:
            (stream,) = video.streams
            assert (stream.width, stream.height, stream.frames) == (16, 16, 3)
        return
    picture = Image.open(output)
    assert picture.size == ((16, 16) if output.suffix == ".gif" else (16, 48))


@pytest.mark.parametrize(
    ("sketch", "prompt", "output", "reason"),
    [
        ("none.svg", "a cat", "a.gif", "none.svg"),
        (SKETCHES / "cat.svg", "a cat", "a.webp", "must end in .gif, .mp4, .png"),
        (SKETCHES / "cat.svg", "", "a.gif", "the prompt is empty"),
        (SKETCHES / "cat.svg", "  ", "a.gif", "the prompt is empty"),
    ],
)
def test_input_that_cannot_be_used_is_named_and_ends_with_2(
    tmp_path, capsys, sketch, prompt, output, reason
):
    with pytest.raises(SystemExit, match="^2$"):
        flipsketch(sketch, prompt, "-o", tmp_path / output)
    assert reason in capsys.readouterr().err
    assert not (tmp_path / output).exists()


def test_a_drawing_on_black_is_warned_of(tiny_folder, tmp_path, capsys):
    drawing = Image.open(SKETCHES / "kite.png").convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    white.alpha_composite(drawing)
    ImageOps.invert(white.convert("L")).resize((64, 64)).save(tmp_path / "dark.png")
    arguments = (tmp_path / "dark.png", "a cat", "-o", tmp_path / "a.gif", "--model", tiny_folder)
    arguments += ("--num-frames", 3, "--num-inference-steps", 3, "--device", "cpu")
    flipsketch(*arguments)
    told = capsys.readouterr().err
    assert "dark.png: is mostly dark" in told and "--align-steps 0 takes a quarter" in told
    # No hint at what the user does already.
    flipsketch(*arguments, "--align-steps", 0)
    assert "--align-steps" not in capsys.readouterr().err

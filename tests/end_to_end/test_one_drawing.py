"""The command `flipsketch`, as a person calls it, in this process."""

import os
import re
import shutil

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from flipsketch.__main__ import run
from flipsketch.svg.animated import read_animated_svg
from flipsketch.svg.reader import rasterize_svg
from tests.helpers.adapters import write_adapter
from tests.helpers.corpora import SKETCHES


@pytest.fixture(autouse=True)
def restore_environment(monkeypatch):
    """The command sets variables of its process."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def flipsketch(*arguments) -> None:
    run([str(argument) for argument in arguments])


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_the_drawing_itself_is_not_overwritten(tmp_path, capsys, link):
    drawing = output = tmp_path / "a.svg"
    drawing.write_bytes((SKETCHES / "cat.svg").read_bytes())
    if link:
        output = tmp_path / "b.svg"
        getattr(output, link)(drawing)
    with pytest.raises(SystemExit, match="^2$"):
        flipsketch(drawing, "a cat", "-o", output, "--method", "livesketch", "--model", "none")
    assert "is also what is read" in capsys.readouterr().err
    assert drawing.read_bytes() == (SKETCHES / "cat.svg").read_bytes()


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


def test_strokes_that_move_become_a_drawing_that_plays(tiny_folder, tmp_path):
    arguments = (SKETCHES / "boat.svg", "a boat", "--method", "livesketch", "--model", tiny_folder)
    arguments += ("--num-frames", 3, "--num-inference-steps", 1, "--draft-steps", 2)
    arguments += ("--output-size", 32, "--threads", 1)
    flipsketch(*arguments, "-o", tmp_path / "boat.svg")
    frames = read_animated_svg((tmp_path / "boat.svg").read_bytes())
    assert len(frames) == 3 and frames[1] != frames[0]
    # The first is the sketch.
    np.testing.assert_array_equal(
        rasterize_svg(frames[0], 256), rasterize_svg((SKETCHES / "boat.svg").read_bytes(), 256)
    )
    flipsketch(*arguments, "-o", tmp_path / "boat.gif")
    picture = Image.open(tmp_path / "boat.gif")
    assert picture.size == (32, 32) and picture.n_frames == 3


def test_one_drawing_names_what_is_not_free(tiny_folder, tmp_path, capsys):
    model, lora = tmp_path / "model", write_adapter(tiny_folder, tmp_path / "lora")
    shutil.copytree(tiny_folder, model)
    (model / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    arguments = (SKETCHES / "cat.svg", "a cat", "--num-frames", 3, "--num-inference-steps", 1)
    flipsketch(*arguments, "-o", tmp_path / "a.gif", "--model", model, "--lora", lora)
    told = capsys.readouterr().err
    assert "the model is for non-commercial use only (cc-by-nc-4.0), and so is what it" in told
    assert "the license of the adapter is unknown, so nothing is known to be allowed" in told
    flipsketch(*arguments, "-o", tmp_path / "b.gif", "--model", tiny_folder)
    assert "license" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("boat.svg", "-o", "boat.svg"), "flipsketch draws pixels, which make no SVG"),
        (("boat.svg", "-o", "boat.gif", "--tries", "2"), "has no use for --tries"),
        (("kite.png", "-o", "kite.svg", "--method", "livesketch"), "kite.png: .*raster"),
    ],
)
def test_what_a_method_cannot_do_is_said_before_a_model_is_loaded(
    tmp_path, monkeypatch, capsys, arguments, reason
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="^2$"):
        flipsketch(SKETCHES / arguments[0], "it moves", *arguments[1:], "--model", "none")
    # Without the frame that a wrong flag is said in.
    told = " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().err).split())
    assert re.search(reason, told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sketch", "prompt", "output", "reason"),
    [
        ("none.svg", "a cat", "a.gif", "none.svg"),
        (SKETCHES / "cat.svg", "a cat", "/proc/x.gif", "/proc/x.gif: no file can be written"),
        (SKETCHES / "cat.svg", "a cat", "a.webp", "must end in .gif, .mp4, .png, .svg"),
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


def test_a_drawing_on_black_is_turned_over_or_warned_of(tiny_folder, tmp_path, capsys):
    drawing = Image.open(SKETCHES / "kite.png").convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    white.alpha_composite(drawing)
    ImageOps.invert(white.convert("L")).resize((64, 64)).save(tmp_path / "dark.png")
    arguments = (tmp_path / "dark.png", "a cat", "-o", tmp_path / "a.gif", "--model", tiny_folder)
    arguments += ("--num-frames", 3, "--num-inference-steps", 3, "--device", "cpu")
    flipsketch(*arguments)
    told = capsys.readouterr().err
    assert "dark.png: turned light strokes dark" in told and "mostly dark" not in told
    assert "--align-steps 0 takes a quarter" in told
    flipsketch(*arguments, "--align-steps", 0, "--paper", "as-is")
    told = capsys.readouterr().err
    assert "dark.png: is mostly dark" in told
    # No hint at what the user does already.
    assert "--align-steps" not in told

"""Frames become one file that moves in a browser, and come back as they were."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait

from flipsketch.svg import animated
from flipsketch.svg.animated import read_animated_svg, write_animated_svg
from flipsketch.svg.reader import rasterize_svg
from tests.helpers.corpora import SKETCHES

ANIMATIONS = Path(__file__).parents[2] / "data"
OPEN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'


def frames_of(animation: str) -> list[bytes]:
    folder = ANIMATIONS / animation / "svg_logs/svg_step1000"
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def bar(left: int, more: str = "", opening: str = OPEN) -> bytes:
    line = f'<path d="M{left} 0 L{left} 64" stroke="black" stroke-width="8"/>'
    still = '<path d="M0 8 L8 8" stroke="black" fill="none"/>'
    return f"{opening}{line}<g>{still}{more}</g></svg>".encode()


@pytest.mark.parametrize(
    "animation", ["animations/00259-cat-wag", "animations_filled/00305-butterfly-flap"]
)
def test_frames_come_back_byte_for_byte_from_a_smaller_file(animation):
    frames = frames_of(animation)
    svg = write_animated_svg(frames)
    assert read_animated_svg(svg) == frames and len(set(frames)) > 1
    assert len(svg) < 0.3 * sum(map(len, frames))


def test_frames_that_do_not_differ_keep_their_number():
    frames = [bar(8)] * 5
    assert read_animated_svg(write_animated_svg(frames)) == frames


def test_a_program_that_does_not_know_animation_shows_the_first_frame():
    frames = [bar(left) for left in (8, 16, 24)]
    sketch = rasterize_svg(write_animated_svg(frames), 64)
    np.testing.assert_array_equal(sketch, rasterize_svg(frames[0], 64))


def test_a_browser_shows_each_frame_at_its_time(browser, tmp_path):
    frames = frames_of("animations/00259-cat-wag")
    (tmp_path / "cat.svg").write_bytes(write_animated_svg(frames, frames_per_second=5))
    browser.get(f"file://{tmp_path}/cat.svg")
    browser.execute_script("document.documentElement.pauseAnimations()")
    for number in (0, 3, 7):
        # A moment later, since two times are equal only but for rounding.
        browser.execute_script(f"document.documentElement.setCurrentTime({number / 5 + 1e-4})")
        shot = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("L")
        shown = np.asarray(shot.crop((0, 0, 256, 256)), float)
        far = [np.abs(shown - rasterize_svg(frame, 256)[..., 0]).mean() for frame in frames]
        assert np.argmin(far) == number and far[number] < 1


def test_a_browser_moves_it_in_a_picture_of_a_page(browser, tmp_path):
    (tmp_path / "bar.svg").write_bytes(write_animated_svg([bar(8), bar(56)], 0.5))
    (tmp_path / "page.html").write_text('<img src="bar.svg" width="64">')
    browser.get(f"file://{tmp_path}/page.html")
    first = browser.get_screenshot_as_png()
    WebDriverWait(browser, 10).until(lambda browser: browser.get_screenshot_as_png() != first)


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), float("inf")])
def test_a_rate_must_be_positive(rate):
    with pytest.raises(ValueError, match="frames_per_second must be a positive number"):
        write_animated_svg([bar(8), bar(9)], rate)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([bar(8)], "2 to 256 frames, got 1"),
        ([bar(8), bar(8, '<path d="M0 0 L1 1"/>')], "frame 1 differs from frame 0 in more"),
        ([bar(8), bar(8).replace(b"64 64", b"64 32")], "frame 1 differs from frame 0 in more"),
        ([bar(8, '<circle r="2"/>')] * 2, "an element <circle>"),
        ([bar(8, "<script/>")] * 2, "an element <script>"),
        ([bar(8, '<path d="M0 0 L1 1"><set/></path>')] * 2, "holds another element"),
        ([bar(8, '<path d="M0 0 L1 1" onclick="a()"/>')] * 2, "the attribute onclick"),
        ([bar(8, '<path d="M0 0 L1 1" style="fill:url(#a)"/>')] * 2, "url"),
        ([bar(8, "<path d='M0 0 L1 1'/>")] * 2, "absolute M, L, C and Z alone"),
        ([bar(8, '<path d="m0 0 l1 1"/>')] * 2, "absolute M, L, C and Z alone"),
        ([bar(8, '<path d="M0 0 L1 1"></path>')] * 2, "one empty element"),
        ([bar(8, "<!-- a cat -->")] * 2, "comment or instruction"),
        ([bar(8, "<?xml-stylesheet href='a.css'?>")] * 2, "comment or instruction"),
        ([OPEN.encode() + b"</svg>"] * 2, "frame 0 has no path"),
        ([bar(8)[:-6]] * 2, "cut short or not XML"),
    ],
)
def test_frames_that_do_not_fit_into_one_file_are_refused(frames, reason):
    with pytest.raises(ValueError, match=reason):
        write_animated_svg(frames)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<animate ", b"<animateMotion ", "holds another"),
        (b'"d" dur', b'"fill" dur', "holds another"),
        (b'dur="0.2s"', b'dur="0.2s" begin="click"', "animation 1 is not"),
        (b'd="M8', b'd="M9', "animation 1 is not"),
        (b";M16 0 L16 64", b"", r"have \[2, 3\] frames"),
        (b"M16 0 L16 64", b"url(#a)", "frame 1 differs"),
        (b"<g>", b'<g><set attributeName="fill" to="red"/>', "an element <set>"),
        (b"<g>", b"<g><!-- -->", "comment"),
        (b"<svg", b"<!DOCTYPE svg><svg", "DTD"),
        (b"</svg>", b"", "cut short or not XML"),
    ],
)
def test_a_file_of_another_form_is_refused(old, new, reason):
    frames = [bar(left, f'<path d="M0 {left} L9 9"/>') for left in (8, 16, 24)]
    svg = write_animated_svg(frames)
    assert old in svg
    with pytest.raises(ValueError, match=reason):
        read_animated_svg(svg.replace(old, new, 1))


def test_a_sketch_is_no_animation():
    with pytest.raises(ValueError, match="not animated"):
        read_animated_svg((SKETCHES / "cat.svg").read_bytes())


def test_a_file_is_no_larger_than_the_limit_and_neither_are_its_frames(monkeypatch):
    frames = [bar(left) for left in (8, 16, 24)]
    svg = write_animated_svg(frames)
    monkeypatch.setattr(animated, "MAX_ANIMATED_BYTES", len(svg) - 1)
    with pytest.raises(ValueError, match="the limit is"):
        read_animated_svg(svg)
    with pytest.raises(ValueError, match="the limit is"):
        write_animated_svg(frames)
    # Small as a file, large in frames.
    monkeypatch.setattr(animated, "MAX_ANIMATED_BYTES", len(svg))
    with pytest.raises(ValueError, match="together"):
        read_animated_svg(svg)

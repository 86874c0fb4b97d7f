"""Animations are found in folders and archives, and what is wrong with one is said of that one."""

import io
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from flipsketch.animations.discovery import find_animations
from flipsketch.animations.reader import (
    AnimationReader,
    RasterConfig,
    choose_frames,
    rasterize_animation,
)
from flipsketch.svg.reader import SvgReader, rasterize_svg, read_svg
from tests.helpers.animations import frame, write_animation, write_livesketch

SIZE = 64
SMALL = RasterConfig(size=SIZE)


def read(root, location: str, **settings) -> list[str]:
    frames = AnimationReader(str(root), RasterConfig(**settings)).read(location)
    return [name for name, _ in frames]


def pixels(root, location: str, **settings) -> np.ndarray:
    config = RasterConfig(**{"size": SIZE, **settings})
    return rasterize_animation(AnimationReader(str(root), config).read(location), config)


def test_both_layouts_are_found_at_any_depth_by_their_path(tmp_path):
    write_livesketch(tmp_path / "birds" / "crow", prompt="a crow flies")
    write_animation(tmp_path / "cat", prompt=" a cat\n jumps ")
    (tmp_path / ".hidden").mkdir()
    write_animation(tmp_path / ".hidden" / "dog")
    found = {animation.name: animation.prompt for animation in find_animations(str(tmp_path))}
    assert found == {"birds/crow": "a crow flies", "cat": "a cat jumps"}


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_an_archive_is_a_folder(tmp_path, ending):
    write_livesketch(tmp_path / "loose" / "birds" / "crow", prompt="a crow flies")
    write_animation(tmp_path / "loose" / "cat")
    archive = pack(tmp_path / "loose", tmp_path / "more" / f"pack{ending}")
    inside = {animation.name: animation for animation in find_animations(str(tmp_path / "more"))}
    alone = {animation.name: animation for animation in find_animations(str(archive))}
    assert set(inside) == {"pack/birds/crow", "pack/cat"} and set(alone) == {"birds/crow", "cat"}
    assert inside["pack/birds/crow"].prompt == alone["birds/crow"].prompt == "a crow flies"
    expected = pixels(tmp_path / "loose", "birds/crow")
    for root, animation in (
        (tmp_path / "more", inside["pack/birds/crow"]),
        (archive, alone["birds/crow"]),
    ):
        np.testing.assert_array_equal(pixels(root, animation.location), expected)


def test_the_root_may_be_the_animation(tmp_path):
    write_animation(tmp_path / "cat")
    (cat,) = find_animations(str(tmp_path / "cat"))
    assert cat.name == "cat" and len(read(tmp_path / "cat", cat.location)) == 4
    archive = pack(tmp_path / "cat", tmp_path / "tiger.zip")
    (tiger,) = find_animations(str(archive))
    assert tiger.name == "tiger" and len(read(archive, tiger.location)) == 4


def test_the_last_step_is_taken_unless_told(tmp_path):
    write_livesketch(tmp_path / "crow", step=1000)
    write_livesketch(tmp_path / "crow", step=500, num_frames=2)
    assert len(read(tmp_path, "crow")) == 4
    assert len(read(tmp_path, "crow", step=500)) == 2
    with pytest.raises(ValueError, match="has no step 7, only 500, 1000"):
        read(tmp_path, "crow", step=7)


def test_frames_go_by_number_not_by_name():
    names = ["frame10.svg", "frame9.svg", "notes.txt", "Frame_11.SVG"]
    assert choose_frames(names, SMALL) == ["frame9.svg", "frame10.svg", "Frame_11.SVG"]
    names = [f"frame{number:03d}.svg" for number in range(24)]
    chosen = choose_frames(names, RasterConfig(frame_stride=5, num_frames=3))
    assert chosen == ["frame000.svg", "frame005.svg", "frame010.svg"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "has no frames; frames are named frame000.svg"),
        (["frame0.svg", "frame2.svg"], r"no frame 1 \(its frames go from 0 to 2\)"),
        (["frame1.svg", "frame001.svg"], "frame 1 twice"),
        (["frame0.svg"], "has 1 frames at a stride of 1, but 2 are requested"),
        ([f"frame{number}.svg" for number in range(1025)], "has 1,025 frames, the limit is 1,024"),
    ],
)
def test_frames_that_are_not_whole_are_refused(names, complaint):
    with pytest.raises(ValueError, match=complaint):
        choose_frames(names, RasterConfig(num_frames=2))


def test_frames_of_another_size_and_blank_ones_are_refused(tmp_path):
    write_animation(tmp_path / "cat")
    (tmp_path / "cat" / "frame002.svg").write_bytes(frame(2, 'width="64" height="60"'))
    with pytest.raises(ValueError, match=r"frame002.svg: its canvas is 64 x 60, that of frame000"):
        pixels(tmp_path, "cat")
    (tmp_path / "cat" / "frame002.svg").write_bytes(b'<svg width="64" height="64"></svg>')
    with pytest.raises(ValueError, match="frame002.svg: the sketch is blank"):
        pixels(tmp_path, "cat")


def test_an_animation_is_its_frames_drawn_one_by_one(tmp_path):
    write_livesketch(tmp_path / "crow")
    folder = tmp_path / "crow" / "svg_logs" / "svg_step1000"
    expected = [rasterize_svg(path.read_bytes(), SIZE) for path in sorted(folder.iterdir())]
    np.testing.assert_array_equal(pixels(tmp_path, "crow"), expected)
    inverted = pixels(tmp_path, "crow", invert=True)
    np.testing.assert_array_equal(inverted, 255 - np.array(expected))


def test_what_readers_of_images_refuse_is_not_drawn():
    with pytest.raises(ValueError, match="6 frames of 4096 x 4096 have more than the 89,000,000"):
        rasterize_animation([("frame", frame(0))] * 6, RasterConfig(size=4096))


@pytest.mark.parametrize("group", ["", 'transform="rotate(10 16 16) scale(2 0.9)"'])
def test_the_line_width_is_in_output_pixels(group):
    line = '<path d="M-99 16H99" stroke="black" stroke-width="9"/>'
    svg = f'<svg viewBox="0 0 32 32"><g {group}>{line}</g></svg>'.encode()
    config = RasterConfig(size=SIZE, line_width=4.0)
    drawn = rasterize_animation([("frame000.svg", svg)], config)[0, ..., 0]
    # Of a line across the whole canvas, ink per column is its width over the cosine of its slope.
    columns = (255 - drawn[:, 20:44].astype(float)).sum(axis=0) / 255
    top = [np.average(np.arange(SIZE), weights=255.0 - drawn[:, x]) for x in (20, 43)]
    slope = (top[1] - top[0]) / 23
    assert columns.mean() == pytest.approx(4.0 * np.hypot(1, slope), rel=0.03)


def test_frames_that_differ_in_path_data_alone_are_read_as_if_each_were_the_first():
    frames = [frame(number) for number in range(6)]
    # Another stroke, another colour, a comment, a hidden path: each is noticed.
    frames.insert(2, frames[2].replace(b"</svg>", b'<path d="M1 1L9 9" stroke="red"/></svg>'))
    frames.insert(4, frames[3].replace(b"black", b"green"))
    frames.insert(5, frames[3].replace(b"</svg>", b'<!-- <path d="M1 1L5 5"/> --></svg>'))
    frames.insert(6, frames[5].replace(b"M1 1L5 5", b"M2 2L5 5"))
    reader = SvgReader(SIZE)
    assert [reader.read(svg) for svg in frames] == [read_svg(svg, SIZE) for svg in frames]


def test_a_frame_after_a_good_one_is_checked_as_well():
    reader = SvgReader(SIZE)
    good = frame(0)
    reader.read(good)
    for data, complaint in (
        (b"M0 0L1e9 0", "1,000,000"),
        (b"M0 0" + b"L9 9" * 2_100_000, "bytes"),
    ):
        with pytest.raises(ValueError, match=complaint):
            reader.read(good.replace(b'd="M', b'd="' + data + b"M", 1))


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_entries_that_lie_outside_of_an_archive_are_one_bad_animation(tmp_path, ending):
    write_animation(tmp_path / "loose" / "cat")
    archive = pack(tmp_path / "loose", tmp_path / f"evil{ending}", extra="../../etc/frame000.svg")
    found = list(find_animations(str(tmp_path / archive.name)))
    assert [animation.name for animation in found] == ["../../etc/frame000.svg", "cat"]
    with pytest.raises(ValueError, match="a path outside of the archive"):
        read(archive, found[0].location)
    assert len(read(archive, found[1].location)) == 4


def test_archives_that_cannot_be_read_are_bad_animations(tmp_path):
    write_animation(tmp_path / "cat")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "pressed.tar.gz").write_bytes(b"\x1f\x8b")
    found = {animation.name: animation for animation in find_animations(str(tmp_path))}
    assert set(found) == {"cat", "torn", "pressed"}
    with pytest.raises(ValueError, match="torn.zip: the archive cannot be read: .*; pack it ag"):
        read(tmp_path, found["torn"].location)
    with pytest.raises(ValueError, match="pressed.tar.gz: a compressed tar .* decompress it"):
        read(tmp_path, found["pressed"].location)


def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/frame000.svg", b" " * 300_000_000)
    started = time.monotonic()
    with pytest.raises(ValueError, match="frame000.svg: has more than 1,048,576 bytes"):
        read(tmp_path / "bomb.zip", "cat")
    assert time.monotonic() - started < 2


def pack(folder: Path, archive: Path, extra: str = "") -> Path:
    """Pack a folder's files, and perhaps one under a name of its own."""
    archive.parent.mkdir(exist_ok=True)
    files = [(path, str(path.relative_to(folder))) for path in sorted(folder.rglob("*.*"))]
    files += [(files[0][0], extra)] if extra else []
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as out:
            for path, name in files:
                out.writestr(name, path.read_bytes())
    else:
        with tarfile.open(archive, "w") as out:
            for path, name in files:
                member = tarfile.TarInfo(name)
                member.size = path.stat().st_size
                out.addfile(member, io.BytesIO(path.read_bytes()))
    return archive

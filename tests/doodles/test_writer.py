"""A folder of doodles: whole animations, of one seed, the same bytes whenever written."""

from pathlib import Path

import pytest

from flipsketch.doodles.doodle import frame_times, make_doodle
from flipsketch.doodles.writer import FRAMES, DrawingConfig, write_doodle, write_doodles

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "folder, look", [("animations", "sketch"), ("animations_filled", "filled")]
)
def test_the_samples_are_drawn_anew_byte_for_byte(folder, look, tmp_path):
    samples = sorted((ROOT / "data" / folder).iterdir())
    assert samples
    for sample in samples:
        doodle = make_doodle(0, int(sample.name[:5]))
        write_doodle(tmp_path, doodle, 12, look)
        for path in sample.rglob("*.*"):
            drawn = tmp_path / sample.name / path.relative_to(sample)
            assert drawn.read_bytes() == path.read_bytes()


def test_a_written_animation_is_complete(tmp_path):
    doodle = make_doodle(0, 3)
    write_doodle(tmp_path, doodle, 5)
    assert [path.name for path in tmp_path.iterdir()] == [doodle.name]
    assert (tmp_path / doodle.name / "prompt.txt").read_text() == doodle.prompt + "\n"
    frames = sorted((tmp_path / doodle.name / FRAMES).iterdir())
    assert [path.name for path in frames] == [f"frame{number:03d}.svg" for number in range(5)]
    assert [path.read_bytes() for path in frames] == [doodle.svg(t) for t in frame_times(5)]


def test_what_a_killed_job_left_is_written_anew(tmp_path):
    doodle = make_doodle(0, 3)
    leftover = tmp_path / f".{doodle.name}" / FRAMES
    leftover.mkdir(parents=True)
    (leftover / "frame007.svg").write_text("<svg")
    write_doodle(tmp_path, doodle, 5)
    assert len(list((tmp_path / doodle.name / FRAMES).iterdir())) == 5
    assert [path.name for path in tmp_path.iterdir()] == [doodle.name]


def test_other_animations_in_the_folder_are_refused(tmp_path):
    write_doodles(tmp_path, DrawingConfig(num_animations=2, num_frames=3))
    with pytest.raises(ValueError, match="holds another animation"):
        write_doodles(tmp_path, DrawingConfig(num_animations=2, num_frames=4))
    with pytest.raises(ValueError, match="holds another animation"):
        write_doodles(tmp_path, DrawingConfig(num_animations=2, look="filled"))
    with pytest.raises(ValueError, match="of another seed"):
        write_doodles(tmp_path, DrawingConfig(num_animations=2, num_frames=3, seed=1))

"""A short version of the kill matrix: benchmarks/kills.py has the long one."""

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.kills import KillConfig, KillMatrix
from tests.helpers.corpora import ROOT


@pytest.mark.parametrize(
    ("role", "num_kills"),
    [
        ("local", 5),
        ("together", 2),
        pytest.param("local", 25, marks=pytest.mark.slow),
        pytest.param("steps", 12, marks=pytest.mark.slow),
    ],
)
def test_kills_lose_double_and_half_show_nothing(role, num_kills, tmp_path):
    matrix = KillMatrix(tmp_path, replace(KillConfig(), rows=8, local_kills=num_kills))
    outcome = getattr(matrix, f"kill_{role}")()
    assert outcome.kills >= num_kills and outcome.runs >= 1
    assert (outcome.lost, outcome.doubled, outcome.half, outcome.unequal) == (0, 0, 0, 0)


@pytest.mark.slow
def test_kills_on_an_s3_server_lose_double_and_half_show_nothing():
    # A process of its own: its children must be forks of one that has not talked to a server yet.
    roles = ["steps", "local"]
    flags = ["--store", "s3", "--rows", "8", "--local-kills", "10", "--roles", *roles]
    assert_nothing_lost(flags, [1] * len(roles))


def assert_nothing_lost(flags: list[str], at_least: list[int]) -> None:
    """Run the matrix with flags, and see that each line counts kills and no harm."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kills.py"), *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    header, *lines = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == len(at_least)
    for line, fewest in zip(lines, at_least, strict=True):
        counts = [cell.strip() for cell in line.split("|")[2:-1]]
        assert int(counts[0]) >= fewest and int(counts[1]) >= 1
        assert counts[2:] == ["0", "0", "0", "0"]


@pytest.mark.slow
def test_kills_on_ray_lose_double_and_half_show_nothing():
    # A process of its own: its children, forks, can start no Ray where there has been one. And one
    # for all three, so that the corpus to compare with is made once.
    roles = ["actor", "driver", "node"]
    flags = ["--rows", "8", "--ray-rows", "60", "--kills", "3", "--driver-s", "15"]
    assert_nothing_lost(["--roles", *roles, *flags], [3] * len(roles))

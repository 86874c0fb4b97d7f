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
        ("local", 12),
        pytest.param("local", 50, marks=pytest.mark.slow),
        pytest.param("steps", 12, marks=pytest.mark.slow),
    ],
)
def test_kills_lose_double_and_half_show_nothing(role, num_kills, tmp_path):
    matrix = KillMatrix(tmp_path, replace(KillConfig(), rows=8, local_kills=num_kills))
    outcome = getattr(matrix, f"kill_{role}")()
    assert outcome.kills >= num_kills and outcome.runs >= 1
    assert (outcome.lost, outcome.doubled, outcome.half, outcome.unequal) == (0, 0, 0, 0)


@pytest.mark.slow
def test_kills_on_ray_lose_double_and_half_show_nothing():
    # A process of its own: its children, forks, can start no Ray where there has been one. And one
    # for all three, so that the corpus to compare with is made once.
    roles = ["actor", "driver", "node"]
    ended = subprocess.run(
        [
            *(sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--roles", *roles),
            *("--rows", "8", "--ray-rows", "60", "--kills", "3", "--driver-s", "15"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    header, *lines = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == len(roles)
    for counts in ([cell.strip() for cell in line.split("|")[2:-1]] for line in lines):
        assert int(counts[0]) >= 3 and int(counts[1]) >= 1
        assert counts[2:] == ["0", "0", "0", "0"]

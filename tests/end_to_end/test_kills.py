"""A short version of the kill matrix: benchmarks/kills.py has the long one."""

import subprocess
import sys

import pytest

from tests.helpers.corpora import ROOT

SHORT = ["--rows", "8", "--ray-rows", "60", "--kills", "3", "--local-kills", "50"]
SHORT += ["--driver-s", "15"]


@pytest.mark.parametrize(
    ("roles", "kills"),
    [
        (["local"], 50),
        # One process for all that need Ray: it imports and makes corpora to compare with once.
        (["actor", "driver", "node"], 3),
        pytest.param(["steps"], 12, marks=pytest.mark.slow),
    ],
)
def test_kills_lose_double_and_half_show_nothing(roles, kills):
    ended = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--roles", *roles, *SHORT],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    table = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    lines = table[-len(roles) :]
    assert len(table) == 1 + len(roles)
    for counts in ([cell.strip() for cell in line.split("|")[2:-1]] for line in lines):
        assert int(counts[0]) >= kills and int(counts[1]) >= 1
        assert counts[2:] == ["0", "0", "0", "0"]

"""A short version of the kill matrix: benchmarks/kills.py has the long one."""

import subprocess
import sys

import pytest

from tests.corpora import ROOT

SHORT = ["--rows", "8", "--ray-rows", "120", "--kills", "3", "--local-kills", "50"]
SHORT += ["--driver-s", "20"]


@pytest.mark.parametrize(
    ("role", "kills"), [("local", 50), ("steps", 12), ("actor", 3), ("driver", 3), ("node", 3)]
)
def test_kills_lose_double_and_half_show_nothing(role, kills):
    ended = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--roles", role, *SHORT],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    counts = [cell.strip() for cell in ended.stdout.splitlines()[-1].split("|")[2:-1]]
    assert int(counts[0]) >= kills and int(counts[1]) >= 1
    assert counts[2:] == ["0", "0", "0", "0"]

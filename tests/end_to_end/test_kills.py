"""A short version of the kill matrix: benchmarks/kills.py has the long one."""

from dataclasses import replace

import pytest

from benchmarks.kills import KillConfig, KillMatrix

SHORT = KillConfig(rows=8, ray_rows=60, kills=3, driver_s=15)


@pytest.mark.parametrize(
    ("roles", "num_kills"),
    [
        (["local"], 12),
        pytest.param(["local"], 50, marks=pytest.mark.slow),
        pytest.param(["steps"], 12, marks=pytest.mark.slow),
        # One test for all that need Ray: the corpus to compare with is made once.
        pytest.param(
            ["actor", "driver", "node"], 3, marks=[pytest.mark.slow, pytest.mark.xdist_group("ray")]
        ),
    ],
)
def test_kills_lose_double_and_half_show_nothing(roles, num_kills, tmp_path):
    matrix = KillMatrix(tmp_path, replace(SHORT, local_kills=num_kills))
    for role in roles:
        outcome = getattr(matrix, f"kill_{role}")()
        assert outcome.kills >= num_kills and outcome.runs >= 1
        assert (outcome.lost, outcome.doubled, outcome.half, outcome.unequal) == (0, 0, 0, 0)

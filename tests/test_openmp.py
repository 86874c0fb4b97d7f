"""How idle threads wait is set once, and is the user's where the user says it."""

import pytest

from flipsketch.openmp import WAITING, let_idle_threads_sleep, waiting_variables


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, WAITING),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "5"}, {"GOMP_SPINCOUNT": "5"}),
    ],
)
def test_idle_threads_soon_sleep_unless_the_user_says_otherwise(monkeypatch, given, expected):
    for name in WAITING:
        # Set first, so that what the call adds is taken back as well.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    let_idle_threads_sleep()
    let_idle_threads_sleep()
    assert waiting_variables() == expected

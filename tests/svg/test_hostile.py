"""No SVG file reads another, calls a server, or keeps the reader or the renderer busy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.hostile_drawings import expanding, laborious, readers, refused

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What became of all hostile files in one process that is limited in memory and time."""
    command = [sys.executable, "-m", "tests.helpers.hostile_drawings", tmp_path_factory.mktemp("a")]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr[-2000:]
    # No warning of numpy's either.
    assert child.stderr == ""
    return json.loads(child.stdout)


def test_nothing_is_opened_and_nobody_is_called(drawn):
    assert drawn["opened"] == []


def test_what_would_read_or_expand_is_left_out(drawn, tmp_path):
    names = [*readers(tmp_path), *expanding()]
    assert len(names) > 50
    outcomes = {name: drawn["outcomes"][name] for name in names}
    assert {name: what for name, what in outcomes.items() if what != "only the line"} == {}


def test_what_would_expand_without_end_is_refused(drawn):
    for name, (_, complaint) in refused().items():
        outcome = drawn["outcomes"][name]
        assert outcome.startswith("refused: ") and complaint in outcome, f"{name}: {outcome}"


def test_what_takes_work_is_drawn_or_refused_in_plain_words(drawn):
    for name in laborious():
        outcome = drawn["outcomes"][name]
        assert outcome[:9] in ("only the ", "more than") or outcome.startswith(
            ("refused: the SVG", "refused: the sketch is blank")
        ), f"{name}: {outcome}"
        assert len(outcome) < 300

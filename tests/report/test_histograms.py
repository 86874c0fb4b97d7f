"""Scores of any spread have a histogram."""

import numpy as np
import pytest

from flipsketch.report.page import BINS, make_histogram


@pytest.mark.parametrize(
    "values",
    [
        [0.9, np.nextafter(0.9, 1)],
        [0.1 + 0.2, 0.3],
        [0.0, 5e-324],
        [-1e-300, 1e-300],
        [0.5],
        [0.0, 0.0],
        [0.1, 0.9],
    ],
)
def test_a_histogram_counts_every_clip(values):
    found = make_histogram("motion", [{"motion": value} for value in values])
    assert len(found["counts"]) == BINS and sum(found["counts"]) == len(values)
    assert (found["least"], found["most"]) == (min(values), max(values))

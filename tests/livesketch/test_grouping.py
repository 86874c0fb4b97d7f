import numpy as np

from flipsketch.livesketch.grouping import group_shapes
from flipsketch.livesketch.rasterizer import VectorBatch
from tests.helpers.drawings import sketch_of

HEAD, EYE, BODY = "M 40 40 L 90 40 L 90 90 L 40 90 Z", "M 60 62 L 62 65", "M 60 93 L 70 150"
SUN = "M 200 20 L 230 50"
GROUND = "M 10 152 L 240 154"


def test_a_figure_is_one_group_and_the_ground_under_it_another():
    batch = VectorBatch.pack([sketch_of(HEAD, EYE, BODY), sketch_of(HEAD, SUN, GROUND, BODY, EYE)])
    groups, are_grounds = (found.tolist() for found in group_shapes(batch))
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[6] == groups[7]
    assert len(set(groups)) == 4 and len(set(groups[3:6])) == 3
    assert np.flatnonzero(are_grounds).tolist() == [5]


def test_what_is_narrower_than_the_figure_or_above_it_is_no_ground():
    foot, arms = "M 55 152 L 75 152", "M 20 100 L 120 101"
    groups, are_grounds = group_shapes(VectorBatch.pack([sketch_of(HEAD, arms, BODY, foot)]))
    assert not are_grounds.any() and len(groups.unique()) == 1

import numpy as np
import pytest
import torch

from flipsketch.livesketch.motion import Lattice
from flipsketch.livesketch.rasterizer import VectorBatch
from flipsketch.livesketch.registration import fit_motion
from flipsketch.livesketch.regularizers import Edges
from tests.helpers.drawings import sketch_of

NUM_FRAMES = 4
BOX = "M 30 150 L 80 150 L 80 190 L 30 190 Z"
ROOF = "M 40 150 L 55 125 L 70 150"
GROUND = "M 4 192 L 252 192"


def glide(sketch, distance):
    """Return displacements (F, P, 2) to the right that ease from nothing to a distance."""
    share = (1 - torch.cos(np.pi * torch.linspace(0, 1, NUM_FRAMES))) / 2
    return share[:, None, None] * torch.tensor([distance, 0.0]).expand(len(sketch.points), 2)


@pytest.fixture(scope="module")
def fitted():
    """Four sketches; how far they move in the clips that they are fitted to, which have thicker
    lines; and how far they are found to."""
    house, scene = sketch_of(BOX, ROOF), sketch_of(BOX, ROOF, GROUND)
    sketches = [house, scene, house, house]
    standing = glide(scene, 0.4)
    standing[:, scene.shapes[2].segments.min() :] = 0
    asked = [glide(house, 0.5), standing, glide(house, 0.0), glide(house, torch.nan)]
    batch = VectorBatch.pack(sketches)
    still = batch.points.float()
    motion = Lattice(batch.split(still), NUM_FRAMES)
    ink = batch.rasterize(still + torch.cat(asked, dim=1), 64, min_line_width=2.0)
    ink[3] = torch.nan
    fit_motion(motion, batch, Edges(batch, still), ink, 0.1)
    return sketches, asked, batch.split(motion().detach())


def test_strokes_follow_the_clip(fitted):
    _, asked, found = fitted
    assert (found[0] - asked[0]).abs().max() < 0.02


def test_the_ground_is_held_while_what_stands_on_it_moves(fitted):
    sketches, asked, found = fitted
    assert (found[1][:, sketches[1].shapes[2].segments.min() :] == 0).all()
    assert (found[1] - asked[1]).abs().max() < 0.03


def test_what_stands_still_is_left_there_beside_a_row_that_is_not_finite(fitted):
    _, _, found = fitted
    assert found[2].abs().max() < 0.02
    assert found[3].isnan().any()


def test_strokes_that_touch_stay_in_touch_though_the_clip_moves_one_alone():
    bird = sketch_of("M 150 60 L 200 60 L 200 110 L 150 110 Z", "M 200 70 L 245 85 L 200 100")
    asked = glide(bird, -0.4)
    asked[:, bird.shapes[1].segments.min() :] = 0
    batch = VectorBatch.pack([bird])
    still = batch.points.float()
    motion = Lattice([still], NUM_FRAMES)
    ink = batch.rasterize(still + asked, 64, min_line_width=2.0)
    fit_motion(motion, batch, Edges(batch, still), ink, 3.0)
    moved = (still + motion().detach()).numpy()
    body, beak = (moved[:, np.unique(shape.segments)] for shape in bird.shapes)
    gaps = np.linalg.norm(body[:, :, None] - beak[:, None], axis=-1).min(axis=(1, 2))
    # 10 of 256 at rest.
    assert gaps.max() < 0.06
    assert np.abs(moved - moved[0]).max() > 0.1

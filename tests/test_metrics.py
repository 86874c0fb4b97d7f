"""Scores say what they should of clips whose scores are known."""

import json

import numpy as np
import pytest
import torch

from flipsketch.clip_training import make_clip
from flipsketch.doodle_model import make_tokenizer
from flipsketch.metrics import ClipScorer, coloured, ink, ink_iou, motion


@pytest.fixture(scope="module")
def scorer(tmp_path_factory) -> ClipScorer:
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["a bird flies", "a fish swims"] * 9)
    clip = make_clip(tokenizer, 32)
    # As CLIP begins, it hardly looks at the pixels.
    for parameter in clip.vision_model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 8
    clip.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return ClipScorer(str(folder))


def square(left: int, size: int = 32) -> np.ndarray:
    frame = np.full((size, size, 3), 255, np.uint8)
    frame[10:18, left : left + 8] = 0
    return frame


def test_ink_and_its_overlap():
    one, other = ink(square(4)), ink(square(8))
    assert one.sum() == 64
    assert ink_iou(one, one) == 1.0 and ink_iou(one, ink(square(20))) == 0.0
    assert ink_iou(one, other) == pytest.approx(32 / 96)
    blank = np.zeros_like(one)
    assert ink_iou(blank, blank) == 1.0 and ink_iou(one, blank) == 0.0


def test_grey_and_colours_are_neither_black_nor_white():
    colours = [(0, 0, 0), (40, 40, 40), (250, 250, 250), (128, 128, 128), (255, 0, 0), (40, 60, 90)]
    assert coloured(np.array([colours], np.uint8)).tolist() == [[False] * 3 + [True] * 3]


def test_motion_is_the_share_of_pixels_that_change():
    assert motion(np.stack([square(4)] * 3)) == 0.0
    # Eight pixels are left and eight are entered, of 1,024, in each of two steps.
    moving = np.stack([square(4), square(5), square(6)])
    assert motion(moving) == pytest.approx(16 / 1024)
    assert motion(moving[::-1]) == motion(moving)


def test_a_still_clip_is_fully_consistent_and_another_is_less(scorer):
    still = np.stack([square(4)] * 3)
    assert scorer.consistency(square(4), still) == pytest.approx(1.0, abs=1e-5)
    moving = np.stack([square(4), square(12), square(20)])
    assert scorer.consistency(square(4), moving) < 0.999


def test_cosines_are_those_of_the_model_itself(scorer):
    frames = np.stack([square(4), square(20)])
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    tokens = scorer.tokenizer("a bird flies", return_tensors="pt")
    out = scorer.clip(pixel_values=pixels, input_ids=tokens.input_ids)
    expected = (out.image_embeds @ out.text_embeds.T).mean().item()
    assert scorer.alignment(frames, "a bird flies") == pytest.approx(expected, abs=1e-5)


def test_what_is_no_scorer_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot load a CLIP model"):
        ClipScorer(str(tmp_path))

"""Scores by real CLIP and X-CLIP models at toy size are those of the models themselves."""

import numpy as np
import pytest
import torch

from flipsketch.scoring.clip_model import ClipScorer, XClipScorer, segments_of, summarize
from tests.scoring.test_ink import square


@pytest.fixture(scope="module")
def scorer(clip_folder) -> ClipScorer:
    return ClipScorer(str(clip_folder))


def test_cosines_are_those_of_the_model_itself(scorer):
    frames = np.stack([square(4), square(20)])
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    tokens = scorer.tokenizer("a bird flies", return_tensors="pt")
    out = scorer.clip(pixel_values=pixels, input_ids=tokens.input_ids)
    features = scorer.embed_frames(frames)
    assert torch.allclose(features, out.image_embeds, atol=1e-5)
    expected = (out.image_embeds @ out.text_embeds.T).mean().item()
    assert scorer.align(features, ["a bird flies"]) == pytest.approx(expected, abs=1e-5)


def test_long_clips_are_looked_at_in_parts(scorer):
    frames = np.stack([square(left % 20) for left in range(70)])
    features = scorer.embed_frames(frames)
    assert features.shape[0] == 70
    assert torch.allclose(features[60:], scorer.embed_frames(frames[60:]), atol=1e-5)


def test_each_segment_of_a_clip_is_compared_with_its_own_prompt(scorer):
    frames = np.stack([square(left) for left in (2, 4, 6, 8, 10)])
    features = scorer.embed_frames(frames)
    both = scorer.align(features, ["a bird flies", "a fish swims"])
    # Two segments of three frames; the third is the second one's sketch.
    bird = scorer.align(features[:3], ["a bird flies"])
    fish = scorer.align(features[3:], ["a fish swims"])
    assert both == pytest.approx((3 * bird + 2 * fish) / 5, abs=1e-6)


@pytest.mark.parametrize(("per_segment", "num_segments"), [(3, 1), (3, 4), (10, 2), (16, 7)])
def test_segments_share_the_frames_out_as_they_were_made(per_segment, num_segments):
    expected = [0] + [k for k in range(num_segments) for _ in range(per_segment - 1)]
    assert segments_of(num_segments * (per_segment - 1) + 1, num_segments) == expected


def test_features_tell_clips_apart_that_move_otherwise(scorer):
    frames = np.stack([square(left) for left in (2, 6, 10, 14)])
    there, back = (summarize(scorer.embed_frames(clip)) for clip in (frames, frames[::-1]))
    assert there @ there == pytest.approx(1, abs=2e-3) and there @ back < there @ there - 1e-3


def test_x_clip_alignment_is_that_of_the_model_itself(xclip_folder):
    scorer = XClipScorer(str(xclip_folder))
    frames = np.stack([square(left) for left in (2, 4, 6, 8, 10, 12, 14)])
    # Seven frames, of which a model of four sees each second one.
    pixels = torch.from_numpy(frames[[0, 2, 4, 6]]).permute(0, 3, 1, 2).float() / 127.5 - 1
    tokens = scorer.tokenizer("a bird flies", return_tensors="pt")
    with torch.no_grad():
        out = scorer.clip(**tokens, pixel_values=pixels[None])
    expected = torch.cosine_similarity(out.video_embeds[0], out.text_embeds.flatten(), dim=0)
    assert scorer.align(frames, ["a bird flies"]) == pytest.approx(expected.item(), abs=1e-5)
    assert scorer.align(frames, ["a bird flies"]) != scorer.align(frames, ["a fish swims"])


def test_weights_that_are_a_pickle_of_tensors_load_and_are_the_same(clip_folder, tmp_path, scorer):
    for path in clip_folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save(scorer.clip.state_dict(), tmp_path / "pytorch_model.bin")
    frames = np.stack([square(4), square(20)])
    loaded = ClipScorer(str(tmp_path))
    assert torch.equal(loaded.embed_frames(frames), scorer.embed_frames(frames))


def test_what_is_no_scorer_is_refused(tmp_path, clip_folder):
    with pytest.raises(ValueError, match="cannot load a CLIPModel"):
        ClipScorer(str(tmp_path))
    with pytest.raises(ValueError, match="cannot load a XCLIPModel .*is of a CLIPModel"):
        XClipScorer(str(clip_folder))

"""What FlipSketch is compared with makes the same corpora, of other clips."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flipsketch.corpus.shard import read_metadata, read_sample
from flipsketch.media.clip import decode_filmstrip
from flipsketch.media.sketch import load_sketch
from flipsketch.method.animators import TextToVideo
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import finish_frames
from flipsketch.method.text_to_video import sample_from_text
from flipsketch.models.kernels import PLAIN
from flipsketch.models.loading import Loading
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from tests.helpers.corpora import SKETCHES, make_manifest
from tests.helpers.video_pipelines import write_svd


@pytest.fixture(scope="module")
def svd_folder(tmp_path_factory):
    return write_svd(tmp_path_factory.mktemp("svd"))


def read_clips(output: str) -> dict[str, np.ndarray]:
    folder = open_folder(output)
    return {
        row["id"]: decode_filmstrip(read_sample(folder, 0, row).png, row["num_frames"])
        for row in read_metadata(folder, 0).to_pylist()
        if row["status"] == "ok"
    }


@pytest.fixture
def two_rows(job, tmp_path):
    """One prompt, and two segments."""
    rows = [
        {"id": "one", "sketch": "sketches/cat.svg", "prompt": "a cat jumps", "seed": 3},
        {"id": "two", "sketch": "sketches/boat.svg", "prompts": ["it sails", "it rocks"]},
    ]
    return replace(job, manifest=make_manifest(tmp_path, rows))


def test_still_repeats_the_sketch_in_all_segments(two_rows):
    assert animate_manifest(replace(two_rows, method="still")) == 0
    clips = read_clips(two_rows.output)
    assert [len(clips["one"]), len(clips["two"])] == [3, 5]
    for name, sketch in (("one", "cat.svg"), ("two", "boat.svg")):
        assert (clips[name] == clips[name][0]).all()
        drawn = torch.from_numpy(load_sketch(SKETCHES / sketch, 16)).permute(2, 0, 1)
        expected = finish_frames(drawn[:, None] / 127.5 - 1, two_rows.sampling)
        np.testing.assert_array_equal(clips[name][:1], expected)
    (row, _) = read_metadata(open_folder(two_rows.output), 0).to_pylist()
    assert row["is_still"] and row["motion"] == 0 and row["method"] == "still"


def test_t2v_is_the_models_own_sampling_and_knows_no_sketch(two_rows, tiny_model):
    grey = replace(two_rows, sampling=replace(two_rows.sampling, binarize=False))
    animate_manifest(replace(grey, method="t2v", batch_size=1))
    clips = read_clips(grey.output)
    assert [len(clips["one"]), len(clips["two"])] == [3, 5]
    own = sample_from_text(
        tiny_model,
        "a cat jumps",
        seed=3,
        num_frames=3,
        num_inference_steps=1,
        guidance_scale=grey.sampling.guidance_scale,
    )
    assert np.abs(own.astype(int) - clips["one"]).max() <= 1
    sketch = load_sketch(SKETCHES / "star.svg", 16)
    method = TextToVideo(Loading(model=grey.model, kernels=PLAIN))
    request = ClipRequest(sketch, ("a cat jumps",), 3, grey.sampling)
    again = method.animate([request])[0].draw(grey.sampling).frames
    assert np.abs(again.astype(int) - clips["one"]).max() <= 1


def test_svd_is_a_name_for_i2v_with_its_own_model(two_rows, svd_folder):
    for name in ("svd", "i2v"):
        output = str(Path(two_rows.output) / name)
        job = replace(two_rows, model=str(svd_folder), method=name, output=output)
        assert animate_manifest(job) == 0
        rows = read_metadata(open_folder(output), 0).to_pylist()
        assert [(row["num_frames"], row["height"], row["width"]) for row in rows] == [
            (3, 72, 72),
            (5, 72, 72),
        ]
    clips = [read_clips(str(Path(two_rows.output) / name)) for name in ("svd", "i2v")]
    for name in ("one", "two"):
        np.testing.assert_array_equal(clips[0][name], clips[1][name])
    card = (Path(two_rows.output) / "svd" / "README.md").read_text()
    assert "Stable Video Diffusion" in card


def test_runs_of_two_methods_do_not_mix(two_rows):
    animate_manifest(replace(two_rows, method="still"))
    with pytest.raises(ValueError, match="method: 'still' there, 't2v' now"):
        animate_manifest(replace(two_rows, method="t2v"))


def test_what_a_method_does_not_know_is_refused(job):
    with pytest.raises(ValueError, match="one of flipsketch, livesketch, t2v, still, i2v, svd"):
        replace(job, method="magic")
    with pytest.raises(ValueError, match="still takes no adapter"):
        replace(job, method="still", lora="x")
    with pytest.raises(ValueError, match="TextToVideoSDPipeline; an image-to-video model is"):
        animate_manifest(replace(job, method="svd"))

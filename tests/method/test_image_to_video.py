"""Image-to-video models make corpora of clips, by the real pipelines at toy size."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.run_folder import read_run
from flipsketch.corpus.shard import read_metadata
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.image_to_video import ImageToVideo, crop, pad, resample
from flipsketch.method.request import ClipRequest
from flipsketch.method.video_config import VideoConfig, settle_guidance
from flipsketch.models.files import PIPELINE_FILE
from flipsketch.models.loading import Loading
from flipsketch.models.video_pipelines import PIPELINES, read_video_pipeline
from flipsketch.storage.folder import open_folder
from pipelines.animate import animate_manifest
from pipelines.animating.video import settle_video
from pipelines.makers.clip_settings import read_video, video_settings
from tests.helpers.corpora import SKETCHES, make_manifest
from tests.helpers.video_pipelines import (
    write_cogvideox,
    write_lora,
    write_ltx,
    write_svd,
    write_wan,
)

SAMPLING = SamplingConfig(num_frames=4, num_inference_steps=1, binarize=False)
SMALL = VideoConfig(video_height=32, video_width=64, video_frames=9)
WRITERS = {"svd": write_svd, "wan": write_wan, "cogvideox": write_cogvideox, "ltx": write_ltx}
# The sizes that tests ask for: of others the toys make what is their own.
ASKED = {"svd": VideoConfig(), "wan": SMALL, "cogvideox": VideoConfig(), "ltx": SMALL}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in WRITERS.items()}


def request_of(method: ImageToVideo, *prompts: str, **settings) -> ClipRequest:
    sketch = load_sketch(SKETCHES / "cat.svg", method.size)
    return ClipRequest(sketch, prompts or ("a cat jumps",), 3, replace(SAMPLING, **settings))


def make_clip(method: ImageToVideo, *prompts: str, **settings) -> np.ndarray:
    request = request_of(method, *prompts, **settings)
    return method.animate([request])[0].draw(request.sampling).frames


@pytest.fixture(scope="module")
def methods(models) -> dict[str, ImageToVideo]:
    return {name: ImageToVideo(Loading(model=models[name]), ASKED[name]) for name in models}


@pytest.mark.parametrize("name", WRITERS)
def test_a_model_makes_a_clip_of_each_row(job, models, tmp_path, name):
    rows = [
        {"id": "one", "sketch": "sketches/cat.svg", "prompt": "a cat jumps", "seed": 3},
        {"id": "two", "sketch": "sketches/boat.svg", "prompts": ["it sails", "it rocks"]},
    ]
    job = replace(
        job,
        manifest=make_manifest(tmp_path, rows),
        model=str(models[name]),
        method="i2v",
        video=ASKED[name],
        sampling=SAMPLING,
    )
    assert animate_manifest(job) == 0
    size = 72 if name == "svd" else 32
    pipeline = read_video_pipeline(models[name])
    made = read_metadata(open_folder(job.output), 0).to_pylist()
    assert [(row["num_frames"], row["height"], row["width"]) for row in made] == [
        (4, size, size),
        (7, size, size),
    ]
    assert {(row["pipeline"], row["guidance_scale"]) for row in made} == {
        (pipeline.name, pipeline.guidance_scale)
    }
    assert {row["video_frames"] for row in made} == {9 if name != "svd" else 5}
    assert f"({pipeline.name} of diffusers)" in (Path(job.output) / "README.md").read_text()
    plan = read_run(open_folder(job.output), ANIMATE)
    assert plan.settings["guidance_scale"] == pipeline.guidance_scale
    assert plan.log["video_frames"] == pipeline.frame_limits
    # What was chosen stands in the plan, and the same command finds nothing to do.
    assert animate_manifest(job) == 0


def test_a_seed_and_a_prompt_decide_a_clip(methods):
    for name in ("wan", "cogvideox", "ltx"):
        method = methods[name]
        clip = make_clip(method)
        assert clip.shape[0] == 4 and np.array_equal(make_clip(method), clip)
        assert not np.array_equal(make_clip(method, "a dog sleeps"), clip)
        reseeded = replace(request_of(method), seed=4)
        assert not np.array_equal(method.animate([reseeded])[0].draw(SAMPLING).frames, clip)


def test_a_run_of_svd_that_is_older_than_these_settings_goes_on_as_it_began(job, models, methods):
    guided = replace(SAMPLING, guidance_scale=4.0)
    svd = replace(job, method="svd", model=str(models["svd"]), sampling=guided)
    before = Plan({"method": "svd", "guidance_scale": 4.0})
    assert settle_video(svd, models["svd"], before) == svd
    assert video_settings("svd", svd.video, models["svd"], before) == {}
    assert read_video(before) is None
    # Guidance was noted in such plans, and not used.
    old = make_clip(ImageToVideo(Loading(model=models["svd"]), None), guidance_scale=4.0)
    assert np.array_equal(old, make_clip(methods["svd"]))
    assert not np.array_equal(old, make_clip(methods["svd"], guidance_scale=4.0))


def test_a_row_that_stands_for_its_batch_is_made_once(methods):
    request = request_of(methods["wan"])
    one, other, same = methods["wan"].animate([request, replace(request, seed=4), request])
    assert one.pixels is same.pixels and not torch.equal(one.pixels, other.pixels)


def test_a_picture_is_not_the_first_argument_of_every_call(models, tmp_path):
    folder = shutil.copytree(models["ltx"], tmp_path / "ltx")
    index = folder / PIPELINE_FILE
    index.write_text(index.read_text().replace("LTXPipeline", "LTXConditionPipeline"))
    assert make_clip(ImageToVideo(Loading(model=folder), SMALL)).shape == (4, 32, 32, 3)


def test_a_later_segment_begins_where_the_one_before_ends(methods):
    method = methods["wan"]
    clip, first = make_clip(method, "it sails", "it rocks"), make_clip(method, "it sails")
    assert len(clip) == 7 and np.array_equal(clip[:4], first)
    # Its sketch is the frame at which they meet.
    request = replace(request_of(method, "it rocks"), sketch=clip[3])
    video = method.make_video(replace(request, prompts=("", "it rocks")), clip[3], 1)
    later = ((resample(video, 4).permute(1, 2, 3, 0) + 1) * 127.5).round().byte().numpy()
    assert np.abs(clip[4:].astype(int) - later[1:]).max() <= 1


def test_guidance_is_the_pipelines_own_unless_it_is_asked_for(methods):
    method = methods["wan"]
    own = make_clip(method)
    assert np.array_equal(make_clip(method, guidance_scale=5.0), own)
    assert not np.array_equal(make_clip(method, guidance_scale=4.0), own)
    motif = PIPELINES["MotifVideoImage2VideoPipeline"]
    assert settle_guidance(SAMPLING, motif).guidance_scale == motif.guidance_scale
    with pytest.raises(ValueError, match="takes its guidance from a part of its model"):
        settle_guidance(replace(SAMPLING, guidance_scale=4.0), motif)


def test_a_prompt_that_is_cut_is_told(methods):
    # 16 tokens, as its transformer has it, and not the 226 of its call; a letter is one.
    assert methods["cogvideox"].cuts_prompt("a" * 16) and not methods["cogvideox"].cuts_prompt("a")
    assert methods["ltx"].cuts_prompt("a" * 128) and not methods["ltx"].cuts_prompt("a" * 100)
    assert not methods["svd"].cuts_prompt("a" * 1000)


def test_half_precision_copies_are_taken_where_there_are_no_others(models, methods, tmp_path):
    folder = shutil.copytree(models["ltx"], tmp_path / "ltx")
    for part in ("transformer", "text_encoder"):
        (weights,) = (folder / part).glob("*.safetensors")
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    method = ImageToVideo(Loading(model=folder), SMALL)
    assert np.array_equal(make_clip(method), make_clip(methods["ltx"]))


def test_what_is_padded_is_cropped_back():
    sketch = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    for height, width in ((32, 57), (48, 32), (32, 32)):
        padded = np.asarray(pad(sketch, height, width))
        assert padded.shape == (height, width, 3)
        frames = torch.from_numpy(padded.copy()).permute(2, 0, 1)
        assert np.array_equal(crop(frames).permute(1, 2, 0).numpy(), sketch)
        assert (padded == 255).all(axis=2).sum() >= height * width - 32 * 32


def test_frames_are_taken_at_equal_distances():
    frames = torch.arange(9.0).reshape(1, 9, 1, 1)
    assert resample(frames, 3).flatten().tolist() == [0, 4, 8]
    assert resample(frames[:, :2], 4).flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("cogvideox", {"video": VideoConfig(video_height=64)}, "of 32 x 48 pixels alone"),
        ("wan", {"video": VideoConfig(video_height=40)}, "multiples of 16, got 40 x 832"),
        (
            "ltx",
            {"video": VideoConfig(video_frames=16)},
            "2 to 257, a multiple of 8 and one more, got 16",
        ),
        ("wan", {"video": VideoConfig(video_fps=8)}, "has no use for --video-fps; leave it out"),
        ("ltx", {"video": VideoConfig(motion_bucket=8)}, "has no use for --motion-bucket"),
        ("wan", {"method": "svd"}, "takes models of StableVideoDiffusionPipeline alone; give"),
        ("svd", {"lora": "adapter"}, "has no loader for adapters"),
    ],
)
def test_what_a_model_cannot_make_is_refused_before_it_is_loaded(
    job, models, tmp_path, name, change, reason
):
    if "lora" in change:
        change = {"lora": str(write_lora(tmp_path / "adapter"))}
    with pytest.raises(ValueError, match=reason):
        animate_manifest(replace(job, model=str(models[name]), **{"method": "i2v", **change}))


def test_settings_of_videos_are_refused_with_other_methods(job):
    with pytest.raises(ValueError, match="flipsketch has no use for --video-frames; add --method"):
        replace(job, video=VideoConfig(video_frames=9))


def test_an_adapter_changes_the_clip_and_stands_in_the_plan(job, models, methods, tmp_path):
    adapter = write_lora(tmp_path / "adapter")
    method = ImageToVideo(Loading(model=models["wan"], lora=str(adapter)), SMALL)
    assert not np.array_equal(make_clip(method), make_clip(methods["wan"]))
    wan = replace(job, model=str(models["wan"]), method="i2v", video=SMALL, sampling=SAMPLING)
    assert animate_manifest(replace(wan, lora=str(adapter))) == 0
    with pytest.raises(ValueError, match="lora_fingerprint: '.*' there, None now"):
        animate_manifest(wan)


def test_a_model_with_a_damaged_part_is_refused_before_it_is_loaded(job, models, tmp_path):
    folder = shutil.copytree(models["wan"], tmp_path / "damaged")
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    wan = replace(job, model=str(folder), method="i2v", video=SMALL)
    with pytest.raises(ValueError, match="damaged or cut short"):
        animate_manifest(wan)
    shutil.rmtree(folder / "text_encoder")
    with pytest.raises(ValueError, match="it has no text_encoder/"):
        animate_manifest(wan)

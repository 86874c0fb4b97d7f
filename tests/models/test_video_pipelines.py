"""What is known of image-to-video pipelines before one is loaded, and that it is true."""

import inspect
import json
from pathlib import Path

import diffusers
import pytest

from flipsketch.models.files import PIPELINE_FILE
from flipsketch.models.video_pipelines import (
    PIPELINES,
    TEXT_PIPELINES,
    read_video_pipeline,
)

WAN = {
    "_class_name": "WanImageToVideoPipeline",
    "_diffusers_version": "0.33.0",
    "boundary_ratio": 0.9,
    "expand_timesteps": False,
    "transformer": ["diffusers", "WanTransformer3DModel"],
    "image_encoder": [None, None],
}


def write_settings(folder: Path, **files) -> Path:
    """Write a folder of settings alone: model_index.json, and a part's under the part's name."""
    for name, settings in files.items():
        path = folder / PIPELINE_FILE if name == "index" else folder / name / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("name", PIPELINES)
def test_the_table_has_the_calls_of_diffusers(name):
    pipeline, kind = PIPELINES[name], getattr(diffusers, name)
    call = inspect.signature(kind.__call__).parameters
    names = {pipeline.frames_name, pipeline.guidance_name, pipeline.fps_name} - {None}
    names |= {"image", "height", "width", "num_inference_steps", "generator", "output_type"}
    assert names | pipeline.call.keys() <= call.keys()
    assert ("prompt" in call) == ("negative_prompt" in call) == pipeline.takes_prompt
    assert ("motion_bucket_id" in call) == pipeline.takes_motion_bucket
    assert hasattr(kind, "load_lora_weights") == pipeline.takes_lora
    usual = {"height": pipeline.height, "width": pipeline.width}
    if pipeline.guidance_name is not None:
        usual[pipeline.guidance_name] = pipeline.guidance_scale
    if call[pipeline.frames_name].default is not None:
        usual[pipeline.frames_name] = pipeline.num_frames
    stated = {key: call[key].default for key in usual}
    # None is "as the model has it".
    assert {key: stated[key] or usual[key] for key in usual} == usual
    pipeline.check_size(pipeline.height, pipeline.width)
    pipeline.check_frames(pipeline.num_frames)


@pytest.mark.parametrize(("text", "image"), TEXT_PIPELINES.items())
def test_a_text_pipeline_has_the_parts_of_its_sibling(text, image):
    needed, given = (
        inspect.signature(getattr(diffusers, name).__init__).parameters for name in (image, text)
    )
    optional = set(getattr(diffusers, image)._optional_components)
    assert needed.keys() - optional <= given.keys()


def test_parts_and_settings_of_a_model_are_told_apart(tmp_path):
    folder = write_settings(tmp_path, index=WAN, vae={"scale_factor_spatial": 16})
    pipeline = read_video_pipeline(folder)
    assert pipeline.parts == {"transformer": ("diffusers", "WanTransformer3DModel")}
    assert pipeline.settings == {"boundary_ratio": 0.9, "expand_timesteps": False}
    assert (pipeline.height, pipeline.width, pipeline.multiple) == (480, 832, 32)


def test_wan_for_both_text_and_pictures_is_known_by_its_timesteps(tmp_path):
    both = {**WAN, "_class_name": "WanPipeline", "expand_timesteps": True}
    folder = write_settings(tmp_path / "both", index=both, vae={"scale_factor_spatial": 16})
    pipeline = read_video_pipeline(folder)
    assert pipeline.name == "WanImageToVideoPipeline"
    assert (pipeline.height, pipeline.width, pipeline.num_frames) == (704, 1280, 121)
    text = write_settings(tmp_path / "text", index={**both, "expand_timesteps": False}, vae={})
    with pytest.raises(ValueError, match="is of a WanPipeline; an image-to-video model is needed"):
        read_video_pipeline(text)


@pytest.mark.parametrize(
    ("transformer", "size", "frames"),
    [
        # CogVideoX-5b-I2V and CogVideoX1.5-5B-I2V, as published.
        (
            {"sample_height": 60, "sample_width": 90, "sample_frames": 49, "patch_size_t": None},
            (480, 720),
            (49, 49),
        ),
        (
            {"sample_height": 300, "sample_width": 300, "sample_frames": 81, "patch_size_t": 2},
            (768, 1360),
            (81, 161),
        ),
    ],
)
def test_cogvideox_says_its_size_in_its_transformer(tmp_path, transformer, size, frames):
    index = {"_class_name": "CogVideoXImageToVideoPipeline"}
    learned = {"use_learned_positional_embeddings": transformer["patch_size_t"] is None}
    folder = write_settings(
        tmp_path,
        index=index,
        transformer={**transformer, **learned, "patch_size": 2},
        vae={"block_out_channels": [128, 256, 256, 512]},
    )
    pipeline = read_video_pipeline(folder)
    assert (pipeline.height, pipeline.width) == size
    assert (pipeline.num_frames, pipeline.most_frames) == frames
    if pipeline.has_fixed_size:
        with pytest.raises(ValueError, match="videos of 480 x 720 pixels alone"):
            pipeline.check_size(480, 736)
    else:
        pipeline.check_size(480, 736)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_class_name": "StableDiffusionPipeline"}, "is of a StableDiffusionPipeline; an"),
        (
            {"_class_name": ["pipeline", "Mine"]},
            r"is of a \['pipeline', 'Mine'\]; an image-to-video",
        ),
        ({"transformer": ["mine", "Net"]}, "never code that comes with a model"),
        ({"transformer": ["diffusers", "a.b"]}, "never code that comes with a model"),
        ({"../vae": ["diffusers", "AutoencoderKLWan"]}, "is not the name of a folder"),
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, change, reason):
    folder = write_settings(tmp_path, index={**WAN, **change}, vae={})
    with pytest.raises(ValueError, match=reason):
        read_video_pipeline(folder)


def test_sizes_and_frames_that_a_model_cannot_make_are_refused():
    wan = PIPELINES["WanImageToVideoPipeline"]
    with pytest.raises(ValueError, match="multiples of 16, got 480 x 830; its own size is 480 x 8"):
        wan.check_size(480, 830)
    for wrong in (1, 80, 125):
        with pytest.raises(ValueError, match="must be 2 to 121, a multiple of 4 and one more, got"):
            wan.check_frames(wrong)

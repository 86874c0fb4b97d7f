"""Adapters of image-to-video models are found in the files that people have, and must fit."""

from pathlib import Path

import pytest
import torch
from diffusers import WanImageToVideoPipeline
from safetensors.torch import save_file

from flipsketch.models.video_lora import (
    WEIGHTS_NAME,
    find_video_lora,
    fingerprint_video_lora,
    load_video_lora,
)
from tests.helpers.hub import Hub, hub_client
from tests.helpers.video_pipelines import write_lora, write_svd, write_wan


@pytest.fixture(scope="module")
def wan_folder(tmp_path_factory) -> Path:
    return write_wan(tmp_path_factory.mktemp("wan"))


def test_a_file_its_folder_and_another_name_are_one_adapter(tmp_path):
    folder = write_lora(tmp_path / "adapter")
    file = folder / WEIGHTS_NAME
    renamed = tmp_path / "renamed" / "my style.safetensors"
    renamed.parent.mkdir()
    renamed.write_bytes(file.read_bytes())
    for place in (folder, file):
        assert find_video_lora(place) == (file,)
    assert find_video_lora(renamed.parent) == (renamed,)
    assert len({fingerprint_video_lora(place) for place in (folder, file, renamed)}) == 1
    other = write_lora(tmp_path / "other", up=2)
    assert fingerprint_video_lora(other) != fingerprint_video_lora(folder)


def test_a_file_of_a_repository_is_an_adapter_at_any_revision(tmp_path, monkeypatch):
    folder = write_lora(tmp_path / "adapter")
    (folder / "other.safetensors").write_bytes((folder / WEIGHTS_NAME).read_bytes())
    with Hub() as hub, hub_client(hub, tmp_path / "home", monkeypatch):
        commit = hub.push("me/style", folder)
        for place in ("me/style/other.safetensors", f"me/style/other.safetensors@{commit}"):
            (found,) = find_video_lora(place)
            assert found.name == "other.safetensors"
        assert [path.name for path in find_video_lora(f"me/style@{commit}")] == [WEIGHTS_NAME]


def test_two_files_are_for_two_networks(tmp_path, wan_folder):
    content = (write_lora(tmp_path / "adapter") / WEIGHTS_NAME).read_bytes()
    both = tmp_path / "both"
    both.mkdir()
    for name in ("x_low_noise.safetensors", "x_high_noise.safetensors"):
        (both / name).write_bytes(content)
    assert [path.name[:6] for path in find_video_lora(both)] == ["x_high", "x_low_"]
    pipeline = WanImageToVideoPipeline.from_pretrained(wan_folder)
    with pytest.raises(ValueError, match="is for two networks, but this model has one"):
        load_video_lora(pipeline, both)
    pipeline.register_modules(
        transformer_2=type(pipeline.transformer)(**pipeline.transformer.config)
    )
    load_video_lora(pipeline, both)
    assert pipeline.get_list_adapters().keys() == {"transformer", "transformer_2"}


def write(path: Path, *contents: bytes) -> None:
    path.mkdir()
    for number, content in enumerate(contents):
        (path / f"{number}.safetensors").write_bytes(content)


def test_what_is_no_adapter_is_refused(tmp_path):
    whole = (write_lora(tmp_path / "adapter") / WEIGHTS_NAME).read_bytes()
    save_file({"weight": torch.ones(2)}, tmp_path / "network.safetensors")
    write(tmp_path / "none")
    write(tmp_path / "two", whole, whole)
    write(tmp_path / "cut", whole[:-1])
    (tmp_path / "pickle").mkdir()
    (tmp_path / "pickle" / "lora.bin").write_bytes(b"")
    for name, reason in {
        "none": "expected an adapter as safetensors .pytorch_lora_weights.safetensors., found none",
        "two": "has 2 files that may be the adapter .0.safetensors, 1.safetensors.; give one",
        "cut": "damaged or cut short",
        "pickle": "found a pickle, lora.bin, which is not loaded",
        "pickle/lora.bin": "a pickle is not loaded",
        "network.safetensors": "is no LoRA adapter; its tensors should .*, found weight",
    }.items():
        with pytest.raises(ValueError, match=reason):
            find_video_lora(tmp_path / name)


def test_an_adapter_of_another_model_is_refused(tmp_path, wan_folder):
    pipeline = WanImageToVideoPipeline.from_pretrained(wan_folder)
    for name, settings, reason in (
        ("other", {"layer": "transformer.layers.7.to_q"}, "does not fit this Wan|has no weights"),
        ("part", {"layer": "unet.blocks.0.attn1.to_q"}, "has no weights for the networks of this"),
        ("wide", {"width": 25}, "does not fit this WanImageToVideoPipeline"),
        ("zero", {"up": 0}, "changes nothing, since all its weights are 0"),
    ):
        adapter = write_lora(tmp_path / name, **settings)
        with pytest.raises(ValueError, match=reason):
            load_video_lora(pipeline, adapter)
        pipeline.unload_lora_weights()


def test_a_pipeline_without_a_loader_says_so(tmp_path):
    from diffusers import StableVideoDiffusionPipeline

    pipeline = StableVideoDiffusionPipeline.from_pretrained(write_svd(tmp_path / "svd"))
    with pytest.raises(ValueError, match="has no loader for adapters; leave out --lora"):
        load_video_lora(pipeline, write_lora(tmp_path / "adapter"))
    load_video_lora(pipeline, "none")

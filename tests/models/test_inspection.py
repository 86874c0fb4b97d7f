"""What cannot be loaded is told from settings and headers alone."""

import json
import shutil
import socket
import subprocess
import sys

import pytest
import torch
from diffusers import UNetMotionModel
from safetensors.torch import load_file, save_file

from flipsketch.models.headers import read_settings
from flipsketch.models.inspection import inspect_model, lay_out_model, load_scheduler
from flipsketch.models.registry import frame_size
from flipsketch.models.video_model import load_model
from tests.helpers.adapters import write_adapter
from tests.helpers.animatediff import write_motion_adapter, write_pictures_model
from tests.helpers.corpora import ROOT

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tiny_folder, tmp_path):
    return shutil.copytree(tiny_folder, tmp_path / "model")


def edit(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_tensors(path, change) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_a_whole_model_is_laid_out_without_weights(tiny_folder, tmp_path):
    networks = inspect_model(tiny_folder, lora=write_adapter(tiny_folder, tmp_path))
    assert set(networks) == {"unet", "vae", "text_encoder"}
    assert {p.device.type for each in networks.values() for p in each.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        (
            "unet/config.json",
            {"_class_name": "UNet2DModel"},
            "is of a UNet2DModel, but a text-to",
        ),
        ("unet/config.json", {"layers_per_block": 10**9}, "layers_per_block is 1.000e.09, more"),
        ("unet/config.json", {"block_out_channels": [16] * 9}, "no UNet3DConditionModel can be m"),
        ("unet/config.json", {"block_out_channels": [16, 64]}, "has the shape .*, where .* follow"),
        ("unet/config.json", {"sample_size": "8"}, "sample_size must be a whole number"),
        ("vae/config.json", {"latent_channels": 3}, "has the shape .*, where .* follows from"),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, "has no weights named .*layers.2"),
        ("text_encoder/config.json", {"architectures": ["T5Model"]}, "is of a T5Model, but a CLIP"),
        ("text_encoder/config.json", {"hidden_size": 10**400}, "hidden_size has too many digits"),
        (
            "scheduler/scheduler_config.json",
            {"beta_start": float("nan")},
            "its betas must be finit",
        ),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**12}, "is 1.000e.12, more"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "no"}, "not a schedule of DDIM's"),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 10**9}, "both must be of one mod"),
    ],
)
def test_settings_of_another_model_are_named(model, part, changes, said):
    edit(model / part, **changes)
    with pytest.raises(ValueError, match=said) as raised:
        inspect_model(model)
    assert str(model / part.partition("/")[0]) in str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("conv_in.weight"), "has no weights named conv_in.weight"),
        (lambda tensors: tensors.update({"conv_in.weight": torch.zeros(3)}), "has the shape .3,."),
        (
            lambda tensors: tensors.update({"conv_in.bias": tensors["conv_in.bias"].long()}),
            "'conv_in.bias' has the type I64",
        ),
    ],
)
def test_weights_of_another_model_are_named(model, change, said):
    change_tensors(model / "unet" / WEIGHTS, change)
    with pytest.raises(ValueError, match=said):
        inspect_model(model)
    with pytest.raises(ValueError, match=said):
        load_model(model)


@pytest.mark.parametrize("name", ["unet/config.json", f"vae/{WEIGHTS}", "text_encoder/config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff\xfe{}", b"9" * 5000])
def test_damaged_files_are_named(model, name, content):
    (model / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        inspect_model(model)


def test_weights_cut_short_are_seen_by_their_size(model):
    path = model / "vae" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="vae/diffusion.*damaged or cut short"):
        inspect_model(model)


def test_names_of_older_libraries_are_known(model):
    """Of an attention of the VAE, and of the text encoder as a part of CLIP."""

    def rename(tensors):
        for name in list(tensors):
            if "attentions.0.to_q" in name:
                old = name.replace("to_q", "query")
                tensors[old] = tensors.pop(name)[..., None, None].squeeze(-1).contiguous()

    def prefix(tensors):
        for name in list(tensors):
            tensors[f"text_model.{name.removeprefix('text_model.')}"] = tensors.pop(name)

    change_tensors(model / "vae" / WEIGHTS, rename)
    change_tensors(model / "text_encoder" / "model.safetensors", prefix)
    inspect_model(model)


def test_a_model_without_a_frame_size_is_refused(model):
    edit(model / "vae" / "config.json", block_out_channels=None)
    with pytest.raises(ValueError, match="block_out_channels of .*vae/config.json must be"):
        frame_size(model)


def test_a_hub_that_is_silent_is_waited_for_once():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = """
from flipsketch.models import hub, registry
hub.HUB_TIMEOUT_S = 0.3
try:
    registry.find_model("nosuch/model")
except ValueError as error:
    print(error)
"""
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"HF_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}", "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert "nosuch/model: is neither a folder here nor a model" in ended.stdout
    assert "the Hugging Face Hub does not answer" in ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"addition_embed_type": "text_time"}, "addition_embed_type is 'text_time': it needs more"),
        ({"motion_max_seq_length": 16}, "pos_embed.pe has the shape .1, 32, 16., where .1, 16, 16"),
        ({"temporal_transformer_layers_per_block": 10**5}, "is 1.000e.05, more than the 200"),
        ({"motion_num_attention_heads": 0}, "no UNetMotionModel can be made of these settings"),
    ],
)
def test_settings_of_animatediff_that_cannot_be_used_are_named(
    tiny_motion_folder, tmp_path, changes, said
):
    model = shutil.copytree(tiny_motion_folder, tmp_path / "model")
    if "addition_embed_type" in changes:
        changes |= {"addition_time_embed_dim": 4, "projection_class_embeddings_input_dim": 8}
        unet = UNetMotionModel.from_config({**read_settings(model / "unet/config.json"), **changes})
        unet.save_pretrained(model / "unet")
    edit(model / "unet" / "config.json", **changes)
    with pytest.raises(ValueError, match=said):
        inspect_model(model)


def test_the_schedule_of_stable_diffusions_own_sampler_becomes_animatediffs(
    tiny_motion_folder, tmp_path
):
    model = shutil.copytree(tiny_motion_folder, tmp_path / "model")
    edit(
        model / "scheduler" / "scheduler_config.json",
        _class_name="PNDMScheduler",
        skip_prk_steps=True,
        beta_schedule="scaled_linear",
    )
    scheduler = load_scheduler(model)
    betas = torch.linspace(0.00085, 0.012, 1000, dtype=torch.float64)
    torch.testing.assert_close(scheduler.alphas_cumprod.double(), (1 - betas).cumprod(0))
    # Schedulers that are made from it would speak of a setting that they do not know.
    assert "skip_prk_steps" not in scheduler.config


def test_a_model_and_its_motion_adapter_are_laid_out_by_their_settings_alone(tmp_path):
    folder = write_pictures_model(tmp_path / "pictures")
    motion = write_motion_adapter(tmp_path / "motion")
    for weights in tmp_path.rglob("*.safetensors"):
        weights.unlink()
    networks = lay_out_model(folder, motion)
    assert {part: type(network).__name__ for part, network in networks.items()} == {
        "unet": "UNetMotionModel",
        "vae": "AutoencoderKL",
        "text_encoder": "CLIPTextModel",
    }
    assert all(weights.is_meta for weights in networks["unet"].parameters())

"""An adapter begins as the identity, travels through a folder, and merges without a trace."""

import json
from dataclasses import replace

import pytest
import torch
from diffusers import UNet3DConditionModel
from huggingface_hub import metadata_load
from transformers import CLIPTextConfig, CLIPTextModel

from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.sampler import animate
from flipsketch.models.cards import model_licence
from flipsketch.models.choices import TargetSet
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import FAST, PLAIN
from flipsketch.models.lora import (
    add_lora,
    find_targets,
    load_lora,
    lora_parameters,
    merge_lora,
    read_shape,
    save_lora,
)
from flipsketch.models.registry import find_lora
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import load_model, merge_into_folder, run_unet
from tests.helpers.corpora import SKETCHES

T, C, H = torch.tensor(500), 4, 8
METHOD = SamplingConfig(num_frames=3, num_inference_steps=3, binarize=False)


def predict(unet, *, with_gradients: bool = False) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    dtype = unet.dtype
    latents = torch.randn(1, C, 3, H, H, generator=random, dtype=dtype)
    embeds = torch.randn(1, 5, unet.config.cross_attention_dim, generator=random, dtype=dtype)
    with torch.set_grad_enabled(with_gradients):
        return run_unet(unet, latents, T, embeds)


def stir(network, seed: int = 1) -> None:
    """Stand in for training: give the adapter weights that are not zero."""
    random = torch.Generator().manual_seed(seed)
    for parameter in lora_parameters(network):
        drawn = torch.randn(parameter.shape, generator=random, dtype=parameter.dtype)
        parameter.data += 0.3 * drawn


@pytest.mark.parametrize("target_set", ["attention", "linear", "all"])
def test_a_new_adapter_is_the_exact_identity_and_all_that_is_trained(tiny_model, target_set):
    unet = tiny_model.unet
    before = predict(unet)
    num_modules = add_lora(unet, target_set)
    assert torch.equal(predict(unet), before)
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    assert len(trained) == len(lora_parameters(unet)) == 2 * num_modules
    stir(unet)
    assert (predict(unet) - before).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("target_set", "kernels"), [("attention", PLAIN), ("linear", PLAIN), ("all", FAST)]
)
def test_animatediff_takes_each_set_merged_or_not_and_checkpointed(tmp_path, target_set, kernels):
    folder = write_tiny_model(tmp_path / "model", size=16, family="animatediff")
    unet = load_model(folder, dtype=torch.float64, kernels=kernels).unet
    before = predict(unet)
    assert len(find_targets(unet, target_set)) == add_lora(unet, target_set)
    assert torch.equal(predict(unet), before)
    stir(unet)
    apart = predict(unet)
    assert (apart - before).abs().max() > 1e-3
    gradients = []
    for is_checkpointed in (False, True):
        unet.zero_grad()
        with checkpoint_gradients(unet, is_checkpointed):
            predict(unet, with_gradients=True).square().mean().backward()
        gradients.append([parameter.grad for parameter in lora_parameters(unet)])
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    merge_lora(unet)
    torch.testing.assert_close(predict(unet), apart, rtol=0, atol=1e-9)


def test_the_seed_determines_a_new_adapter(tiny_folder):
    def drawn(seed: int) -> list[torch.Tensor]:
        unet = load_model(tiny_folder).unet
        add_lora(unet, "attention", seed=seed)
        return [parameter.data for parameter in lora_parameters(unet)]

    assert all(torch.equal(*pair) for pair in zip(drawn(0), drawn(0), strict=True))
    assert not all(torch.equal(*pair) for pair in zip(drawn(0), drawn(1), strict=True))


@pytest.mark.parametrize(
    ("target_set", "num_modules", "num_parameters"),
    [("attention", 264, 1_661_440), ("linear", 420, 3_703_808), ("all", 574, 7_321_248)],
)
def test_modelscopes_unet_has_the_published_counts(
    target_set: TargetSet, num_modules, num_parameters
):
    with torch.device("meta"):
        unet = UNet3DConditionModel(cross_attention_dim=1024, attention_head_dim=64)
    assert len(find_targets(unet, target_set)) == num_modules
    assert add_lora(unet, target_set, rank=4) == num_modules
    assert sum(parameter.numel() for parameter in lora_parameters(unet)) == num_parameters


def test_modelscopes_text_encoder_has_the_published_counts():
    with torch.device("meta"):
        encoder = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=23,
                num_attention_heads=16,
            )
        )
    assert add_lora(encoder, "linear", rank=4) == 138
    assert sum(parameter.numel() for parameter in lora_parameters(encoder)) == 1_695_744


def test_an_adapter_comes_back_from_its_folder(tiny_folder, tmp_path):
    model, other = load_model(tiny_folder), load_model(tiny_folder)
    for network, target_set in ((model.unet, "all"), (model.text_encoder, "linear")):
        add_lora(network, target_set, rank=2, alpha=6)
        stir(network)
    save_lora({"unet": model.unet, "text_encoder": model.text_encoder}, tmp_path)
    load_lora(other.unet, other.text_encoder, tmp_path)
    assert torch.equal(predict(other.unet), predict(model.unet))
    assert torch.equal(other.encode_prompts(["a cat"]), model.encode_prompts(["a cat"]))
    config = json.loads((tmp_path / "unet" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (2, 6)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("adapter_model.safetensors", lambda whole: whole[: len(whole) // 2], "damaged or cut"),
        ("adapter_config.json", lambda whole: b"{half", "not JSON"),
    ],
)
def test_a_damaged_adapter_is_named(tiny_folder, tiny_model, tmp_path, name, content, said):
    trained = load_model(tiny_folder).unet
    add_lora(trained, "attention")
    save_lora({"unet": trained}, tmp_path)
    damaged = tmp_path / "unet" / name
    damaged.write_bytes(content(damaged.read_bytes()))
    with pytest.raises(ValueError, match=f"unet/{name}: {said}"):
        load_lora(tiny_model.unet, tiny_model.text_encoder, tmp_path)
    with pytest.raises(ValueError, match=f"unet/{name}: {said}"):
        read_shape(tmp_path / "unet")


@pytest.mark.parametrize("target_set", ["attention", "all"])
def test_the_method_works_through_an_adapter_merged_or_not(tiny_model64, target_set):
    """Composition and alignment included."""
    model = tiny_model64
    add_lora(model.unet, target_set)
    stir(model.unet)
    model.unet.double().requires_grad_(False)
    sketch = load_sketch(SKETCHES / "cat.svg", model.size)
    through = animate(model, [sketch], ["a cat"], [0], METHOD)[0].frames
    merge_lora(model.unet)
    assert not lora_parameters(model.unet)
    merged = animate(model, [sketch], ["a cat"], [0], METHOD)[0].frames
    assert (abs(through.astype(int) - merged) <= 1).all()
    plain = replace(METHOD, align_steps=0, compose_steps=0)
    assert (animate(model, [sketch], ["a cat"], [0], plain)[0].frames != merged).any()


def test_a_merged_folder_is_a_model_of_its_own(tiny_folder, tmp_path):
    model = load_model(tiny_folder)
    add_lora(model.unet, "all")
    stir(model.unet)
    save_lora({"unet": model.unet}, tmp_path / "lora")
    (tmp_path / "lora" / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\nMine.\n")
    places = str(tiny_folder), str(tmp_path / "lora"), str(tmp_path / "merged")
    merge_into_folder(*places)
    merged = load_model(tmp_path / "merged")
    torch.testing.assert_close(predict(merged.unet), predict(model.unet), rtol=1e-4, atol=1e-5)
    # Under the licenses of both.
    assert model_licence(tmp_path / "merged") == "cc0-1.0, cc-by-nc-4.0"
    metadata = metadata_load(tmp_path / "merged" / "README.md")
    assert metadata["license"] == ["cc0-1.0", "cc-by-nc-4.0"]
    card = (tmp_path / "merged" / "README.md").read_text()
    assert card.endswith("Toy text-to-video model with random weights.\n")
    with pytest.raises(ValueError, match="is there already"):
        merge_into_folder(*places)


def test_a_model_given_as_an_adapter_is_named_and_one_beside_it_is_to_be_imported(
    tiny_folder, tmp_path
):
    with pytest.raises(ValueError, match="is a model, not an adapter; give it as --model"):
        find_lora(tiny_folder)
    for name in ("model_index.json", "unet/model.safetensors", "lora/2500_unet.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="import its lora/2500_unet.pt with jobs/import_lora.py"):
        find_lora(tmp_path)

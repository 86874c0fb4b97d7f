"""Every choice of kernels computes what the plain networks do."""

from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from diffusers import UNet3DConditionModel
from diffusers.models.attention_processor import Attention
from safetensors.torch import load_file
from torch import Tensor

from flipsketch.method.composition import compose_attention
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import Conditioning
from flipsketch.method.sampler import sample_latents
from flipsketch.models.attention import attend_fused, batched_product, joined_weights
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import (
    FAST,
    PLAIN,
    VARIANTS,
    Kernels,
    read_kernels,
    use_kernels,
)
from flipsketch.models.lora import add_lora, lora_parameters, merge_lora
from flipsketch.models.tiny import make_unet
from flipsketch.models.video_model import VideoModel, load_model, predict_noise

GOLDEN = Path(__file__).parents[1] / "golden"
T = torch.tensor(500)


@pytest.fixture(scope="module")
def model() -> VideoModel:
    """Tests leave it as they find it, but for its kernels, which each sets."""
    return load_model(GOLDEN / "model", dtype=torch.float64)


@pytest.fixture(scope="module")
def plain_passes(model) -> dict[str, Tensor]:
    return make_passes(model, PLAIN)


def make_passes(model: VideoModel, kernels: Kernels | None = None) -> dict[str, Tensor]:
    """Return what one pass of each kind makes of two rows, with some kernels or those there are."""
    unet, dtype = model.unet, model.latents_dtype
    if kernels is not None:
        use_kernels(unet, model.vae, kernels)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, 4, 10, 12, generator=generator, dtype=torch.float64).to(dtype)
    embeds = model.encode_prompts(["a cat", "a dog runs"])
    scales = torch.tensor([0.3, 30.0], dtype=dtype)
    with torch.no_grad(), compose_attention(unet, scales) as attention:
        passes = {"plain": predict_noise(unet, latents, T, embeds)}
        with attention.recording(3):
            passes["recording"] = predict_noise(unet, latents[:, :, :3], T, embeds)
        with attention.composing():
            passes["composing"] = predict_noise(unet, latents, T, embeds)
    moving = latents.clone().requires_grad_()
    loss = predict_noise(unet, moving, T, embeds)[:, :, 0].square().sum()
    (passes["gradient"],) = torch.autograd.grad(loss, moving)
    passes["encoding"] = model.encode(latents[:, :3])
    passes["decoding"] = model.decode(latents)
    return passes


def largest_difference(made: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """Of passes of each kind, relative to the largest number of its kind."""
    return max(
        float((made[kind] - wanted[kind]).abs().max() / wanted[kind].abs().max()) for kind in wanted
    )


def count_joined(unet: torch.nn.Module) -> int:
    """Return the number of attentions whose projections are one product."""
    attentions = [module for module in unet.modules() if isinstance(module, Attention)]
    return sum(joined_weights((attn.to_k, attn.to_v)) is not None for attn in attentions)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_choice_of_kernels_changes_rounding_alone(model, plain_passes, name):
    made = make_passes(model, VARIANTS[name])
    assert largest_difference(made, plain_passes) < 1e-10
    # And is taken back to the last bit.
    if name == "all":
        assert largest_difference(make_passes(model, PLAIN), plain_passes) == 0


def test_half_precision_is_as_good_as_the_plain_one(model, plain_passes):
    """Whose own rounding is 1.5% of a pass and 2.5% of a gradient."""
    half = load_model(GOLDEN / "model", dtype=torch.bfloat16)
    plain, fast = make_passes(half, PLAIN), make_passes(half, FAST)
    for kind, exact in plain_passes.items():
        rounding = [float((made[kind] - exact).norm() / exact.norm()) for made in (plain, fast)]
        assert rounding[1] < 1.1 * rounding[0]
        if kind != "gradient":
            assert (fast[kind] - plain[kind]).norm() < 2e-2 * plain[kind].norm()


@pytest.mark.parametrize("target_set", ["attention", "all"])
def test_an_adapter_may_be_layers_or_merged(model, plain_passes, target_set):
    """As layers, on convolutions too, and put on before the kernels are chosen or after."""
    adapted = deepcopy(model)
    use_kernels(adapted.unet, adapted.vae, FAST)
    add_lora(adapted.unet, target_set)
    for parameter in lora_parameters(adapted.unet):
        torch.nn.init.normal_(parameter, std=0.2)
    assert count_joined(adapted.unet) == 0
    late = make_passes(adapted)
    plain = make_passes(adapted, PLAIN)
    assert largest_difference(plain, plain_passes) > 1e-3
    assert largest_difference(late, plain) < 1e-10
    assert largest_difference(make_passes(adapted, FAST), plain) < 1e-10
    merge_lora(adapted.unet)
    assert largest_difference(make_passes(adapted, FAST), plain) < 1e-10
    assert count_joined(adapted.unet) == len(adapted.unet.attn_processors)


def test_motion_modules_with_an_adapter_run_on_all_kernels():
    """As layers, though diffusers calls projections of motion modules in a way that peft's do not
    know, and merged; with gradients checkpointed or not."""
    torch.manual_seed(0)
    unet = make_unet(8, "animatediff").double().eval().requires_grad_(False)
    add_lora(unet, "all")
    for parameter in lora_parameters(unet):
        torch.nn.init.normal_(parameter, std=0.2)
    latents, text = torch.randn(2, 4, 3, 6, 10).double(), torch.randn(2, 5, 32).double()

    def differentiate(kernels: Kernels, checkpointed: bool = False) -> dict[str, Tensor]:
        use_kernels(unet, None, kernels)
        moving = latents.clone().requires_grad_()
        with checkpoint_gradients(unet, checkpointed):
            prediction = predict_noise(unet, moving, T, text)
            (gradient,) = torch.autograd.grad(prediction[:, :, 0].square().sum(), moving)
        return {"prediction": prediction.detach(), "gradient": gradient}

    plain = differentiate(PLAIN)
    assert largest_difference(differentiate(PLAIN, True), plain) == 0
    assert largest_difference(differentiate(FAST), plain) < 1e-10
    merge_lora(unet)
    assert largest_difference(differentiate(FAST, True), plain) < 1e-10
    assert count_joined(unet) == len(unet.attn_processors)


def test_a_scaled_middle_block_keeps_its_scale(model):
    config = {**model.unet.config, "mid_block_scale_factor": 2.0}
    torch.manual_seed(0)
    unet = UNet3DConditionModel.from_config(config).double()
    latents, text = torch.randn(1, 4, 3, 8, 8).double(), torch.randn(1, 5, 32).double()
    with torch.no_grad():
        plain = predict_noise(unet.eval(), latents, T, text)
        use_kernels(unet, None, FAST)
        fast = predict_noise(unet, latents, T, text)
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-10)


def test_weights_may_be_trained_and_gradients_checkpointed(model):
    """As training has it, and alignment that is to save memory."""
    latents = torch.randn(1, 4, 3, 8, 8, dtype=torch.float64)
    embeds = model.encode_prompts(["a cat"])
    found = {}
    for kernels in (PLAIN, FAST):
        trained = deepcopy(model.unet)
        use_kernels(trained, None, kernels)
        trained.requires_grad_(True)
        for checkpointed in (False, True):
            trained.zero_grad()
            with checkpoint_gradients(trained, checkpointed):
                predict_noise(trained, latents, T, embeds).square().mean().backward()
            gradients = {name: weight.grad for name, weight in trained.named_parameters()}
            found[kernels, checkpointed] = gradients
            assert largest_difference(gradients, found[PLAIN, False]) < 1e-10
    assert count_joined(trained) == 0


def test_a_few_composed_and_aligned_steps_are_the_same(model):
    config = SamplingConfig(
        num_frames=4, num_inference_steps=4, align_steps=1, compose_steps=3, hold_sketch=False
    )
    torch.manual_seed(0)
    reference, noise = torch.randn(2, 2, 4, 4, 8, 8, dtype=torch.float64)
    latents = []
    for kernels in (PLAIN, FAST):
        use_kernels(model.unet, model.vae, kernels)
        conditionings = [Conditioning("a cat", config)] * 2
        latents.append(sample_latents(model, [reference[:, :, :1]], noise, conditionings))
    torch.testing.assert_close(latents[1], latents[0], rtol=0, atol=1e-10)


def test_weights_are_saved_as_they_were(model, tmp_path):
    use_kernels(model.unet, model.vae, FAST)
    for part in ("unet", "vae"):
        getattr(model, part).save_pretrained(tmp_path / part)
        saved, source = (
            load_file(folder / part / "diffusion_pytorch_model.safetensors")
            for folder in (tmp_path, GOLDEN / "model")
        )
        assert saved.keys() == source.keys()
        assert all(torch.equal(saved[name], source[name].double()) for name in source)


@pytest.mark.parametrize("limit", [1, 4, 5, 12])
def test_more_sequences_than_a_kernel_takes_are_split(limit):
    query, key, value = torch.randn(3, 6, 2, 5, 4, dtype=torch.float64)
    whole = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=0.3)
    fused = attend_fused(query, key, value, 0.3, limit=limit)
    torch.testing.assert_close(fused, whole, rtol=0, atol=1e-12)
    scores = batched_product(query, key.mT, scale=0.3, limit=limit)
    torch.testing.assert_close(scores, query @ key.mT * 0.3, rtol=0, atol=1e-12)


def test_a_plan_names_kernels_that_this_version_has():
    assert read_kernels(None) == read_kernels({}) == PLAIN
    for kernels in VARIANTS.values():
        assert read_kernels(asdict(kernels)) == kernels
    for switches in ({"quantum": True}, {"temporal_convolution": "4d"}, {"channels_last": "yes"}):
        with pytest.raises(ValueError, match="which this version does not know"):
            read_kernels(switches)

"""Every choice of kernels computes what the plain networks do."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from flipsketch.method.composition import compose_attention
from flipsketch.models.kernels import PLAIN, VARIANTS, read_kernels, use_kernels
from flipsketch.models.video_model import VideoModel, load_model, predict_noise

GOLDEN = Path(__file__).parents[1] / "golden"
T = torch.tensor(500)


def make_passes(model: VideoModel) -> dict[str, torch.Tensor]:
    """Return what one UNet pass of each kind makes of two rows."""
    unet, dtype = model.unet, model.latents_dtype
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, 5, 12, 16, generator=generator, dtype=torch.float64).to(dtype)
    embeds = model.encode_prompts(["a cat", "a dog runs"])
    scales = torch.tensor([0.3, 1.0], dtype=dtype)
    with torch.no_grad(), compose_attention(unet, scales) as attention:
        passes = {"plain": predict_noise(unet, latents, T, embeds)}
        with attention.recording(3):
            passes["recording"] = predict_noise(unet, latents[:, :, :3], T, embeds)
        with attention.composing():
            passes["composing"] = predict_noise(unet, latents, T, embeds)
    moving = latents.requires_grad_()
    loss = predict_noise(unet, moving, T, embeds)[:, :, 0].square().sum()
    (passes["gradient"],) = torch.autograd.grad(loss, moving)
    passes["encoding"] = model.encode(latents[:, :3].detach())
    passes["decoding"] = model.decode(latents.detach())
    return passes


@pytest.mark.parametrize("name", VARIANTS)
def test_a_choice_of_kernels_changes_rounding_alone(name):
    model = load_model(GOLDEN / "model", dtype=torch.float64, kernels=PLAIN)
    before = make_passes(model)
    use_kernels(model.unet, model.vae, VARIANTS[name])
    for kind, made in make_passes(model).items():
        torch.testing.assert_close(made, before[kind], rtol=1e-10, atol=1e-10, msg=kind)


def test_a_plan_names_kernels_that_this_version_has():
    assert read_kernels(None) == read_kernels({}) == PLAIN
    for kernels in VARIANTS.values():
        assert read_kernels(asdict(kernels)) == kernels
    for switches in ({"quantum": True}, {"temporal_convolution": "4d"}, {"channels_last": "yes"}):
        with pytest.raises(ValueError, match="which this version does not know"):
            read_kernels(switches)

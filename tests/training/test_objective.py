"""Losses and gradients are the same by every kernel that a training run may use."""

import pytest
import torch

from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import PLAIN, Kernels, training_kernels, use_kernels
from flipsketch.models.video_model import load_model
from flipsketch.training.config import TrainingConfig
from flipsketch.training.objective import Denoiser, TrainingBatch, denoising_losses, prepare

FAST = training_kernels("cuda")


def learn(
    folder, config: TrainingConfig, kernels: Kernels, dtype: torch.dtype = torch.float64
) -> list[torch.Tensor]:
    """Return the losses of two clips, and each parameter's gradient."""
    model = load_model(folder, dtype=dtype, kernels=kernels)
    random = torch.Generator().manual_seed(0)
    parameters = prepare(model, config)
    for parameter in parameters:
        # An adapter is the identity at first, and temporal convolutions are.
        noise = torch.randn(parameter.shape, generator=random) * 0.05
        parameter.data = parameter.data.to(dtype) + noise.to(dtype)
    if config.train == "lora":
        # As a run does it, and as a resumed one.
        use_kernels(model.unet, None, kernels)
    side = model.unet.config.sample_size
    clips = torch.randn(2, 2, 4, 3, side, side, generator=random)
    batch = TrainingBatch(
        clips[0], model.encode_prompts(["a cat", ""]), clips[1], torch.tensor([300, 700])
    )
    denoiser = Denoiser(model, config)
    with checkpoint_gradients(model.unet, dtype == torch.float64):
        losses = denoising_losses(denoiser, model.scheduler, batch)
        losses.mean().backward()
    gradients = [parameter.grad for parameter in parameters]
    assert all(gradient is not None and gradient.any() for gradient in gradients)
    return [losses.detach(), *gradients]


CASES = [("lora", "linear"), ("lora", "all"), ("full", None)]


@pytest.mark.parametrize(("train", "target_set"), CASES)
def test_kernels_change_neither_losses_nor_gradients(tiny_folder, train, target_set):
    torch.set_num_threads(1)
    config = TrainingConfig(train=train, target_set=target_set)
    plain, fast = (learn(tiny_folder, config, kernels) for kernels in (PLAIN, FAST))
    for one, other in zip(plain, fast, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_kernels_change_losses_of_bfloat16_by_little(tiny_folder):
    torch.set_num_threads(1)
    config = TrainingConfig(target_set="all")
    (plain, *_), (fast, *_) = (
        learn(tiny_folder, config, kernels, torch.bfloat16) for kernels in (PLAIN, FAST)
    )
    torch.testing.assert_close(plain, fast, rtol=2e-2, atol=0)

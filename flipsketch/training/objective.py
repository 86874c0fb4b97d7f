"""Train a video model on clips: noise-prediction MSE, on an adapter or on all weights.

Everything random about a sample (window, noise, timestep, whether its prompt is dropped) follows
from its position in the sequence of samples. So a run gives the same weights with any number of
processes, interrupted or not.
"""

import copy
import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from flipsketch.models.inspection import lay_out_networks
from flipsketch.models.lora import add_lora, check_same_layers, lora_parameters, read_shape
from flipsketch.models.video_model import VideoModel, lay_out_text
from flipsketch.rng import Stream, random_state
from flipsketch.training.config import TrainingConfig

QUARTILES = 4


def prepare(model: VideoModel, config: TrainingConfig) -> list[nn.Parameter]:
    """Make a model trainable, in place, and return the parameters to train, in float32."""
    config = config.resolved()
    networks = trained_networks(model, config)
    if config.train == "full":
        for network in networks.values():
            network.float().requires_grad_(True)
        return [parameter for network in networks.values() for parameter in network.parameters()]
    parameters = []
    for part, network in networks.items():
        add_new_lora(part, network, config)
        for parameter in lora_parameters(network):
            # In bfloat16 most updates would vanish.
            parameter.data = parameter.data.float()
            parameters.append(parameter)
    return parameters


def add_new_lora(part: str, network: nn.Module, config: TrainingConfig) -> int:
    """Put a new adapter on a part of a model, in place; return the number of its modules."""
    assert config.rank and config.alpha and config.target_set, "the settings are resolved"
    target_set = config.target_set if part == "unet" else "linear"
    return add_lora(network, target_set, rank=config.rank, alpha=config.alpha, seed=config.seed)


def trained_networks(model: VideoModel, config: TrainingConfig) -> dict[str, Any]:
    """Return the trained networks by their names in the model."""
    networks: dict[str, Any] = {"unet": model.unet}
    if config.train_text_encoder:
        networks["text_encoder"] = model.text_encoder
    return networks


def count_trained(
    model_folder: Path,
    motion_adapter: Path | None,
    config: TrainingConfig,
    lora: Path | None = None,
) -> dict[str, tuple[int, int]]:
    """Return how many modules and parameters are trained in each part of a model, from its
    configuration alone.

    Args:
        motion_adapter: folder of the one that the model needs, if it does.
        lora: folder of the adapter to continue from.

    Raises:
        ValueError: this adapter has other layers.
    """
    config, counts = config.resolved(), {}
    networks = lay_out_networks(
        model_folder, text_encoder=config.train_text_encoder, motion_adapter=motion_adapter
    )
    for part, network in networks.items():
        if config.train == "full":
            num_modules = sum(1 for _ in network.modules())
            trained = list(network.parameters())
        else:
            saved_set = None if lora is None else read_shape(lora / part).find_target_set(network)
            with torch.device("meta"):
                num_modules = add_new_lora(part, network, config)
            trained = lora_parameters(network)
            if lora is not None:
                check_same_layers(network, lora / part, saved_set)
        counts[part] = (num_modules, sum(parameter.numel() for parameter in trained))
    return counts


def resolve_adapter(
    model_folder: Path, motion_adapter: Path | None, config: TrainingConfig, lora: Path | None
) -> TrainingConfig:
    """Return the settings with the rank, the alpha and the target set of the adapter to continue
    from, where they name none.

    Raises:
        OSError, ValueError: the adapter cannot be read, or lacks a network that is trained.
    """
    if lora is None:
        return config.resolved()
    if config.train_text_encoder and not (lora / "text_encoder").is_dir():
        raise ValueError(
            f"{lora}: has no text_encoder/, so a run that trains the text encoder cannot continue "
            f"from it; leave out --train-text-encoder, or start a new adapter with --lora none"
        )
    shape = read_shape(lora / "unet")
    networks = lay_out_networks(model_folder, text_encoder=False, motion_adapter=motion_adapter)
    target_set = shape.find_target_set(networks["unet"])
    return config.resolved(shape.rank, shape.alpha, target_set or "attention")


def make_optimizer(
    parameters: list[nn.Parameter], config: TrainingConfig
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(step, config)
    )


def rate_factor(step: int, config: TrainingConfig) -> float:
    """Return the learning rate at a step as a share of its peak."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    done = (step - config.warmup_steps) / max(1, config.num_steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Denoiser(nn.Module):
    """The trained networks as one module, so that their gradients are reduced together."""

    def __init__(
        self, model: VideoModel, config: TrainingConfig, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.unet, self.dtype = model.unet, dtype or model.unet.dtype
        self.text_encoder = model.text_encoder if config.train_text_encoder else None
        self.casts = self.dtype in (torch.bfloat16, torch.float16)

    def to_own_dtype(self) -> "Denoiser":
        """Return a copy with all weights in the dtype of the computation; frozen ones that are in
        it already are shared."""
        shared = {
            id(weight): weight
            for weight in self.parameters()
            if weight.dtype == self.dtype and not weight.requires_grad
        }
        copied = copy.deepcopy(self, dict(shared)).to(self.dtype)
        copied.casts = False
        return copied

    @property
    def scales_losses(self) -> bool:
        """Whether losses are scaled, since float16 gradients would vanish otherwise."""
        return self.dtype == torch.float16

    def forward(self, noisy: Tensor, timesteps: Tensor, prompts: Tensor) -> Tensor:
        """Return the UNet's prediction, in float32.

        Args:
            prompts: token ids (B, L) if the text encoder is trained, else embeddings (B, L, D).
        """
        # Trained weights are float32; autocast computes in the dtype of the frozen ones.
        with torch.autocast(noisy.device.type, self.dtype) if self.casts else nullcontext():
            if self.text_encoder is not None:
                prompts = self.text_encoder(prompts).last_hidden_state
            text = lay_out_text(self.unet, prompts.to(self.dtype), noisy.shape[2])
            prediction = self.unet(noisy.to(self.dtype), timesteps, text).sample
        return prediction.float()


@dataclass(frozen=True)
class TrainingBatch:
    """The samples of one forward pass."""

    latents: Tensor
    """Clean latents (B, C, F, h, w)."""
    prompts: Tensor
    """Token ids (B, L) if the text encoder is trained, else embeddings (B, L, D)."""
    noise: Tensor
    """Gaussian, shaped like the latents."""
    timesteps: Tensor
    """(B,)."""


def draw_noise_and_timesteps(
    positions: list[int], shape: tuple[int, ...], num_timesteps: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return noise (B, *shape) in float32 and timesteps (B,), each row by its position alone."""
    noise, timesteps = [], []
    for position in positions:
        random = random_state(seed, Stream.TRAINING_NOISE, position)
        noise.append(random.standard_normal(shape).astype(np.float32))
        timesteps.append(int(random.randint(num_timesteps)))
    return torch.from_numpy(np.stack(noise)), torch.tensor(timesteps)


def denoising_losses(denoiser: nn.Module, scheduler: DDIMScheduler, batch: TrainingBatch) -> Tensor:
    """Return each sample's MSE (B,) between prediction and target, in float32.

    The target is the noise, or the velocity (Salimans and Ho, 2022) if the scheduler says so.
    """
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
    target = batch.noise
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(batch.latents, batch.noise, batch.timesteps)
    elif scheduler.config.prediction_type != "epsilon":
        raise ValueError(
            f"the model predicts {scheduler.config.prediction_type!r}; training supports only "
            f"epsilon and v_prediction"
        )
    prediction = denoiser(noisy, batch.timesteps, batch.prompts)
    return (prediction - target).square().flatten(1).mean(dim=1)


def quartile_losses(losses: Tensor, timesteps: Tensor, num_timesteps: int) -> tuple[Tensor, Tensor]:
    """Return sums of losses and counts (4,) by the quarter of the noise schedule."""
    in_quarter = nn.functional.one_hot(timesteps * QUARTILES // num_timesteps, QUARTILES).float()
    return losses.detach().float() @ in_quarter, in_quarter.sum(dim=0)

"""The training loop, as one of the processes that share it runs it."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

from flipsketch.latents import to_pixels
from flipsketch.model import VideoModel
from flipsketch.training import (
    Batch,
    Denoiser,
    RunningMean,
    TrainingConfig,
    denoising_losses,
    draw_noise,
    make_optimizer,
    prepare,
    quartile_losses,
)


@dataclass(frozen=True)
class StepReport:
    """What one optimizer step of one process came to."""

    step: int
    """Steps done."""
    loss: float
    """Mean over this process's share of the global batch."""
    quartile_sums: Tensor
    """Losses by the quarter of the noise schedule, summed (4,), and their counts."""
    quartile_counts: Tensor
    grad_norm: float
    learning_rate: float


class Trainer:
    """A model with what it takes to train it: optimizer, rate, running mean, and a step counter.

    Of the global batch at step s, which are the positions s * B ... s * B + B - 1, process r of R
    takes each R-th one from the r-th on. Gradients are averaged over all.
    """

    def __init__(
        self,
        model: VideoModel,
        samples: Dataset,
        config: TrainingConfig,
        *,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        """Raises ValueError: the global batch cannot be shared out evenly."""
        share = num_ranks * config.batch_size
        if config.global_batch_size % share:
            raise ValueError(
                f"a global batch of {config.global_batch_size} cannot be shared out among "
                f"{num_ranks} workers in batches of {config.batch_size}; make it a multiple of "
                f"{share}"
            )
        self.samples, self.config = samples, config
        self.rank, self.num_ranks = rank, num_ranks
        # Before the adapter, which has a dtype of its own.
        self.denoiser: nn.Module = Denoiser(model, config)
        self.parameters = prepare(model, config)
        self.model = model
        self.optimizer, self.rate = make_optimizer(self.parameters, config)
        is_full = config.method == "full"
        self.mean = RunningMean(self.parameters, config.ema_decay) if is_full else None
        self.num_done = 0
        self.distributed: DistributedDataParallel | None = None
        if num_ranks > 1:
            self.distributed = DistributedDataParallel(self.denoiser, broadcast_buffers=False)
            self.denoiser = self.distributed

    def steps(self) -> Iterator[StepReport]:
        """Do the steps that are left, one at a time."""
        while self.num_done < self.config.num_steps:
            yield self.step()

    def step(self) -> StepReport:
        config = self.config
        first = self.num_done * config.global_batch_size
        own = range(first + self.rank, first + config.global_batch_size, self.num_ranks)
        groups = [own[at : at + config.batch_size] for at in range(0, len(own), config.batch_size)]
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        sums, counts = torch.zeros(2, 4)
        for number, positions in enumerate(groups):
            batch = self.load(list(positions))
            # Gradients travel once, with the last of the batches that make up a step.
            waits = self.distributed is not None and number + 1 < len(groups)
            with self.distributed.no_sync() if waits and self.distributed else nullcontext():
                losses = denoising_losses(self.denoiser, self.model.scheduler, batch)
                (losses.mean() / len(groups)).backward()
            total += losses.detach().mean().item() / len(groups)
            more = quartile_losses(
                losses, batch.timesteps, self.model.scheduler.config.num_train_timesteps
            )
            sums, counts = sums + more[0], counts + more[1]
        norm = nn.utils.clip_grad_norm_(self.parameters, config.max_grad_norm)
        rate = float(self.rate.get_last_lr()[0])
        self.optimizer.step()
        self.rate.step()
        if self.mean is not None:
            self.mean.update()
        self.num_done += 1
        return StepReport(self.num_done, total, sums, counts, float(norm), rate)

    def load(self, positions: list[int]) -> Batch:
        """Return the samples at some positions, ready for the UNet."""
        model = self.model
        samples = [self.samples[position] for position in positions]
        if "latents" in samples[0]:
            latents = torch.stack([sample["latents"] for sample in samples]).to(model.device)
        else:
            pixels = torch.cat([to_pixels(sample["frames"]) for sample in samples])
            latents = model.encode(pixels.to(model.device))
        prompts = [sample["prompt"] for sample in samples]
        noise, timesteps = draw_noise(
            positions,
            tuple(latents.shape[1:]),
            model.scheduler.config.num_train_timesteps,
            self.config.seed,
        )
        return Batch(
            latents,
            model.tokenize(prompts)
            if self.config.train_text_encoder
            else model.encode_prompts(prompts),
            noise.to(model.device),
            timesteps.to(model.device),
        )

    @property
    def means(self) -> list[Tensor]:
        return self.mean.means if self.mean is not None else []

    def state(self) -> dict[str, Any]:
        """Return all that a run goes on from; what is random follows from the step."""
        return {
            "num_done": self.num_done,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "mean": [mean.cpu() for mean in self.means],
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.num_done = state["num_done"]
        with torch.no_grad():
            for name, values in (("parameters", self.parameters), ("mean", self.means)):
                for value, saved in zip(values, state[name], strict=True):
                    value.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])

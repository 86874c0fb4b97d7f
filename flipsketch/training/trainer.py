"""The training loop, as each of the processes that share it runs it."""

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from flipsketch.media.pixels import to_pixels
from flipsketch.models.video_model import VideoModel
from flipsketch.rng import Stream, random_state
from flipsketch.storage.threads import Readers
from flipsketch.training.config import TrainingConfig, check_share
from flipsketch.training.ema import EMA
from flipsketch.training.first_frames import (
    MAX_LEFT,
    NUM_INVERSION_STEPS,
    copy_first_frames,
    draw_rows,
    invert_first_frames,
    leave_first_frames,
    make_inverse,
    to_first_timesteps,
)
from flipsketch.training.objective import (
    QUARTILES,
    Denoiser,
    TrainingBatch,
    denoising_losses,
    draw_noise_and_timesteps,
    make_optimizer,
    prepare,
    quartile_losses,
)

# The scale starts at 65,536 and is halved at each overflow; below this, it is not to blame.
MIN_LOSS_SCALE = 1e-4


@dataclass(frozen=True)
class StepReport:
    """Loss and gradient norm of one optimizer step, over all processes."""

    step: int
    """Number of steps done."""
    loss: float
    """Mean over the global batch."""
    quartile_sums: list[float]
    """Losses by the quarter of the noise schedule, least noise first, summed (4,)."""
    quartile_counts: list[int]
    grad_norm: float
    """Before clipping; not finite if the step was skipped, as happens in float16."""
    learning_rate: float


class Samples(Protocol):
    """What is trained on, by position: clips, or their latents."""

    def __getitem__(self, position: int) -> dict[str, Any]: ...


class Trainer:
    """A model with its optimizer, learning rate, moving average and step counter.

    The global batch of step s has the positions s * B ... s * B + B - 1, of which process r of R
    takes every R-th from the r-th on. Gradients are averaged over all processes.
    """

    def __init__(
        self,
        model: VideoModel,
        samples: Samples,
        config: TrainingConfig,
        *,
        rank: int = 0,
        num_ranks: int = 1,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Make a model trainable, in place.

        Args:
            dtype: the dtype that the networks compute in; by default the model's.

        Raises:
            ValueError: the global batch cannot be divided evenly.
        """
        check_share(config, num_ranks)
        self.samples, self.config = samples, config
        self.rank, self.num_ranks = rank, num_ranks
        # Before the adapter is added, which has another dtype.
        denoiser = Denoiser(model, config, dtype)
        self.parameters = prepare(model, config)
        self.model = model
        self.optimizer, self.rate = make_optimizer(self.parameters, config)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=denoiser.scales_losses)
        is_full = config.train == "full"
        self.ema = EMA(self.parameters, config.ema_decay) if is_full else None
        self.num_done = 0
        self.inner_denoiser = denoiser
        self.denoiser: nn.Module = denoiser
        self.distributed: DistributedDataParallel | None = None
        if num_ranks > 1:
            self.distributed = DistributedDataParallel(denoiser)
            self.denoiser = self.distributed
        self.upcoming: Iterator[tuple[list[int], list[dict[str, Any]]]] | None = None

    def steps(self) -> Iterator[StepReport]:
        """Do the remaining steps, one at a time."""
        while self.num_done < self.config.num_steps:
            yield self.step()

    def step(self) -> StepReport:
        """Do the next step.

        Raises:
            FloatingPointError: the gradients are not finite; the weights are as they were.
        """
        config = self.config
        num_batches = config.global_batch_size // (self.num_ranks * config.batch_size)
        if self.upcoming is None:
            self.upcoming = self.read_ahead()
        self.optimizer.zero_grad(set_to_none=True)
        # The loss, and for each quarter of the noise schedule a sum and a count.
        totals = torch.zeros(1 + 2 * QUARTILES, device=self.model.device)
        for number in range(num_batches):
            batch = self.prepare_batch(*next(self.upcoming))
            # Gradients are reduced once, with the last batch of a step.
            waits = self.distributed is not None and number + 1 < num_batches
            with self.distributed.no_sync() if waits and self.distributed else nullcontext():
                losses = denoising_losses(self.denoiser, self.model.scheduler, batch)
                self.scaler.scale(losses.mean() / num_batches).backward()
            quartiles = quartile_losses(
                losses, batch.timesteps, self.model.scheduler.config.num_train_timesteps
            )
            share = num_batches * self.num_ranks
            totals += torch.cat([losses.detach().mean()[None] / share, *quartiles])
        if self.distributed is not None:
            dist.all_reduce(totals)
        norm, rate = self.update_weights(), float(self.rate.get_last_lr()[0])
        self.rate.step()
        self.num_done += 1
        loss, *quartile_sums_counts = totals.tolist()
        return StepReport(
            self.num_done,
            loss,
            quartile_sums_counts[:QUARTILES],
            [int(count) for count in quartile_sums_counts[QUARTILES:]],
            norm,
            rate,
        )

    def update_weights(self) -> float:
        """Take one optimizer step; return the gradient norm before clipping."""
        self.scaler.unscale_(self.optimizer)
        norm = float(nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm))
        # If the scale makes gradients overflow, the step is skipped and the scale halved.
        may_skip = self.scaler.is_enabled() and self.scaler.get_scale() > MIN_LOSS_SCALE
        if not math.isfinite(norm) and not may_skip:
            raise FloatingPointError(
                f"step {self.num_done + 1}: the gradients are not finite (norm {norm}); lower "
                f"the learning rate, or use --dtype bfloat16 or float32, and start again"
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update()
        return norm

    def read_ahead(self) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
        """Yield positions and samples of this process's batches; the next ones are read meanwhile:
        one, or as many as samples that are far away need."""
        config = self.config
        ahead = getattr(self.samples, "read_ahead", 1)
        waiting: deque[tuple[list[int], Future[list[dict[str, Any]]]]] = deque()
        with Readers(ahead) as readers:
            for step in range(self.num_done, config.num_steps):
                first = step * config.global_batch_size
                own = range(first + self.rank, first + config.global_batch_size, self.num_ranks)
                for at in range(0, len(own), config.batch_size):
                    positions = list(own[at : at + config.batch_size])
                    waiting.append((positions, readers.submit(self.read, positions)))
                    if len(waiting) > ahead:
                        first_positions, reading = waiting.popleft()
                        yield first_positions, reading.result()
            for last_positions, reading in waiting:
                yield last_positions, reading.result()

    def read(self, positions: list[int]) -> list[dict[str, Any]]:
        return [self.samples[position] for position in positions]

    def prepare_batch(self, positions: list[int], samples: list[dict[str, Any]]) -> TrainingBatch:
        """Return the samples at some positions, ready for the UNet."""
        model = self.model
        if "latents" in samples[0]:
            latents = torch.stack([sample["latents"] for sample in samples]).to(model.device)
        else:
            pixels = torch.cat([to_pixels(sample["frames"]) for sample in samples])
            latents = model.encode(pixels.to(model.device))
        noise, timesteps = draw_noise_and_timesteps(
            positions,
            tuple(latents.shape[1:]),
            model.scheduler.config.num_train_timesteps,
            self.config.seed,
        )
        batch = TrainingBatch(
            latents,
            self.prepare_prompts([sample["prompt"] for sample in samples]),
            noise.to(model.device),
            timesteps.to(model.device),
        )
        return self.replace_first_frames(batch, positions)

    def prepare_prompts(self, prompts: list[str]) -> Tensor:
        if self.config.train_text_encoder:
            return self.model.tokenize(prompts)
        return self.model.encode_prompts(prompts)

    def replace_first_frames(self, batch: TrainingBatch, positions: list[int]) -> TrainingBatch:
        """Let some samples begin as the sampler does, see `first_frames`."""
        config, scheduler = self.config, self.model.scheduler
        inverted = draw_rows(
            positions, config.inverted_first_frame, config.seed, Stream.INVERTED_FIRST_FRAME
        )
        copied = draw_rows(positions, config.reference_share, config.seed, Stream.REFERENCE_ROW)
        begun = draw_rows(positions, config.signal_leak_prob, config.seed, Stream.SIGNAL_LEAK)
        if not (inverted | copied | begun).any():
            return batch
        null_prompts = self.prepare_prompts([""])
        if begun.any():
            batch = to_first_timesteps(batch, begun, scheduler)
        if inverted.any():
            # The same for a whole step, in whichever process and batch.
            step = positions[0] // config.global_batch_size
            random = random_state(config.seed, Stream.INVERSION_STEPS, step)
            num_steps = int(random.choice(NUM_INVERSION_STEPS))
            offset = random.randint(scheduler.config.num_train_timesteps // num_steps)
            inverse = make_inverse(scheduler, num_steps, offset, batch.latents.device)
            batch = invert_first_frames(
                batch, inverted, self.inner_denoiser, scheduler, inverse, null_prompts
            )
        if begun.any():
            shares = [
                random_state(config.seed, Stream.SIGNAL_LEAK_SHARE, position).uniform(0, MAX_LEFT)
                for position in positions
            ]
            batch = leave_first_frames(batch, begun, torch.tensor(shares), scheduler)
        return copy_first_frames(batch, copied, null_prompts) if copied.any() else batch

    @property
    def means(self) -> list[Tensor]:
        return self.ema.means if self.ema is not None else []

    def averaged(self) -> AbstractContextManager[None]:
        """Put the averaged weights in place within a `with` block, if there are any."""
        return self.ema.swapped_in() if self.ema is not None else nullcontext()

    def state(self) -> dict[str, Any]:
        """Return what a run is resumed from; random numbers follow from the step."""
        return {
            "num_done": self.num_done,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "mean": [mean.cpu() for mean in self.means],
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.num_done, self.upcoming = state["num_done"], None
        with torch.no_grad():
            for name, values in (("parameters", self.parameters), ("mean", self.means)):
                for value, saved in zip(values, state[name], strict=True):
                    value.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        self.scaler.load_state_dict(state["scaler"])

"""The training loop, as each of the processes that share it runs it."""

import functools
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.graphs import CudaRecorder
from flipsketch.models.video_model import VideoModel
from flipsketch.rng import Stream, random_state
from flipsketch.training.batches import Batches, HostBatch, Samples
from flipsketch.training.config import TrainingConfig, check_share
from flipsketch.training.device_latents import DeviceLatents
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
    make_optimizer,
    prepare,
    quartile_losses,
)
from flipsketch.training.recorded_pass import GradientBuffer, RecordedPass
from flipsketch.training.reports import StartedStep, StepReport, never, report_late

# The scale starts at 65,536 and is halved at each overflow; below this, it is not to blame.
MIN_LOSS_SCALE = 1e-4


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
        self.config, self.num_ranks = config, num_ranks
        self.batches = Batches(model, samples, config, rank=rank, num_ranks=num_ranks)
        # Before the adapter is added, which has another dtype.
        denoiser = Denoiser(model, config, dtype)
        self.parameters = prepare(model, config)
        self.model = model
        self.optimizer, self.rate = make_optimizer(self.parameters, config)
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=denoiser.scales_losses)
        is_full = config.train == "full"
        self.ema = EMA(self.parameters, config.ema_decay) if is_full else None
        self.num_done = 0
        # Batches of a step in this process.
        self.num_batches = config.global_batch_size // (num_ranks * config.batch_size)
        self.inner_denoiser = denoiser
        self.denoiser: nn.Module = denoiser
        self.distributed: DistributedDataParallel | None = None
        self.gradients: GradientBuffer | None = None
        self.learn: Callable[[TrainingBatch], Tensor] = self.add_gradients
        if config.uses_graphs(model.device.type) and not denoiser.scales_losses:
            self.gradients = GradientBuffer(self.parameters)
            recorder = CudaRecorder() if model.device.type == "cuda" else None
            self.learn = RecordedPass(self.add_gradients, recorder)
        elif num_ranks > 1:
            self.distributed = DistributedDataParallel(denoiser)
            self.denoiser = self.distributed
        self.upcoming: Generator[HostBatch, None, None] | None = None

    def steps(self, holds: Callable[[int], bool] = never) -> Generator[StepReport, None, None]:
        """Do the remaining steps and report each while the next one is computed.

        Args:
            holds: tells after which steps the weights must be those of the report.

        Raises:
            FloatingPointError: the gradients are not finite; the weights are lost.
        """
        try:
            yield from report_late(self.start_step, self.config.num_steps - self.num_done, holds)
        finally:
            self.stop_reading()

    def step(self) -> StepReport:
        """Do the next step, and wait for its report.

        Raises:
            FloatingPointError: the gradients are not finite; the weights are lost.
        """
        return self.start_step().read()

    def start_step(self) -> StartedStep:
        """Give the device the work of the next step."""
        if self.upcoming is None:
            self.upcoming = self.batches.read_from(self.num_done)
        if self.gradients is not None:
            self.gradients.clear()
        else:
            self.optimizer.zero_grad(set_to_none=True)
        # The loss, and for each quarter of the noise schedule a sum and a count.
        totals = torch.zeros(1 + 2 * QUARTILES, device=self.model.device)
        for number in range(self.num_batches):
            batch = self.prepare_batch(next(self.upcoming))
            # Gradients are reduced once, with the last batch of a step.
            waits = self.distributed is not None and number + 1 < self.num_batches
            with self.distributed.no_sync() if waits and self.distributed else nullcontext():
                totals += self.learn(batch)
        if self.gradients is not None:
            self.gradients.average(self.num_ranks)
        if self.num_ranks > 1:
            dist.all_reduce(totals)
        may_be_skipped = self.scaler.is_enabled() and self.scaler.get_scale() > MIN_LOSS_SCALE
        norm, rate = self.update_weights(), float(self.rate.get_last_lr()[0])
        self.rate.step()
        self.num_done += 1
        numbers = torch.cat([totals[:1], norm[None].to(totals), totals[1:]])
        return StartedStep(self.num_done, numbers, rate, may_be_skipped=may_be_skipped)

    def add_gradients(self, batch: TrainingBatch) -> Tensor:
        """Add a batch's part of the gradients; return its part of the step's totals."""
        scheduler = self.model.scheduler
        losses = denoising_losses(self.denoiser, scheduler, batch)
        self.scaler.scale(losses.mean() / self.num_batches).backward()
        quartiles = quartile_losses(losses, batch.timesteps, scheduler.config.num_train_timesteps)
        share = self.num_batches * self.num_ranks
        return torch.cat([losses.detach().mean()[None] / share, *quartiles])

    def update_weights(self) -> Tensor:
        """Take one optimizer step; return the gradient norm before clipping.

        If the scale of float16's losses makes gradients overflow, the step is skipped and the scale
        halved.
        """
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update()
        return norm

    def stop_reading(self) -> None:
        """Drop what was read ahead, and let the threads that read it end."""
        if self.upcoming is not None:
            self.upcoming.close()
            self.upcoming = None

    @torch.no_grad()
    def prepare_batch(self, batch: HostBatch) -> TrainingBatch:
        """Return a batch on the device, ready for the UNet."""
        model = self.model
        clips, tokens, noise, timesteps = (
            tensor.to(model.device, non_blocking=True)
            for tensor in (batch.clips, batch.tokens, batch.noise, batch.timesteps)
        )
        if batch.kind == "pixels":
            clips = model.encode(clips)
        elif batch.kind == "places":
            assert isinstance(self.batches.samples, DeviceLatents), "only these have places"
            clips = self.batches.samples.windows(clips)
        return self.replace_first_frames(
            TrainingBatch(clips, self.embed(tokens), noise, timesteps), batch.positions
        )

    @torch.no_grad()
    def embed(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, L) as the denoiser takes prompts."""
        if self.config.train_text_encoder:
            return tokens
        return self.model.text_encoder(tokens).last_hidden_state

    @functools.cached_property
    def null_prompts(self) -> Tensor:
        """The empty prompt, as the denoiser takes it (1, ...)."""
        return self.embed(self.model.tokenize([""]))

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
        null_prompts = self.null_prompts
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
    def unet(self) -> VideoUNet:
        """The UNet that computes a step."""
        return self.model.unet

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
        self.stop_reading()
        self.num_done = state["num_done"]
        with torch.no_grad():
            for name, values in (("parameters", self.parameters), ("mean", self.means)):
                for value, saved in zip(values, state[name], strict=True):
                    value.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])
        self.scaler.load_state_dict(state["scaler"])

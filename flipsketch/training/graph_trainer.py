"""Training of a small model on one device, which keeps the clips and draws all random numbers.

On a GPU a step is one CUDA graph: launched one by one, kernels this small would leave the GPU idle
for most of a step.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.graphs import CudaRecorder, Graphs
from flipsketch.models.video_model import VideoModel
from flipsketch.training.config import TrainingConfig
from flipsketch.training.ema import EMA
from flipsketch.training.first_frames import (
    MAX_LEFT,
    as_rows,
    copy_first_frames,
    leave_first_frames,
    place_first_frames,
    to_first_timesteps,
)
from flipsketch.training.inverted_frames import InvertedFrames
from flipsketch.training.objective import (
    QUARTILES,
    Denoiser,
    TrainingBatch,
    denoising_losses,
    prepare,
    quartile_losses,
    rate_factor,
)
from flipsketch.training.reports import StartedStep, StepReport, never, report_late

# Steps between renewals of the inverted first frames, and their number.
INVERT_EVERY = 1000
NUM_INVERTED = 2000
# CUDA requires some steps before one is recorded as a graph.
NUM_EAGER_STEPS = 3
PROMPTS_CHUNK = 1024


@dataclass(frozen=True)
class Clips:
    """All training clips."""

    latents: Tensor
    """(N, F, C, h, w); the values after a shorter clip's end are never used."""
    lengths: Tensor
    """Number of frames of each clip (N,)."""
    prompts: list[str]


class GraphTrainer:
    """Trains as `flipsketch.training.trainer.Trainer` does, with other random numbers.

    Inverted first frames come from a pool that is renewed every INVERT_EVERY steps, and when a run
    is resumed.
    """

    def __init__(
        self,
        model: VideoModel,
        clips: Clips,
        config: TrainingConfig,
        *,
        dtype: torch.dtype | None = None,
        num_inverted: int = NUM_INVERTED,
    ) -> None:
        """Make a model trainable, in place.

        Args:
            clips: clips with at least as many frames as a training window.
            dtype: the dtype that the networks compute in; by default the model's.
            num_inverted: inverted first frames for each of `first_frames.NUM_INVERSION_STEPS`.

        Raises:
            ValueError: the batch is divided, or the dtype is float16.
        """
        if config.batch_size != config.global_batch_size:
            raise ValueError(
                f"on one device a batch is not divided; set batch_size to the global one, "
                f"{config.global_batch_size}, got {config.batch_size}"
            )
        denoiser = Denoiser(model, config, dtype)
        if denoiser.scales_losses:
            raise ValueError(
                "on one device losses are not scaled, which float16 needs; use bfloat16"
            )
        self.model, self.config, self.device = model, config, model.device
        scheduler = model.scheduler
        scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(self.device)
        self.latents = clips.latents.to(self.device)
        # Number of windows of each clip.
        self.num_windows = clips.lengths.to(self.device) - config.num_frames + 1
        read = model.tokenize if config.train_text_encoder else model.encode_prompts
        chunks = range(0, len(clips.prompts), PROMPTS_CHUNK)
        self.prompts = torch.cat([read(clips.prompts[at : at + PROMPTS_CHUNK]) for at in chunks])
        self.null = read([""])
        self.parameters = prepare(model, config)
        # Casting weights under autocast would take as long as the rest of a step.
        self.denoiser = denoiser.to_own_dtype()
        self.cast: list[Tensor] = [
            weight for weight in self.denoiser.parameters() if weight.requires_grad
        ]
        self.on_gpu = self.device.type == "cuda"
        self.recorder = CudaRecorder() if self.on_gpu else None
        if self.on_gpu:
            # All steps have the same shapes.
            torch.backends.cudnn.benchmark = True
        self.rate = torch.tensor(config.learning_rate, device=self.device)
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.rate,
            weight_decay=config.weight_decay,
            fused=self.on_gpu,
            capturable=self.on_gpu,
        )
        is_full = config.train == "full"
        self.ema = EMA(self.parameters, config.ema_decay) if is_full else None
        self.num_done = self.num_eager = 0
        # The loss, the gradients' norm, and for each quarter of the noise schedule a sum and a
        # count.
        self.totals = torch.zeros(2 + 2 * QUARTILES, device=self.device)
        self.replay: Callable[[], object] | None = None
        self.graphs = Graphs(self.recorder)
        # A row each where none is used: at a large model's size a pool takes more than its latents.
        self.pool = InvertedFrames(self.latents, num_inverted if config.inverted_first_frame else 1)
        self.is_ready = False

    def steps(self, holds: Callable[[int], bool] = never) -> Generator[StepReport, None, None]:
        """Do the remaining steps and report each while the next one is computed.

        Args:
            holds: tells after which steps the weights must be those of the report.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the weights are lost.
        """
        return report_late(self.start_step, self.config.num_steps - self.num_done, holds)

    def step(self) -> StepReport:
        """Do the next step, and wait for its report.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the weights are lost.
        """
        return self.start_step().read()

    def start_step(self) -> StartedStep:
        """Give the device the work of the next step."""
        if not self.is_ready or self.num_done % INVERT_EVERY == 0:
            torch.manual_seed(self.config.seed * 10_000_000 + self.num_done)
            self.cast_weights()
            if self.config.inverted_first_frame:
                self.invert()
            self.is_ready = True
        rate = self.config.learning_rate * rate_factor(self.num_done, self.config)
        self.rate.fill_(rate)
        if self.recorder is None:
            self.learn()
        elif self.num_eager < NUM_EAGER_STEPS:
            self.recorder.warm_up(self.learn)
            self.num_eager += 1
        else:
            if self.replay is None:
                _, self.replay = self.recorder.record(self.learn)
            self.replay()
        self.num_done += 1
        return StartedStep(self.num_done, self.totals, rate)

    def learn(self) -> Tensor:
        scheduler = self.model.scheduler
        for weight in self.cast:
            weight.grad = None
        batch = self.draw_batch()
        losses = denoising_losses(self.denoiser, scheduler, batch)
        loss = losses.mean()
        loss.backward()
        for weight, cast in zip(self.parameters, self.cast, strict=True):
            weight.grad = None if cast.grad is None else cast.grad.to(weight.dtype)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.max_grad_norm)
        self.optimizer.step()
        self.cast_weights()
        if self.ema is not None:
            self.ema.update()
        quartiles = quartile_losses(losses, batch.timesteps, scheduler.config.num_train_timesteps)
        return self.totals.copy_(torch.cat([loss.detach()[None], norm.detach()[None], *quartiles]))

    @torch.no_grad()
    def cast_weights(self) -> None:
        torch._foreach_copy_(self.cast, [*self.parameters])

    def draw_batch(self) -> TrainingBatch:
        config, device, scheduler = self.config, self.device, self.model.scheduler
        size = config.global_batch_size

        def draw(share: float) -> Tensor:
            return torch.rand(size, device=device) < share

        inverted, copied = draw(config.inverted_first_frame), draw(config.reference_share)
        begun, is_dropped = draw(config.signal_leak_prob), draw(config.prompt_dropout)
        place = torch.randint(len(self.pool), (size,), device=device)
        rows = torch.randint(len(self.latents), (size,), device=device)
        rows = torch.where(inverted, self.pool.clips[place], rows)
        starts = torch.where(inverted, self.pool.starts[place], self.draw_starts(rows))
        frames = starts[:, None] + torch.arange(config.num_frames, device=device)
        latents = self.latents[rows[:, None], frames].float().transpose(1, 2)
        prompts = self.prompts[rows]
        prompts = torch.where(as_rows(is_dropped, prompts), self.null, prompts)
        num_timesteps = scheduler.config.num_train_timesteps
        timesteps = torch.randint(num_timesteps, (size,), device=device)
        batch = TrainingBatch(latents, prompts, torch.randn_like(latents), timesteps)
        batch = to_first_timesteps(batch, begun, scheduler)
        first, there = self.pool.find(place, batch.timesteps)
        batch = place_first_frames(batch, inverted, first, there, scheduler)
        shares = MAX_LEFT * torch.rand(size, device=device)
        batch = leave_first_frames(batch, begun, shares, scheduler)
        return copy_first_frames(batch, copied, self.null)

    @property
    def unet(self) -> VideoUNet:
        """The UNet that computes a step."""
        return self.denoiser.unet

    def draw_starts(self, rows: Tensor) -> Tensor:
        """Return where each clip's window begins (B,)."""
        return (torch.rand(len(rows), device=self.device) * self.num_windows[rows]).long()

    def invert(self) -> None:
        """Renew the pool of inverted first frames with the current weights."""
        predict = partial(self.graphs.run, "denoise", self.denoiser)
        with self.graphs.batch(self.denoiser):
            self.pool.renew(self.draw_starts, predict, self.model.scheduler, self.null)

    def averaged(self) -> AbstractContextManager[None]:
        """Put the averaged weights in place within a `with` block, if there are any."""
        return self.ema.swapped_in() if self.ema is not None else nullcontext()

    def state(self) -> dict[str, Any]:
        return {
            "num_done": self.num_done,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "mean": [mean.cpu() for mean in self.means],
            "optimizer": self.optimizer.state_dict(),
        }

    @property
    def means(self) -> list[Tensor]:
        return self.ema.means if self.ema is not None else []

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        self.num_done, self.is_ready = state["num_done"], False
        for name, values in (("parameters", self.parameters), ("mean", self.means)):
            for value, saved in zip(values, state[name], strict=True):
                value.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate

"""A training loop in slices: it resumes from its newest checkpoint and stops at a deadline."""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor, nn

from flipsketch.media.contact_sheet import encode_png
from flipsketch.storage.folder import Folder
from flipsketch.training.checkpoints import load_newest, save_checkpoint
from flipsketch.training.ema import EMA

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_S = 120.0
DRAW_EVERY_S = 1800.0
LOG_EVERY_S = 30.0


class Learner(Protocol):
    """A model that is trained step by step, such as `flipsketch.training.trainer.Trainer`."""

    num_done: int

    def step(self) -> Any:
        """Do a step and return a report with `loss`."""

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


class StepLoss(NamedTuple):
    loss: float


class SimpleLearner:
    """Modules trained by AdamW with a cosine schedule, by several processes together if
    `torch.distributed` is initialized."""

    def __init__(
        self,
        modules: list[nn.Module],
        loss: Callable[[int], Tensor],
        *,
        num_steps: int,
        learning_rate: float,
        warmup_steps: int = 100,
        ema_decay: float = 0.998,
    ) -> None:
        """
        Args:
            loss: returns the loss of a step; the step's number determines its data.
        """
        self.parameters = [parameter for module in modules for parameter in module.parameters()]
        self.loss, self.num_done = loss, 0
        self.optimizer = torch.optim.AdamW(self.parameters, learning_rate, betas=(0.9, 0.99))
        self.rate = torch.optim.lr_scheduler.SequentialLR(
            self.optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(self.optimizer, 0.01, 1.0, warmup_steps),
                torch.optim.lr_scheduler.CosineAnnealingLR(
                    self.optimizer, max(1, num_steps - warmup_steps)
                ),
            ],
            [warmup_steps],
        )
        self.ema = EMA(self.parameters, ema_decay)

    def step(self) -> StepLoss:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.num_done)
        loss.backward()
        share_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.rate.step()
        self.ema.update()
        self.num_done += 1
        return StepLoss(float(loss.detach()))

    def state(self) -> dict[str, Any]:
        return {
            "num_done": self.num_done,
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "mean": [mean.cpu() for mean in self.ema.means],
            "optimizer": self.optimizer.state_dict(),
            "rate": self.rate.state_dict(),
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        self.num_done = state["num_done"]
        for name, values in (("parameters", self.parameters), ("mean", self.ema.means)):
            for value, saved in zip(values, state[name], strict=True):
                value.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate.load_state_dict(state["rate"])


def learn(
    folder: Folder,
    learner: Learner,
    num_steps: int,
    *,
    deadline: float,
    draw: Callable[[], Image.Image],
) -> list[float]:
    """Train until all steps are done or the deadline has passed, but at least one step.

    Processes that train together (`torch.distributed`) all call it; the first one's clock counts,
    and only the first one writes.

    Args:
        folder: folder of checkpoints and pictures.
        deadline: a time of `time.monotonic()`.
        draw: returns a picture of the current results.

    Returns:
        The loss of each step done, also by earlier calls.
    """
    is_first = not dist.is_initialized() or dist.get_rank() == 0
    losses: list[float] = []
    if is_first:
        folder.make()
    _, state = load_newest(folder)
    if state is not None:
        losses = state.pop("losses").tolist()
        learner.restore(state)
    # Waits until all have read the checkpoint, before the first one writes another.
    is_over(deadline)
    saved = drawn = logged = time.monotonic()
    if learner.num_done > num_steps:
        raise ValueError(
            f"{folder}: has {learner.num_done} steps already, more than the requested {num_steps}; "
            f"request at least as many, or give another folder"
        )
    is_last = learner.num_done == num_steps
    while not is_last:
        losses.append(learner.step().loss)
        is_last = learner.num_done == num_steps or is_over(deadline)
        if not is_first:
            continue
        now = time.monotonic()
        # Before the checkpoint, so that no checkpoint lacks its picture.
        if is_last or now - drawn > DRAW_EVERY_S:
            folder.publish(f"samples/step-{learner.num_done:06d}.png", encode_png(draw()))
            drawn = time.monotonic()
        if is_last or now - saved > CHECKPOINT_EVERY_S:
            state = {**learner.state(), "losses": torch.tensor(losses)}
            save_checkpoint(folder, learner.num_done, state, keep=2)
            saved = time.monotonic()
        if is_last or now - logged > LOG_EVERY_S:
            log.info(
                "%s: step %d of %d, loss %.4f",
                folder.path.rpartition("/")[2],
                learner.num_done,
                num_steps,
                np.mean(losses[-100:]),
            )
            logged = now
    return losses


def share_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients over the processes that train together."""
    if not dist.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = nn.utils.parameters_to_vector(gradients)
    dist.all_reduce(flat)
    nn.utils.vector_to_parameters(flat / dist.get_world_size(), gradients)


def is_over(deadline: float) -> bool:
    over = torch.tensor(int(time.monotonic() >= deadline))
    if dist.is_initialized():
        dist.broadcast(over, 0)
    return bool(over)

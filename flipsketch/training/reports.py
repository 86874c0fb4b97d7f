"""What a step of training reports, read from the device while the next step is computed."""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flipsketch.training.objective import QUARTILES


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


class StartedStep:
    """A step whose numbers are still to come from the device."""

    def __init__(
        self, step: int, numbers: Tensor, learning_rate: float, *, may_be_skipped: bool = False
    ) -> None:
        """
        Args:
            numbers: the loss, the gradients' norm, and for each quarter of the noise schedule a sum
                of losses and a count (2 + 2 * QUARTILES,).
            may_be_skipped: gradients that are not finite are due to the scale of float16's losses.
        """
        self.step, self.learning_rate, self.may_be_skipped = step, learning_rate, may_be_skipped
        on_gpu = numbers.device.type == "cuda"
        # Copied in the order of the device's work, so that the next step may overwrite them.
        self.numbers = torch.empty_like(numbers, device="cpu", pin_memory=on_gpu)
        self.numbers.copy_(numbers, non_blocking=True)
        self.copied = torch.cuda.current_stream(numbers.device).record_event() if on_gpu else None

    def read(self) -> StepReport:
        """Wait for the step and report it.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the weights are lost.
        """
        if self.copied is not None:
            self.copied.synchronize()
        loss, norm, *quartiles = self.numbers.tolist()
        if not math.isfinite(loss + norm) and not self.may_be_skipped:
            raise FloatingPointError(
                f"step {self.step}: the gradients are not finite (norm {norm}, loss {loss}); lower "
                f"the learning rate, or use --dtype bfloat16 or float32, and start again"
            )
        counts = [int(count) for count in quartiles[QUARTILES:]]
        return StepReport(self.step, loss, quartiles[:QUARTILES], counts, norm, self.learning_rate)


def never(step: int) -> bool:
    return False


def report_late(
    start_step: Callable[[], StartedStep], num_steps: int, holds: Callable[[int], bool] = never
) -> Generator[StepReport, None, None]:
    """Start a number of steps, and report each while the next one is computed, so that the device
    never waits to be read.

    Args:
        holds: tells after which steps the next one waits until the report was used, so that the
            weights are those of the report. What is saved then is finite: the report of a step
            whose gradients are not is an error.
    """
    started: StartedStep | None = None
    for _ in range(num_steps):
        before, started = started, start_step()
        if before is not None:
            yield before.read()
        if holds(started.step):
            yield started.read()
            started = None
    if started is not None:
        yield started.read()


def refuse_lost_weights(step: int, weights: Sequence[Tensor]) -> None:
    """Raise FloatingPointError unless all weights are finite: an update by finite gradients can
    overflow too."""
    if not all(torch.stack([weight.detach().isfinite().all() for weight in weights]).tolist()):
        raise FloatingPointError(
            f"step {step}: the weights are not finite; lower the learning rate, and start again"
        )

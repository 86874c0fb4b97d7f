"""The forward and backward pass of a batch as one CUDA graph, for a model of any size: launched one
by one, the thousands of kernels of a small batch keep a GPU waiting."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn

from flipsketch.models.graphs import Recorder
from flipsketch.training.objective import TrainingBatch

log = logging.getLogger(__name__)

# CUDA requires some passes before one is recorded as a graph.
NUM_EAGER_PASSES = 3


class GradientBuffer:
    """Gradients of all parameters in one piece of memory, which a graph adds to wherever it is
    replayed, and which processes reduce at once."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        first = parameters[0]
        num_values = sum(parameter.numel() for parameter in parameters)
        self.values = torch.zeros(num_values, dtype=first.dtype, device=first.device)
        at = 0
        for parameter in parameters:
            # In the layout of the parameter, so that the optimizer takes them together.
            parameter.grad = self.values.as_strided(parameter.shape, parameter.stride(), at)
            at += parameter.numel()

    def clear(self) -> None:
        self.values.zero_()

    def average(self, num_ranks: int) -> None:
        """Average the gradients over all processes."""
        if num_ranks > 1:
            dist.all_reduce(self.values)
            self.values /= num_ranks


class RecordedPass:
    """A function of a batch, called with copies in tensors that never move: with a recorder it is
    recorded after some calls, and then replayed; else it is called each time.

    What it adds to gradients must be in a `GradientBuffer`, and all batches have the same shapes.
    """

    def __init__(
        self, learn: Callable[[TrainingBatch], Tensor], recorder: Recorder | None = None
    ) -> None:
        self.learn, self.recorder = learn, recorder
        self.batch: TrainingBatch | None = None
        self.num_eager = 0
        self.replay: Callable[[], object] | None = None

    def __call__(self, batch: TrainingBatch) -> Tensor:
        """Return what the function returns, to be used before the next call."""
        if self.batch is None:
            self.batch = TrainingBatch(
                *(getattr(batch, field.name).clone() for field in fields(batch))
            )
        for field in fields(batch):
            getattr(self.batch, field.name).copy_(getattr(batch, field.name))
        if self.recorder is None:
            return self.learn(self.batch)
        work = partial(self.learn, self.batch)
        if self.num_eager < NUM_EAGER_PASSES:
            self.num_eager += 1
            return self.recorder.warm_up(work)
        if self.replay is None:
            try:
                self.result, self.replay = self.recorder.record(work)
            except RuntimeError as error:
                log.warning(
                    "going on without a CUDA graph, which takes longer: %s; with --graphs False "
                    "none is tried",
                    str(error).partition("\n")[0],
                )
                self.recorder = None
                return self.learn(self.batch)
        self.replay()
        return self.result

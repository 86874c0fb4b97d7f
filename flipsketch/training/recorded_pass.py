"""The forward and backward pass of a batch as one CUDA graph, for a model of any size: launched one
by one, the thousands of kernels of a small batch keep a GPU waiting."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields

import torch
import torch.distributed as dist
from torch import Tensor, nn

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
    """A function of a batch, called with copies in tensors that never move: on a GPU it is recorded
    after some calls, and then replayed; elsewhere it is called each time.

    What it adds to gradients must be in a `GradientBuffer`, and all batches have the same shapes.
    """

    def __init__(self, learn: Callable[[TrainingBatch], Tensor]) -> None:
        self.learn = learn
        self.batch: TrainingBatch | None = None
        self.num_eager = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.is_recordable = True

    def __call__(self, batch: TrainingBatch) -> Tensor:
        """Return what the function returns, to be used before the next call."""
        if self.batch is None:
            self.batch = TrainingBatch(
                *(getattr(batch, field.name).clone() for field in fields(batch))
            )
        for field in fields(batch):
            getattr(self.batch, field.name).copy_(getattr(batch, field.name))
        if batch.latents.device.type != "cuda" or not self.is_recordable:
            return self.learn(self.batch)
        if self.num_eager < NUM_EAGER_PASSES:
            self.num_eager += 1
            return on_another_stream(self.learn, self.batch)
        if self.graph is None and not self.record(self.batch):
            return self.learn(self.batch)
        assert self.graph is not None, "it was recorded"
        self.graph.replay()
        return self.result

    def record(self, batch: TrainingBatch) -> bool:
        """Record the function, without running it; return False, and say so, if that fails."""
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads pin memory meanwhile, which would end a recording in another mode.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.result = self.learn(batch)
        except RuntimeError as error:
            log.warning("a step cannot be a CUDA graph (%s); its kernels are launched", error)
            self.is_recordable = False
            return False
        self.graph = graph
        return True


def on_another_stream(learn: Callable[[TrainingBatch], Tensor], batch: TrainingBatch) -> Tensor:
    """Call a function as CUDA requires it before a recording."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = learn(batch)
    torch.cuda.current_stream().wait_stream(stream)
    return result

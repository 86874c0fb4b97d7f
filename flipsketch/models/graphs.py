"""A UNet's passes as CUDA graphs: one launch in place of some 1,570.

Small batches take longer to launch than to compute. A graph is captured when its shapes come for
the second time, kept for the batches that follow, and replays the kernels that it was captured
from: results are the same to the last bit.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Kinds of batches whose graphs are kept; inverting and sampling clips of one length are two. Graphs
# share their memory, but each kind has inputs and buffers of its own.
MAX_KINDS = 8


class Recorder(Protocol):
    """What can run work again without its Python."""

    num_bytes: int
    """GPU memory that recorded work keeps for itself."""

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Run work that may be recorded later."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        """Return the tensor that holds the result of work, and what computes it again, from the
        same tensors. The result is there only once it has been computed again."""


class CudaRecorder:
    """Captures CUDA graphs on a stream of its own.

    All graphs share one pool of memory, so a replay may overwrite what another one computed.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        """Args: device: by default the current one."""
        self.stream = torch.cuda.Stream(device)
        self.device = self.stream.device
        self.pool = torch.cuda.graph_pool_handle()
        self.num_bytes = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        # On the stream of the captures: libraries allocate a workspace for each stream, which must
        # not be in the graphs' pool.
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            result = work()
        current.wait_stream(self.stream)
        return result.clone()

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()  # the pool cannot take what the warm-up left
        num_before = torch.cuda.memory_reserved(self.device)
        with torch.cuda.stream(self.stream):
            # Other threads may go on using the GPU.
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                result = work()
                graph.capture_end()
            except BaseException:
                self.abandon(graph)
                raise
        self.num_bytes += torch.cuda.memory_reserved(self.device) - num_before
        return result, graph.replay

    def abandon(self, graph: torch.cuda.CUDAGraph) -> None:
        """Leave neither the stream nor the allocator in the middle of a capture."""
        with suppress(RuntimeError):
            graph.capture_end()
        # Where that fails, as it does after an operation that cannot be captured, it skips this,
        # and the allocator would not give memory back to the GPU again. Else this fails.
        with suppress(RuntimeError):
            torch._C._cuda_endAllocateToPool(self.device.index, self.pool)
            torch._C._cuda_releasePool(self.device.index, self.pool)


class Rehearsal:
    """On a CPU: the work is done again, from the same tensors, by its own Python."""

    num_bytes = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        return work()

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        result = work()
        return result, lambda: result.copy_(work())


class RecordedFunction:
    """A function of tensors, recorded for the shapes of some."""

    def __init__(
        self, recorder: Recorder, function: Callable[..., Tensor], given: tuple[Tensor, ...]
    ) -> None:
        self.given = [tensor.clone(memory_format=torch.contiguous_format) for tensor in given]
        self.result, self.replay = recorder.record(partial(function, *self.given))

    def __call__(self, *given: Tensor) -> Tensor:
        for own, tensor in zip(self.given, given, strict=True):
            own.copy_(tensor)
        self.replay()
        return self.result.clone()


class Buffers:
    """Tensors by name that one function leaves to another, each in a place of its own that
    recorded functions can find again."""

    def __init__(self) -> None:
        self.flat: dict[Hashable, Tensor] = {}
        self.num_moved = 0

    def put(self, name: Hashable, tensor: Tensor) -> Tensor:
        """Copy a tensor to its place, or, if it is too large for it, to a new one."""
        flat = self.flat.get(name)
        if flat is None or flat.numel() < tensor.numel() or flat.dtype != tensor.dtype:
            self.flat[name] = tensor.new_empty(tensor.numel())
            self.num_moved += flat is not None
        kept = self.get(name, tensor.shape)
        return kept.copy_(tensor)

    def get(self, name: Hashable, shape: torch.Size) -> Tensor:
        return self.flat[name][: shape.numel()].view(shape)


class Kind:
    """What is kept for a kind of batch."""

    def __init__(self) -> None:
        self.buffers = Buffers()
        self.seen: set[Hashable] = set()
        self.recorded: dict[Hashable, RecordedFunction] = {}


class Graphs:
    """Runs functions of tensors and records them, for one thread.

    Without a recorder, and outside of `batch`, they are just called.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder
        self.kinds: OrderedDict[Hashable, Kind] = OrderedDict()
        self.kind: Kind | None = None
        self.mode: tuple[Hashable, ...] = ()

    @property
    def num_recorded(self) -> int:
        return sum(len(kind.recorded) for kind in self.kinds.values())

    @contextmanager
    def batch(self, unet: nn.Module, *kind: Hashable) -> Iterator[None]:
        """Functions in here run on a UNet for a batch of some kind: whatever decides what they
        compute, beside the tensors that they are given and the `mode`."""
        if self.recorder is None:
            yield
            return
        kind = (*kind, unet_state(unet))
        assert self.kind is None, "a batch within a batch"
        self.kind = self.kinds.get(kind) or Kind()
        self.kinds[kind] = self.kind
        self.kinds.move_to_end(kind)
        while len(self.kinds) > MAX_KINDS:
            self.kinds.popitem(last=False)
        num_before = self.num_recorded
        try:
            yield
        finally:
            self.kind = None
            if self.num_recorded > num_before:
                log.info(
                    "%d graphs of the UNet's passes are kept, with %.1f GiB of GPU memory",
                    self.num_recorded,
                    self.recorder.num_bytes / 2**30 if self.recorder else 0,
                )

    @contextmanager
    def within(self, *mode: Hashable) -> Iterator[None]:
        """Functions compute something else in here than out there."""
        before = self.mode
        self.mode = (*before, *mode)
        try:
            yield
        finally:
            self.mode = before

    def run(self, name: str, function: Callable[..., Tensor], *given: Tensor) -> Tensor:
        """Return what a function makes of tensors without gradients."""
        if self.recorder is None or self.kind is None or torch.is_grad_enabled():
            return function(*given)
        shapes = ((tensor.shape, tensor.dtype) for tensor in given)
        key = (name, self.mode, self.kind.buffers.num_moved, *shapes)
        if key not in self.kind.seen:
            self.kind.seen.add(key)
            return self.recorder.warm_up(partial(function, *given))
        if key not in self.kind.recorded and not self.record(key, function, given):
            return function(*given)
        return self.kind.recorded[key](*given)

    def record(
        self, key: Hashable, function: Callable[..., Tensor], given: tuple[Tensor, ...]
    ) -> bool:
        """Record a function; where that fails, go on without graphs and return False."""
        assert self.recorder is not None and self.kind is not None
        try:
            self.kind.recorded[key] = RecordedFunction(self.recorder, function, given)
            return True
        except RuntimeError as error:
            reason = str(error)
        self.give_up(reason)
        return False

    @property
    def buffers(self) -> Buffers | None:
        """Where functions in `batch` leave tensors to each other, if they are recorded."""
        return None if self.kind is None else self.kind.buffers

    def give_up(self, reason: str) -> None:
        """Let go of all graphs, and of their memory, and go on without."""
        log.warning(
            "going on without CUDA graphs, which changes no clip but takes longer: %s; with "
            "--no-graphs none are tried",
            reason.partition("\n")[0],
        )
        self.recorder = self.kind = None
        self.kinds.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def run_freeing(self, work: Callable[[], Result]) -> Result:
        """Return what work returns; where memory runs out that the graphs hold, again without."""
        try:
            return work()
        except torch.OutOfMemoryError as error:
            if not self.num_recorded:
                raise
            reason = str(error)
        self.give_up(reason)
        return work()


EAGER = Graphs()


def use_graphs(unet: nn.Module, recorder: Recorder | None = None) -> Graphs:
    """Have a UNet's passes replayed as graphs, as long as `sample_latents` and the like make them.

    Args:
        recorder: by default CUDA's on a GPU, and a rehearsal elsewhere.
    """
    if recorder is None:
        device = next(unet.parameters()).device
        recorder = CudaRecorder(device) if device.type == "cuda" else Rehearsal()
    graphs = vars(unet)["graphs"] = Graphs(recorder)
    return graphs


def graphs_of(unet: nn.Module) -> Graphs:
    """Return the graphs of a UNet, or what calls functions as they are."""
    return vars(unet).get("graphs", EAGER)


def unet_state(unet: nn.Module) -> tuple[Hashable, ...]:
    """Return what decides which kernels a UNet runs and where they find its weights."""
    layers = (
        # An attention's processor; a checkpointed block's own `forward`.
        (type(module), vars(module).get("processor"), "forward" in vars(module))
        for module in unet.modules()
    )
    places = (tensor.data_ptr() for tensor in (*unet.parameters(), *unet.buffers()))
    return (*layers, *places)

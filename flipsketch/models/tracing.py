"""What calls of a network take, in bytes and operations: from shapes alone, without its weights.

PyTorch's fake tensors have a shape, a dtype and a device, and no content; an operator on them takes
0.1 ms whatever their size.
"""

import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)


class LiveBytes(TorchDispatchMode):
    """Adds up the tensors that operators return, for as long as something refers to them.

    Counts real tensors as well as fake ones. What an operator needs beside its results, such as a
    convolution's workspace, is not seen. (PyTorch's MemTracker cannot be used: it puts hooks on
    gradients of weights, of which frozen ones have none.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.counted: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        for tensor in tree_iter((args, kwargs)):
            # Made before: weights, of which operators return views, and inputs.
            if isinstance(tensor, Tensor):
                self.counted.add(tensor.untyped_storage())
        results = func(*args, **kwargs)
        for tensor in tree_iter(results):
            if isinstance(tensor, Tensor):
                self.count(tensor.untyped_storage())
        return results

    def count(self, storage: torch.UntypedStorage) -> None:
        if storage in self.counted:
            return
        self.counted.add(storage)
        num_bytes = storage.nbytes()
        self.live += num_bytes
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self.forget, num_bytes)

    def forget(self, num_bytes: int) -> None:
        self.live -= num_bytes


def count_attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def count_attention_backward(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any, **__: Any
) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


# FlopCounterMode knows the fused attention of GPUs alone.
FUSED_ON_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: count_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: count_attention_backward,
}


def trace(call: Callable[[], Any]) -> tuple[int, float]:
    """Return the bytes that a call's tensors take at the most, without those that were there, and
    its TFLOP, as `FlopCounterMode` counts them: products and convolutions."""
    with (
        FlopCounterMode(display=False, custom_mapping=FUSED_ON_CPU) as counter,
        LiveBytes() as live,
    ):
        call()
    return live.peak, counter.get_total_flops() / 1e12


@contextmanager
def without_content(network: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """In here every new tensor is a fake one on the CPU, and so are the weights of a network that
    was on the meta device. (There attention would not be traced as the fused one of GPUs.)"""
    with FakeTensorMode(), warnings.catch_warnings():
        # `attention.joined_weights` asks where weights lie.
        warnings.filterwarnings("ignore", "Accessing the data pointer of FakeTensor")
        for module in network.modules():
            for name, weights in module.named_parameters(recurse=False):
                fake = torch.empty(weights.shape, dtype=dtype)
                module.register_parameter(name, nn.Parameter(fake, requires_grad=False))
            for name, buffer in module.named_buffers(recurse=False):
                fake = torch.empty(buffer.shape, dtype=buffer.dtype)
                module.register_buffer(name, fake.to(dtype) if buffer.is_floating_point() else fake)
        yield


def size_bytes(network: nn.Module, dtype: torch.dtype) -> int:
    """Return the size of a network's weights in a dtype."""
    return sum(weights.numel() for weights in network.parameters()) * dtype.itemsize

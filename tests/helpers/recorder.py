"""What a CUDA graph does, on a CPU: operations are repeated on the tensors of the first time, and
nothing is run of the Python around them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


class Operations(TorchDispatchMode):
    """Notes the operations within, with the tensors that they take and give."""

    def __init__(self):
        super().__init__()
        self.noted, self.before = [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        # In the shapes that they have now: some operations change no more than a tensor's shape.
        given = tree_map_only(Tensor, Tensor.detach, (args, kwargs or {}))
        if function._schema.is_mutable:
            self.before.append((given[0][0], given[0][0].clone()))
        result = function(*args, **(kwargs or {}))
        if torch.Tag.inplace_view not in function.tags:
            self.noted.append((function, *given, tree_map_only(Tensor, Tensor.detach, result)))
        return result

    @torch.no_grad()
    def undo(self) -> None:
        """Put back what was there before, where tensors were changed in place."""
        for tensor, before in reversed(self.before):
            tensor.copy_(before)
        self.before.clear()

    @torch.no_grad()
    def repeat(self) -> None:
        for function, args, kwargs, before in self.noted:
            result = function(*args, **kwargs)
            for old, new in zip(tree_leaves(before), tree_leaves(result), strict=True):
                # Views, and what was changed in place, have it already.
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class OperationRecorder:
    """Records work as `CudaRecorder` does."""

    num_bytes = 0

    def __init__(self, num_good: float = math.inf):
        """Recording fails after it has gone well some times."""
        self.num_good = num_good
        self.results: list[Tensor] = []
        self.num_repeated = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        return work()

    def record(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], object]]:
        with Operations() as operations:
            result = work()
        # A capture computes nothing.
        operations.undo()
        if len(self.results) >= self.num_good:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.results.append(result)

        def repeat() -> None:
            for other in self.results:
                # Graphs share their memory.
                other.fill_(torch.nan)
            operations.repeat()
            self.num_repeated += 1

        return result, repeat

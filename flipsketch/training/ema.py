"""Exponential moving average of the weights that are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    def __init__(self, parameters: list[nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = parameters, decay
        self.means = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def update(self) -> None:
        torch._foreach_lerp_(self.means, [*self.parameters], 1 - self.decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the averages in place of the parameters within a `with` block."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self.copy(self.means)
        try:
            yield
        finally:
            self.copy(kept)

    @torch.no_grad()
    def copy(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)

"""Sums in one order on a GPU too, so that the same work twice gives the same bytes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def adding_in_order(device: torch.device) -> Iterator[None]:
    """In here `index_add` and gradients of indexing add in the order of their indices.

    On a CPU they do anyway. CUDA adds in any order unless told otherwise, and an optimization blows
    up last digits. Where an operation has no other way, torch warns.
    """
    if device.type != "cuda":
        yield
        return
    # On one stream cuBLAS adds in one order; torch wants it in writing.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warns)

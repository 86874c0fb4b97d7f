"""What a batch takes of a device's memory, measured by making one."""

from dataclasses import replace

import numpy as np
import torch

from flipsketch.method.animators import Animator
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest
from flipsketch.models.graphs import use_graphs
from flipsketch.models.tracing import LiveBytes


def measure_peak(
    animator: Animator, sampling: SamplingConfig, batch_size: int, *, graphs: bool = False
) -> int | None:
    """Animate blank sketches in a few steps, and return the bytes that the device held at the most,
    weights included; None if its memory ran out.

    On a CPU, the bytes of the tensors that were made.
    """
    sketch = np.full((animator.size, animator.size, 3), 255, np.uint8)
    requests = [ClipRequest(sketch, ("a prompt",), 0, shorten(sampling))] * batch_size
    if animator.device.type != "cuda":
        with LiveBytes() as live:
            animator.animate(requests)
        return live.peak
    try:
        if graphs and animator.unet is not None:
            use_graphs(animator.unet)  # anew: those of other batches are let go
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        # Graphs are captured when shapes come for the second time.
        for _ in range(2 if graphs else 1):
            animator.animate(requests)
    except torch.OutOfMemoryError:
        return None
    # Rather than what is allocated: graphs keep what is free within them.
    return torch.cuda.max_memory_reserved()


def shorten(sampling: SamplingConfig) -> SamplingConfig:
    """Return settings of three steps that have every kind of pass which the given ones have."""
    return replace(
        sampling,
        num_inference_steps=3,
        guidance_start=0.0,
        guidance_stop=float(len(sampling.guided_steps) > 0),
        align_steps=min(1, sampling.num_align_steps),
        align_updates=1,
        compose_steps=min(1, sampling.num_compose_steps),
    )

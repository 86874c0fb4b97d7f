#!/usr/bin/env python
"""Compare choices of kernels: operators in a UNet pass, its time, and how far results lie apart.

Operators are what PyTorch dispatches and computes, views and allocations apart; on a GPU each is a
kernel or a few. Times are interleaved; on a CPU they are the process's own, on one thread, so that
what else the machine does matters little.

    python benchmarks/kernel_choices.py --size doodle
    python benchmarks/kernel_choices.py --size slim --device cuda
"""

import copy
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import torch
import tyro
from diffusers import UNet3DConditionModel
from measuring import make_model
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from flipsketch.method.composition import compose_attention
from flipsketch.models.kernels import VARIANTS, use_kernels
from flipsketch.models.video_model import DTYPES

NOT_COMPUTED = {"_reshape_alias", "_unsafe_view", "detach", "empty", "empty_like", "new_empty"}


@dataclass(frozen=True, kw_only=True)
class KernelsConfig:
    size: Literal["tiny", "doodle", "slim", "modelscope"] = "doodle"
    """Toy model, the embedded one, ModelScope's UNet at a tenth of its width (the same operators),
    or in full."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """By default bfloat16 on a GPU and float32 elsewhere."""
    batch: int = 1
    frames: int = 10
    repeats: int = 5
    """Timed passes of each variant; their median counts. 0 counts operators alone."""


class CountingOperators(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operator.overloadpacket.__name__
        if not operator.is_view and name not in NOT_COMPUTED:
            self.counts[name] += 1
        return operator(*args, **(kwargs or {}))


class Passes:
    """UNet passes of one batch."""

    def __init__(self, unet: UNet3DConditionModel, config: KernelsConfig) -> None:
        self.unet = unet
        side, width = unet.config.sample_size, unet.config.cross_attention_dim
        generator = torch.Generator().manual_seed(0)
        latents = torch.randn(config.batch, 4, config.frames, side, side, generator=generator)
        text = torch.randn(config.batch, 77, width, generator=generator)
        self.latents, self.text = (x.to(unet.device, unet.dtype) for x in (latents, text))
        self.t = torch.tensor(500, device=unet.device)

    def predict(self) -> Tensor:
        return self.unet(self.latents, self.t, self.text).sample

    @torch.no_grad()
    def plain(self) -> Tensor:
        return self.predict()

    def gradient(self) -> Tensor:
        """As alignment has it."""
        self.latents = self.latents.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.predict()[:, :, 0].square().sum(), self.latents)
        self.latents = self.latents.detach()
        return gradient

    def count(self) -> tuple[int, int]:
        """Return the operators of a plain pass and of a composed one."""
        scales = torch.ones(len(self.latents), device=self.unet.device)
        with CountingOperators() as plain:
            self.plain()
        with torch.no_grad(), compose_attention(self.unet, scales) as attention:
            with attention.recording(self.latents.shape[2]):
                self.predict()
            with attention.composing(), CountingOperators() as composed:
                self.predict()
        return plain.counts.total(), composed.counts.total()


def main(config: KernelsConfig) -> None:
    torch.set_num_threads(1)
    dtype = DTYPES[config.dtype or ("bfloat16" if config.device == "cuda" else "float32")]
    unet = make_unet(config, dtype)
    passes = Passes(unet, config)
    is_small = config.size != "modelscope" and config.repeats > 0
    differences = compare(unet, config) if is_small else {}
    counts, times = {}, {name: ([], []) for name in VARIANTS}
    for repeat in range(config.repeats + 1):
        for name, kernels in VARIANTS.items():
            use_kernels(unet, None, kernels)
            if repeat == 0:
                counts[name] = passes.count()
                continue
            for work, taken in zip((passes.plain, passes.gradient), times[name], strict=True):
                taken.append(timed(work, config.device))
    print(
        "| kernels | operators a pass | composed | ms a pass | with gradient | largest difference "
        "in float64 |"
    )
    print("|---|---|---|---|---|---|")
    for name in VARIANTS:
        took = [f"{1e3 * median(taken):.1f}" if taken else "" for taken in times[name]]
        print(f"| {name} | {' | '.join([*map(str, counts[name]), *took])} | ", end="")
        print(f"{differences[name]:.0e} |" if differences else "|", flush=True)
    print(f"\n{config}, {dtype}, torch {torch.__version__}")


def make_unet(config: KernelsConfig, dtype: torch.dtype) -> UNet3DConditionModel:
    if config.size != "slim":
        return make_model(config.size, config.device, dtype).unet
    torch.manual_seed(0)
    unet = UNet3DConditionModel(
        sample_size=32,
        block_out_channels=(32, 64, 128, 128),
        attention_head_dim=8,
        cross_attention_dim=64,
        norm_num_groups=8,
    )
    for name, weight in unet.named_parameters():
        if ".conv4." in name:  # zero at first, which would hide the layer
            nn.init.normal_(weight, std=0.02)
    return unet.to(config.device, dtype).eval().requires_grad_(False)


def compare(unet: UNet3DConditionModel, config: KernelsConfig) -> dict[str, float]:
    """Return each variant's largest difference from the plain one, relative to the largest number,
    of a pass and of a gradient in float64."""
    passes = Passes(copy.deepcopy(unet).double(), config)
    found = {}
    for name, kernels in VARIANTS.items():
        use_kernels(passes.unet, None, kernels)
        found[name] = passes.plain(), passes.gradient()
    return {
        name: max(
            float((made - plain).abs().max() / plain.abs().max())
            for made, plain in zip(found[name], found["plain"], strict=True)
        )
        for name in VARIANTS
    }


def timed(work: Callable[[], Tensor], device: str) -> float:
    clock = time.process_time if device == "cpu" else time.perf_counter
    if device != "cpu":
        torch.cuda.synchronize()
    started = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - started


if __name__ == "__main__":
    main(tyro.cli(KernelsConfig, description=__doc__))

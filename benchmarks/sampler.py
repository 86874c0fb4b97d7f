#!/usr/bin/env python
"""Compare the published schedule of UNet calls, row by row, with ours, in one run.

The published schedule is the one recorded when its code made tests/golden/; its calls are repeated
on the same model with plain attention, which makes them cheaper than they were. Weights are random
and made in place: time depends on shapes alone.

    python benchmarks/sampler.py --size tiny
    python benchmarks/sampler.py --size modelscope --device cuda --output modelscope.json
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from measuring import make_model, read_peak, reset_peak, timed
from schedules import PublishedSchedule, animate, counting_frames
from torch.utils.flop_counter import FlopCounterMode

from flipsketch.method.config import SamplingConfig
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.video_model import DTYPES, VideoModel


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    size: Literal["tiny", "modelscope"] = "tiny"
    """Toy model, or ModelScope T2V's exact shapes (1.4 G parameters)."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """By default bfloat16 on a GPU and float32 elsewhere."""
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8)
    align: Literal["off", "on", "both"] = "both"
    """Frame alignment, which takes most of the time."""
    checkpoint_gradients: bool = False
    """Recompute activations in alignment, to fit a larger batch."""
    repeats: int = 1
    """Timed runs of each case, after one to warm up; the fastest counts."""
    output: Path | None = None
    """JSON file for the table."""


@dataclass(frozen=True)
class Result:
    case: str
    align: bool
    batch: int
    seconds_per_clip: float
    clips_per_s: float
    frame_evals: int
    """UNet frames evaluated for each clip, without gradients."""
    grad_frame_evals: int
    tflop: float
    """Floating-point operations for each clip, times 1e-12."""
    tflop_per_s: float
    peak_gib: float


def main(config: BenchmarkConfig) -> None:
    dtype = DTYPES[config.dtype or ("bfloat16" if config.device == "cuda" else "float32")]
    model = make_model(config.size, config.device, dtype)
    results = []
    for align in {"off": [False], "on": [True], "both": [False, True]}[config.align]:
        cases: list[tuple[str, int, Callable[[], object]]] = [
            ("published calls", 1, lambda align=align: PublishedSchedule(model).run(align))
        ]
        sampling = SamplingConfig(align_steps=None if align else 0)
        for batch in config.batch_sizes:
            cases.append(("ours", batch, lambda b=batch, s=sampling: animate(model, b, s)))
        for case, batch, run in cases:
            try:
                with checkpoint_gradients(
                    model.unet, config.checkpoint_gradients and case == "ours"
                ):
                    results.append(measure(model, case, align, batch, run, config.repeats))
            except torch.cuda.OutOfMemoryError:
                print(f"{case}, batch {batch}, alignment {align}: out of GPU memory")
                torch.cuda.empty_cache()
                continue
            print_table(results[-1:], header=len(results) == 1)
    device = (
        torch.cuda.get_device_name()
        if config.device == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"\n{config.size}, {model.size} pixels, {dtype}, {device}, torch {torch.__version__}")
    if config.output is not None:
        rows = [asdict(result) for result in results]
        config.output.write_text(json.dumps({"device": device, "rows": rows}, indent=1) + "\n")


def measure(
    model: VideoModel, case: str, align: bool, batch: int, run: Callable[[], object], repeats: int
) -> Result:
    with counting_frames(model.unet) as counts, FlopCounterMode(display=False) as flops:
        run()
    reset_peak(model.device)
    seconds = min(timed(run, model.device) for _ in range(repeats)) / batch
    tflop = flops.get_total_flops() / batch / 1e12
    return Result(
        case=case,
        align=align,
        batch=batch,
        seconds_per_clip=seconds,
        clips_per_s=1 / seconds,
        frame_evals=counts[False] // batch,
        grad_frame_evals=counts[True] // batch,
        tflop=tflop,
        tflop_per_s=tflop / seconds,
        peak_gib=read_peak(model.device) / 2**30,
    )


def print_table(results: list[Result], header: bool) -> None:
    if header:
        print(
            "| case | alignment | batch | s/clip | clips/s | UNet frames | with gradients | "
            "TFLOP/clip | TFLOP/s | peak GiB |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
    for r in results:
        print(
            f"| {r.case} | {'on' if r.align else 'off'} | {r.batch} | {r.seconds_per_clip:.3g} | "
            f"{r.clips_per_s:.3g} | {r.frame_evals} | {r.grad_frame_evals} | {r.tflop:.3g} | "
            f"{r.tflop_per_s:.3g} | {r.peak_gib:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))

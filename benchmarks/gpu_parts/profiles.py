"""The longest kernels of a UNet pass, and how many it launches."""

from collections.abc import Callable

import torch
from measuring import synchronize
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from gpu_parts.bench import Bench
from gpu_parts.rows import Row
from gpu_parts.unet import EAGER, PREDICTION, WORKS, make_inputs, run_pass
from gpu_parts.variants import use_variant

PROFILES = "f. Longest kernels"
NUM_LINES = 10


def measure_kernels(bench: Bench, variants: list[str], batch: int, work: str = PREDICTION) -> None:
    for name in variants:
        facts = {"work": work, "variant": name, "batch": batch}
        case = f"{work}, {name}, batch {batch}"
        bench.row(PROFILES, case, facts, lambda facts=facts: list_kernels(bench, **facts), 15)


def list_kernels(bench: Bench, work: str, variant: str, batch: int) -> list[Row]:
    use_variant(bench.model, variant)
    inputs = make_inputs(bench.model.unet, batch)
    lines = profile_kernels(lambda: run_pass(bench.model.unet, inputs, work), bench.device)
    total_ms = sum(line["ms"] for line in lines)
    everything = {"kernel": "all", "ms": total_ms, "calls": sum(line["calls"] for line in lines)}
    # Without the profiler, which slows launching down; where kernels take less, the GPU idles.
    pass_ms = [
        row["ms"]
        for row in bench.rows.measured(WORKS[work])
        if (row["variant"], row["batch"], row["how"]) == (variant, batch, EAGER)
    ]
    everything |= {"pass_ms": pass_ms[0]} if pass_ms else {}
    return [
        {**line, "ms": round(line["ms"], 3), "percent": round(100 * line["ms"] / total_ms, 1)}
        for line in [everything, *lines[:NUM_LINES]]
    ]


def profile_kernels(run: Callable[[], object], device: torch.device) -> list[Row]:
    """Return the kernels of a call by name, the longest first; on a CPU its operators."""
    run()
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if on_gpu else [ProfilerActivity.CPU]
    with profile(activities=activities) as profiler:
        run()
        synchronize(device)
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    lines = []
    for event in profiler.key_averages():
        us = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if event.device_type == kind and us > 0:
            lines.append({"kernel": event.key[:90], "ms": us / 1e3, "calls": event.count})
    return sorted(lines, key=lambda line: -line["ms"])

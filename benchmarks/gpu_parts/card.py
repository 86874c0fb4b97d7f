"""What the card does at best: its name and clocks, matrix products, convolutions and copies."""

import subprocess

import diffusers
import torch
import torch.nn.functional as F
from measuring import median_seconds

from gpu_parts.bench import Bench
from gpu_parts.rows import Row, Rows

CARD = "a. Card"
PRODUCTS = "a. Matrix products and convolutions"
MEMORY = "a. Memory bandwidth"
QUERIES = "driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu"


def measure_card(bench: Bench) -> None:
    size = {"model": bench.scale.name, "pixels": bench.model.size}
    bench.row(CARD, "card", size, lambda: describe(bench.device), 5)
    for side in bench.scale.matrices:
        shape = (side, side, side)
        bench.row(PRODUCTS, f"square {side}", {}, lambda shape=shape: multiply(bench, *shape), 5)
    bench.row(MEMORY, "copy", {}, lambda: copy(bench), 5)
    for name, rows, inner, outer in layer_shapes(bench):
        shape = (rows, inner, outer)
        bench.row(PRODUCTS, name, {}, lambda shape=shape: multiply(bench, *shape), 5)
    for memory_format in ("contiguous", "channels last"):
        name = f"3 x 3 convolution of the first level, {memory_format}"
        bench.row(PRODUCTS, name, {}, lambda form=memory_format: convolve(bench, form), 10)


def describe(device: torch.device) -> Row:
    facts: Row = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    if device.type != "cuda":
        return {"name": f"CPU, {torch.get_num_threads()} threads", **facts}
    card = torch.cuda.get_device_properties(device)
    facts |= {
        "name": card.name,
        "capability": f"{card.major}.{card.minor}",
        "multiprocessors": card.multi_processor_count,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
    query = ["nvidia-smi", f"--query-gpu={QUERIES}", "--format=csv,noheader"]
    try:
        line = subprocess.run(query, capture_output=True, text=True, timeout=10).stdout
        values = line.splitlines()[0].split(", ")
    except (OSError, subprocess.SubprocessError, IndexError):
        return facts
    return facts | dict(zip(QUERIES.replace(".", "_").split(","), values, strict=False))


def layer_shapes(bench: Bench) -> list[tuple[str, int, int, int]]:
    """Return the products of a feed-forward layer at each level: rows, inner and outer size."""
    config, batch = bench.model.unet.config, bench.scale.batches[-1]
    shapes = []
    for level, width in enumerate(config.block_out_channels):
        pixels = (config.sample_size // 2**level) ** 2
        name = f"projection of level {level}, batch {batch}"
        shapes.append((name, batch * 10 * pixels, width, 4 * width))
    return shapes


def multiply(bench: Bench, rows: int, inner: int, outer: int) -> Row:
    make = {"device": bench.device, "dtype": bench.model.unet.dtype}
    # Zeros would be faster than numbers: they take less power.
    a, b = torch.randn(rows, inner, **make), torch.randn(inner, outer, **make)
    seconds = median_seconds(lambda: a @ b, bench.device, bench.scale.repeat_s / 2, 5)
    return {
        "shape": f"{rows} x {inner} x {outer}",
        "ms": round(seconds * 1e3, 3),
        "tflop_per_s": round(2 * rows * inner * outer / seconds / 1e12, 3),
    }


def convolve(bench: Bench, memory_format: str) -> Row:
    config, batch = bench.model.unet.config, bench.scale.batches[-1]
    width, side = config.block_out_channels[0], config.sample_size
    form = torch.channels_last if memory_format == "channels last" else torch.contiguous_format
    make = {"device": bench.device, "dtype": bench.model.unet.dtype}
    images = torch.randn(batch * 10, width, side, side, **make).to(memory_format=form)
    weight = torch.randn(width, width, 3, 3, **make).to(memory_format=form)
    seconds = median_seconds(
        lambda: F.conv2d(images, weight, padding=1), bench.device, bench.scale.repeat_s / 2, 5
    )
    return {
        "shape": f"{batch * 10} x {width} x {side} x {side}",
        "ms": round(seconds * 1e3, 3),
        "tflop_per_s": round(2 * 9 * width * images.numel() / seconds / 1e12, 3),
    }


def copy(bench: Bench) -> Row:
    source = torch.zeros(bench.scale.copied_bytes, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    seconds = median_seconds(
        lambda: target.copy_(source), bench.device, bench.scale.repeat_s / 2, 5
    )
    # Read once and written once.
    return {"gb_per_s": round(2 * len(source) / seconds / 1e9, 1)}


def matrix_peak(rows: Rows) -> float | None:
    """Return the most TFLOP/s that a product of square matrices reached."""
    squares = [row for row in rows.measured(PRODUCTS) if row["case"].startswith("square")]
    return max((row["tflop_per_s"] for row in squares), default=None)


def percent_of_peak(rows: Rows, tflop_per_s: float) -> float | None:
    peak = matrix_peak(rows)
    return None if peak is None else round(100 * tflop_per_s / peak, 1)

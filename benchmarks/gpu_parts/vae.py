"""Decoding and encoding by frames per call, with channels last or not."""

from itertools import product

import torch

from gpu_parts.bench import UNKNOWN_S, WORTHWHILE, Bench
from gpu_parts.rows import Row, Rows

VAE = "d. VAE"
FORMATS = {False: torch.contiguous_format, True: torch.channels_last}


def measure_vae(bench: Bench) -> None:
    for frames, what, channels_last in product(bench.scale.frames, ("decode", "encode"), FORMATS):
        facts = {"what": what, "frames": frames, "channels_last": channels_last}
        case = f"{what} {frames}, {'channels last' if channels_last else 'contiguous'}"
        expected_s = expect(bench, what, frames)
        bench.row(VAE, case, facts, lambda facts=facts: time_call(bench, **facts), expected_s)


@torch.no_grad()
def time_call(bench: Bench, what: str, frames: int, channels_last: bool) -> Row:
    model = bench.model
    model.vae.to(memory_format=FORMATS[channels_last])
    side, channels = model.unet.config.sample_size, model.unet.config.in_channels
    make = {"device": bench.device, "dtype": model.vae.dtype}
    latents = torch.randn(frames, channels, side, side, **make)
    pixels = torch.rand(frames, 3, model.size, model.size, **make)

    def call() -> None:
        if what == "decode":
            model.vae.decode(latents)
        else:
            model.vae.encode(pixels).latent_dist.mode()

    with bench.peak() as memory:
        seconds = bench.median_seconds(call)
    return {
        "ms": round(seconds * 1e3, 2),
        "ms_a_frame": round(seconds * 1e3 / frames, 3),
        **memory,
    }


def expect(bench: Bench, what: str, frames: int) -> float:
    """Return how long a row may take, by what a frame took."""
    ms = [row["ms_a_frame"] for row in bench.rows.measured(VAE) if row["what"] == what]
    return UNKNOWN_S if not ms else 1 + bench.scale.repeat_s + 4 * frames * max(ms) / 1e3


def best_call(rows: Rows, what: str) -> Row | None:
    """Return the call of the fewest frames among those that take the least for each frame."""
    calls = [row for row in rows.measured(VAE) if row["what"] == what]
    least = min((row["ms_a_frame"] for row in calls), default=0.0)
    fast = [row for row in calls if row["ms_a_frame"] <= WORTHWHILE * least]
    return min(fast, key=lambda row: row["frames"], default=None)

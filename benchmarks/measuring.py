"""Models to measure with, the clock and the peak of memory."""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet3DConditionModel
from diffusers.models.resnet import TemporalConvLayer
from transformers import CLIPTextConfig, CLIPTextModel

from flipsketch.models.tiny import byte_tokenizer, write_tiny_model
from flipsketch.models.video_model import VideoModel, load_model


def make_model(
    size: Literal["tiny", "doodle", "modelscope"],
    device: str,
    dtype: torch.dtype,
    *,
    tiny_pixels: int = 32,
) -> VideoModel:
    """A model, but for doodle with random weights."""
    if size == "doodle":
        return load_model("doodle", lora="none", device=device, dtype=dtype)
    if size == "modelscope":
        return make_modelscope(device, dtype)
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_model(folder, size=tiny_pixels)
        return load_model(folder, device=device, dtype=dtype)


def make_modelscope(device: str, dtype: torch.dtype) -> VideoModel:
    """ModelScope T2V's networks as its folder configures them, with fresh weights."""
    tokenizer = byte_tokenizer()
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            unet = UNet3DConditionModel(
                sample_size=32, cross_attention_dim=1024, attention_head_dim=64
            )
            vae = AutoencoderKL(
                sample_size=256,
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            )
            text_encoder = CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=1024,
                    intermediate_size=4096,
                    num_hidden_layers=23,
                    num_attention_heads=16,
                    hidden_act="gelu",
                    max_position_embeddings=77,
                    eos_token_id=tokenizer.eos_token_id,
                )
            )
    finally:
        torch.set_default_dtype(before)
    for network in (unet, vae, text_encoder):
        network.requires_grad_(False).eval().to(dtype)
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    )
    return VideoModel(unet, vae, text_encoder, tokenizer, scheduler)


def fill_zero_layers(unet: UNet3DConditionModel) -> None:
    """Give layers that begin as zero small weights, so that a difference behind them shows."""
    generator = torch.Generator(unet.device).manual_seed(0)
    for module in unet.modules():
        if isinstance(module, TemporalConvLayer):
            torch.nn.init.normal_(module.conv4[-1].weight, std=0.02, generator=generator)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(run: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - started


def median_seconds(
    run: Callable[[], object], device: torch.device, repeat_s: float, least: int
) -> float:
    """Return the median seconds of a call, after one that is not counted.

    Args:
        repeat_s: how long to repeat it.
        least: how often at least.
    """
    timed(run, device)
    seconds: list[float] = []
    while len(seconds) < least or sum(seconds) < repeat_s:
        seconds.append(timed(run, device))
    return statistics.median(seconds)


def reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM


def read_peak(device: torch.device) -> int:
    """Peak bytes since the reset: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

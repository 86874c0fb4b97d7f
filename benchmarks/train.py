#!/usr/bin/env python
"""Training steps of a LoRA adapter: clips/s, processor time and peak memory, in one run, no Ray.

With latents encoded in each step, once, or all on the device (`--on-device`), with plain and fast
kernels, with a pass as one graph, and with gradient checkpointing.

Clips are doodles, held in memory as the PNG filmstrips that shards have. Weights are random and
made in place: time depends on shapes alone. Processor time is that of all threads of this process:
on a GPU what is left for reading and for launching kernels, once a graph spares the launches.

    python benchmarks/train.py --size tiny
    python benchmarks/train.py --size modelscope --device cuda
"""

import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
import tyro
from measuring import make_model, read_peak, reset_peak, timed
from torch.utils.data import Dataset

from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.media.clip import decode_filmstrip, encode_filmstrip
from flipsketch.media.pixels import to_pixels
from flipsketch.models.choices import TargetSet
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.kernels import PLAIN, training_kernels, use_kernels
from flipsketch.models.lora import drop_lora
from flipsketch.models.video_model import DTYPES, VideoModel
from flipsketch.training.config import TrainingConfig
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.trainer import Trainer

# The last of these records a graph.
CLIPS, NUM_WARMUP = 16, 4


@dataclass(frozen=True, kw_only=True)
class Variant:
    latents: Literal["encoded each time", "cached", "on the device"] = "cached"
    kernels: Literal["plain", "fast"] = "fast"
    graph: bool = False
    checkpointing: bool = False

    @property
    def cells(self) -> str:
        return " | ".join(
            [
                self.latents,
                self.kernels,
                "on" if self.graph else "off",
                "on" if self.checkpointing else "off",
            ]
        )


VARIANTS = (
    # As before there were choices; all else is relative to it.
    Variant(latents="encoded each time", kernels="plain"),
    Variant(kernels="plain"),
    Variant(kernels="plain", checkpointing=True),
    Variant(kernels="plain", graph=True),
    Variant(),
    Variant(graph=True),
    Variant(graph=True, checkpointing=True),
    Variant(latents="on the device", graph=True),
    Variant(latents="on the device", graph=True, checkpointing=True),
)
COLUMNS = (
    *("batch", "latents", "kernels", "graph", "checkpointing"),
    *("s/step", "CPU s/step", "clips/s", "x", "peak GiB"),
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    size: Literal["tiny", "doodle", "modelscope"] = "tiny"
    """Toy model, the embedded one, or ModelScope T2V's exact shapes (1.4 G parameters)."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """By default bfloat16 on a GPU and float32 elsewhere."""
    batch_sizes: tuple[int, ...] = (1, 4)
    target_set: TargetSet = "attention"
    num_frames: int = 10
    num_steps: int = 8
    """Timed ones, after some to warm up; of one batch each."""


class MemoryClips(Dataset):
    """Doodles as filmstrips, decoded whenever they are asked for, or as latents."""

    def __init__(self, model: VideoModel, num_frames: int) -> None:
        doodles = [make_doodle(0, index) for index in range(CLIPS)]
        self.prompts, self.num_frames = [doodle.prompt for doodle in doodles], num_frames
        self.strips = [
            encode_filmstrip(render_doodle(doodle, num_frames, model.size)) for doodle in doodles
        ]
        self.latents: list[torch.Tensor] | None = None

    def all(self) -> Clips:
        assert self.latents is not None, "encoded"
        latents = torch.stack(self.latents).transpose(1, 2)
        return Clips(latents, torch.full((CLIPS,), self.num_frames), self.prompts)

    def encode(self, model: VideoModel) -> "MemoryClips":
        pixels = [to_pixels(self[place]["frames"]).to(model.device) for place in range(CLIPS)]
        self.latents = [model.encode(clip)[0].cpu() for clip in pixels]
        return self

    def __len__(self) -> int:
        return CLIPS

    def __getitem__(self, position: int) -> dict[str, Any]:
        place = position % CLIPS
        sample: dict[str, Any] = {"prompt": self.prompts[place]}
        if self.latents is not None:
            return {**sample, "latents": self.latents[place]}
        return {**sample, "frames": decode_filmstrip(self.strips[place], self.num_frames)}


def main(config: BenchmarkConfig) -> None:
    dtype = DTYPES[config.dtype or ("bfloat16" if config.device == "cuda" else "float32")]
    model = make_model(config.size, config.device, dtype)
    clips = MemoryClips(model, config.num_frames)
    cached = MemoryClips(model, config.num_frames).encode(model)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|" + "---|" * len(COLUMNS), flush=True)
    for batch_size in config.batch_sizes:
        first = None
        for variant in VARIANTS:
            training = TrainingConfig(
                target_set=config.target_set,
                num_frames=config.num_frames,
                num_steps=NUM_WARMUP + config.num_steps,
                batch_size=batch_size,
                global_batch_size=batch_size,
                graphs=variant.graph,
            )
            samples = {"encoded each time": clips, "cached": cached}.get(variant.latents)
            try:
                seconds, cpu_s, peak = measure(model, samples or cached.all(), training, variant)
            except torch.cuda.OutOfMemoryError:
                print(f"| {batch_size} | {variant.cells} | out of GPU memory | | | | |")
                torch.cuda.empty_cache()
                continue
            rate = batch_size / seconds
            first = first or rate
            print(
                f"| {batch_size} | {variant.cells} | {seconds:.3g} | {cpu_s:.3g} | {rate:.3g} | "
                f"{rate / first:.2f} | {peak / 2**30:.2f} |",
                flush=True,
            )
    device = (
        torch.cuda.get_device_name()
        if config.device == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(
        f"\n{config.size}, {config.num_frames} frames of {model.size} pixels, adapter on "
        f"{config.target_set}, {dtype}, {device}, torch {torch.__version__}; x: clips/s relative "
        f"to the batch's first row; on a CPU a graph is a call on tensors that do not move"
    )


def measure(
    model: VideoModel, samples: Dataset | Clips, training: TrainingConfig, variant: Variant
) -> tuple[float, float, int]:
    """Return seconds for each step, those of all processors, and the peak of memory in bytes."""
    kernels = PLAIN if variant.kernels == "plain" else training_kernels("cuda")
    use_kernels(model.unet, None, kernels)
    trainer: Trainer | GraphTrainer
    if isinstance(samples, Clips):
        trainer = GraphTrainer(model, samples, training)
    else:
        trainer = Trainer(model, samples, training)
    try:
        with checkpoint_gradients(trainer.unet, variant.checkpointing):
            for _ in range(NUM_WARMUP):
                trainer.step()
            reset_peak(model.device)
            cpu_s = time.process_time()
            seconds = timed(lambda: list(trainer.steps()), model.device)
            cpu_s = time.process_time() - cpu_s
        num_steps = training.num_steps - NUM_WARMUP
        return seconds / num_steps, cpu_s / num_steps, read_peak(model.device)
    finally:
        drop_lora(model.unet)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))

#!/usr/bin/env python
"""Training steps of a LoRA adapter: clips/s and peak memory, with latents encoded in each step or
once, with and without gradient checkpointing, and with all on the device (`--on-device`), in one
run and without Ray.

Clips are doodles, held in memory as the PNG filmstrips that shards have. Weights are random and
made in place: time depends on shapes alone.

    python benchmarks/train.py --size tiny
    python benchmarks/train.py --size modelscope --device cuda
"""

from dataclasses import dataclass
from itertools import product
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
from flipsketch.models.lora import drop_lora
from flipsketch.models.video_model import DTYPES, VideoModel
from flipsketch.training.config import TrainingConfig
from flipsketch.training.graph_trainer import Clips, GraphTrainer
from flipsketch.training.trainer import Trainer

# The last of these records a graph.
CLIPS, NUM_WARMUP = 16, 4


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
    print("| batch | latents | checkpointing | s/step | clips/s | x | peak GiB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for batch_size in config.batch_sizes:
        slowest = None
        for checkpointing, samples in [*product((False, True), (clips, cached)), (False, None)]:
            training = TrainingConfig(
                target_set=config.target_set,
                num_frames=config.num_frames,
                num_steps=NUM_WARMUP + config.num_steps,
                batch_size=batch_size,
                global_batch_size=batch_size,
            )
            try:
                seconds, peak = measure(model, samples or cached.all(), training, checkpointing)
            except torch.cuda.OutOfMemoryError:
                print(f"| {batch_size} | | {checkpointing} | out of GPU memory | | | |")
                torch.cuda.empty_cache()
                continue
            rate = batch_size / seconds
            kept = {clips: "encoded each time", cached: "cached", None: "on the device"}[samples]
            slowest = slowest or rate
            print(
                f"| {batch_size} | {kept} | "
                f"{'on' if checkpointing else 'off'} | {seconds:.3g} | {rate:.3g} | "
                f"{rate / slowest:.2f} | {peak / 2**30:.2f} |",
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
        f"to the batch's first row"
    )


def measure(
    model: VideoModel, samples: Dataset | Clips, training: TrainingConfig, checkpointing: bool
) -> tuple[float, int]:
    """Return seconds for each step, and the peak of memory in bytes."""
    trainer: Trainer | GraphTrainer
    if isinstance(samples, Clips):
        trainer = GraphTrainer(model, samples, training)
    else:
        trainer = Trainer(model, samples, training)
    try:
        with checkpoint_gradients(model.unet, checkpointing):
            for _ in range(NUM_WARMUP):
                trainer.step()
            reset_peak(model.device)
            seconds = timed(lambda: list(trainer.steps()), model.device)
        return seconds / (training.num_steps - NUM_WARMUP), read_peak(model.device)
    finally:
        drop_lora(model.unet)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))

"""The embedded model's sketch adapter, made by the project's own jobs as a user would make one."""

from pathlib import Path
from typing import Literal

from flipsketch.animations.reader import RasterConfig
from flipsketch.doodle_model.curriculum import DRAWN, LINE_WIDTHS, NUM_FRAMES, PACE, SIZE
from flipsketch.doodles.subjects.registry import SUBJECTS
from flipsketch.doodles.writer import DrawingConfig, write_doodles
from flipsketch.models.registry import NO_LORA
from flipsketch.training.config import TrainingConfig
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.train import train
from pipelines.training.config import TrainConfig

SHARDS = "lora-shards"


def make_lessons(folder: Path, num_clips: int, threads: int) -> bool:
    """Draw doodles in a folder and make shards of them; return whether all of it is done."""
    doodles = folder / "lora-doodles"
    drawing = DrawingConfig(
        num_animations=num_clips,
        num_frames=NUM_FRAMES,
        seed=3,
        subjects=(*SUBJECTS, *3 * DRAWN),
        pace=PACE,
    )
    write_doodles(doodles, drawing, threads)
    rasterize = RasterizeConfig(
        animations=str(doodles),
        output=str(folder / SHARDS),
        raster=RasterConfig(size=SIZE, line_width=LINE_WIDTHS[1]),
        license="cc0-1.0",
        executor=ExecutorConfig(executor="local"),
    )
    return make_training_shards(rasterize) == 0


def train_adapter(
    model: Path,
    folder: Path,
    *,
    lora: str | None,
    num_steps: int,
    batch_size: int,
    validation_steps: int,
    device: Literal["cpu", "cuda"],
    dtype: Literal["float32", "bfloat16"],
    threads: int,
    seed: int,
) -> bool:
    """Train in a folder on the shards that `make_lessons` made there; return whether it is done.

    Args:
        model: folder of the base model.
        lora: adapter to start from.
        validation_steps: DDIM steps of the pictures that are made on the way.
    """
    training = TrainConfig(
        shards=str(folder / SHARDS),
        model=str(model),
        lora=lora or NO_LORA,
        output=str(folder / "lora"),
        training=TrainingConfig(
            target_set="all",
            num_steps=num_steps,
            global_batch_size=batch_size,
            batch_size=batch_size,
            num_frames=NUM_FRAMES,
            inverted_first_frame=0.6,
            signal_leak_prob=0.1,
            reference_share=0.1,
            learning_rate=1e-3,
            warmup_steps=min(50, num_steps // 2),
            schedule="cosine",
            seed=seed,
        ),
        dtype=dtype,
        device=device,
        threads=threads,
        checkpoint_every=200,
        on_device=device == "cuda",
        validate_every=num_steps,
        num_validation=2,
        validation_steps=validation_steps,
        executor=ExecutorConfig(executor="local"),
    )
    return train(training) == 0

"""The embedded model's sketch adapter, made by the project's own jobs as a user would make one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flipsketch.animations.reader import RasterConfig
from flipsketch.cli import INTERRUPTED
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
    return is_done(make_training_shards(rasterize))


@dataclass(frozen=True, kw_only=True)
class AdapterStage:
    lora: str | None
    """Adapter to start from, or None for a new one."""
    num_steps: int
    batch_size: int
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    threads: int
    validation_steps: int
    """DDIM steps of the sample pictures."""
    seed: int


def train_adapter(model: Path, folder: Path, stage: AdapterStage) -> bool:
    """Train an adapter of the model on the shards that `make_lessons` made in the folder; return
    whether all of its steps are done."""
    training = TrainConfig(
        shards=str(folder / SHARDS),
        model=str(model),
        lora=stage.lora or NO_LORA,
        output=str(folder / "lora"),
        training=TrainingConfig(
            target_set="all",
            num_steps=stage.num_steps,
            global_batch_size=stage.batch_size,
            batch_size=stage.batch_size,
            num_frames=NUM_FRAMES,
            inverted_first_frame=0.6,
            signal_leak_prob=0.1,
            reference_share=0.1,
            learning_rate=1e-3,
            warmup_steps=min(50, stage.num_steps // 2),
            schedule="cosine",
            seed=stage.seed,
        ),
        dtype=stage.dtype,
        device=stage.device,
        threads=stage.threads,
        checkpoint_every=200,
        on_device=stage.device == "cuda",
        validate_every=stage.num_steps,
        num_validation=2,
        validation_steps=stage.validation_steps,
        executor=ExecutorConfig(executor="local"),
    )
    return is_done(train(training))


def is_done(code: int) -> bool:
    """Tell from a job's exit code whether it has done all, and go on with its interrupt."""
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code == 0

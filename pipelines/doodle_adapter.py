"""The embedded model's sketch adapter, made by the project's own jobs as a user would make one."""

from pathlib import Path
from typing import Literal

from flipsketch.animation import RasterConfig
from flipsketch.doodle_corpus import DoodlesConfig, make_doodles
from flipsketch.doodle_lessons import DEEDS, DRAWN, LINE_WIDTHS, NUM_FRAMES, PACE, SIZE, VARIETY
from flipsketch.training import TrainingConfig
from pipelines.executor import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.train import TrainConfig, train


def train_adapter(
    model: Path,
    folder: Path,
    *,
    lora: str | None,
    num_clips: int,
    num_steps: int,
    validation_steps: int,
    device: Literal["cpu", "cuda"],
    threads: int,
    seed: int,
) -> bool:
    """Draw doodles, make shards of them and train on these, all in a folder; return whether all of
    it is done.

    Args:
        model: folder of the base model.
        lora: adapter to begin with.
        validation_steps: DDIM steps of the pictures that are made on the way.
    """
    doodles, shards = folder / "lora-doodles", folder / "lora-shards"
    make_doodles(
        DoodlesConfig(
            output=str(doodles),
            num_animations=num_clips,
            num_frames=NUM_FRAMES,
            seed=3,
            subjects=DRAWN,
            motions=DEEDS,
            variety=VARIETY,
            pace=PACE,
            workers=threads,
        )
    )
    local = ExecutorConfig(executor="local")
    rasterize = RasterizeConfig(
        animations=str(doodles),
        output=str(shards),
        raster=RasterConfig(size=SIZE, line_width=LINE_WIDTHS[1]),
        licence="cc0-1.0",
        executor=local,
    )
    if make_training_shards(rasterize) != 0:
        return False
    training = TrainConfig(
        shards=str(shards),
        model=str(model),
        lora=lora,
        output=str(folder / "lora"),
        training=TrainingConfig(
            target_set="all",
            num_steps=num_steps,
            global_batch_size=8,
            batch_size=8,
            num_frames=NUM_FRAMES,
            inverted_first_frame=0.6,
            reference_share=0.1,
            learning_rate=1e-3,
            warmup_steps=min(50, num_steps // 2),
            schedule="cosine",
            seed=seed,
        ),
        dtype="bfloat16",
        device=device,
        threads=threads,
        checkpoint_every=100,
        validate_every=200,
        validation_steps=validation_steps,
        executor=local,
    )
    return train(training) == 0

#!/usr/bin/env python
"""Print what an adapter learns from clips that Live-Sketch made, beside one that learns from clips
by hand.

The way of the paper in miniature, on the embedded model without its own adapter. The same sketches
and prompts are animated twice: by the doodles' own motions, and by Live-Sketch. Two new adapters
are trained, one on either set of clips, with equal settings, seeds and order. Both animate held-out
rows by FlipSketch, beside no adapter and the one that comes with the model. Every stage is a job,
so a rerun goes on where it was; all of it takes about 25 minutes of one core.

    python benchmarks/circle.py --output out/circle-table
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tyro

from flipsketch.corpus.reader import read_corpus
from flipsketch.doodle_model.curriculum import DRAWN, NUM_FRAMES, PACE, VARIETY
from flipsketch.models.registry import NO_LORA
from flipsketch.scoring.ink import motion
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.cli import run
from pipelines.compare import CompareConfig, compare, read_runs
from pipelines.doodles import DoodlesConfig, make_doodles
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.train import train
from pipelines.training.config import TrainConfig

KINDS = HAND, LIVESKETCH = "hand", "Live-Sketch"
SCORES = ("s2v_consistency", "t2v_alignment", "motion")
LOCAL = ("--executor", "local")


@dataclass(frozen=True, kw_only=True)
class CircleConfig:
    output: Path
    """Folder of everything that is made."""
    num_clips: int = 22
    """Clips to train on, of each kind; the subjects take turns."""
    optimization_steps: int | None = None
    """Of Live-Sketch; by default its own."""
    training_steps: int = 100
    num_rows: int | None = None
    """First held-out rows to animate; by default all."""
    seed: int = 21
    """Of the sketches; the model was trained with lower ones."""
    model: str = "doodle"
    livesketch_lora: str = "doodle-lora"
    """Adapter that Live-Sketch has while it makes the clips; none leaves it with what the model
    itself knows, as in the paper."""
    reference_lora: str | None = "doodle-lora"
    """Adapter that the trained ones are compared with."""
    size: int = 64
    """Pixels of the model's frames."""
    manifest: str = "data/manifests/heldout.parquet"
    clip_model: str = "doodle-clip"
    preset: str = "draft"
    """Of FlipSketch, for the held-out rows."""
    dtype: str = "bfloat16"


def main(config: CircleConfig) -> None:
    config.output.mkdir(parents=True, exist_ok=True)
    make_clips(config)
    for kind in KINDS:
        train_on(config, kind)
    compare_adapters(config)
    for kind in KINDS:
        moved = [motion(clip.frames) for clip in read_corpus(place(config, f"{kind} shards"))]
        print(f"motion of the clips to train on, {kind}: {describe(np.array(moved))}")
    print_differences(config)


def run_job(pipeline: Callable[[Any], int], config_class: type, *flags: str) -> None:
    """Run a job by its flags, in this process; it must have no bad row."""
    if code := run(pipeline, config_class, None, flags):
        sys.exit(code)


def place(config: CircleConfig, name: str) -> str:
    return str(config.output / name.lower().replace(" ", "-"))


def make_clips(config: CircleConfig) -> None:
    """Draw the doodles, and have their first frames animated by Live-Sketch."""
    sketches = place(config, "sketches.parquet")
    run_job(
        make_doodles,
        DoodlesConfig,
        *("--output", place(config, HAND), "--manifest", sketches, "--subjects", *DRAWN),
        *("--num-animations", str(config.num_clips), "--num-frames", str(NUM_FRAMES)),
        *("--seed", str(config.seed), "--pace", str(PACE), "--variety", str(VARIETY)),
    )
    steps = config.optimization_steps
    run_job(
        animate_manifest,
        AnimateConfig,
        *("--method", "livesketch", "--model", config.model, "--lora", config.livesketch_lora),
        *(() if steps is None else ("--optimization-steps", str(steps))),
        *("--manifest", sketches, "--output", place(config, LIVESKETCH)),
        *("--dtype", config.dtype, "--threads", "1", *LOCAL),
    )


def train_on(config: CircleConfig, kind: str) -> None:
    """Make shards of the clips of one kind, and train a new adapter on them."""
    shards = place(config, f"{kind} shards")
    run_job(
        make_training_shards,
        RasterizeConfig,
        *("--animations", place(config, kind), "--output", shards, "--size", str(config.size)),
        *("--line-width", "1", "--rows-per-shard", "8", *LOCAL),
    )
    run_job(
        train,
        TrainConfig,
        *("--shards", shards, "--output", place(config, f"{kind} training")),
        *("--model", config.model, "--lora", NO_LORA, "--target-set", "all"),
        *("--num-steps", str(config.training_steps), "--global-batch-size", "4"),
        *("--batch-size", "4", "--learning-rate", "1e-3", "--schedule", "cosine"),
        *("--warmup-steps", str(min(10, config.training_steps // 2)), "--validate-every", "0"),
        *("--num-frames", str(NUM_FRAMES), "--dtype", config.dtype, "--threads", "1", *LOCAL),
    )


def compare_adapters(config: CircleConfig) -> None:
    """Animate the held-out rows with each adapter, and print the table of their scores."""
    runs = config.output / "runs.toml"
    adapters = {
        "no adapter": NO_LORA,
        **{name_run(kind): f"{place(config, f'{kind} training')}/lora" for kind in KINDS},
    }
    if config.reference_lora is not None:
        adapters[config.reference_lora] = config.reference_lora
    runs.write_text(
        "".join(
            f'[[run]]\nname = "{name}"\nlora = "{lora}"\npreset = "{config.preset}"\n'
            for name, lora in adapters.items()
        )
    )
    manifest = config.manifest
    if config.num_rows is not None:
        manifest = place(config, "rows.parquet")
        pq.write_table(pq.read_table(config.manifest).slice(0, config.num_rows), manifest)
    run_job(
        compare,
        CompareConfig,
        *("--manifest", manifest, "--runs", str(runs), "--output", place(config, "compare")),
        *("--model", config.model, "--clip-model", config.clip_model),
        *("--dtype", config.dtype, "--threads", "1", *LOCAL),
    )


def name_run(kind: str) -> str:
    return f"trained on clips by {kind}"


def print_differences(config: CircleConfig) -> None:
    """Print what the adapters score above the one that was trained on clips by hand, clip by clip,
    since the seeds are the same."""
    runs = read_runs(str(config.output / "runs.toml"))
    scores = {run.name: read_scores(Path(place(config, "compare")) / run.folder) for run in runs}
    own = scores.pop(name_run(HAND))
    print(f"\n| minus {name_run(HAND)!r} | {' | '.join(SCORES)} |")
    print("|---" * (1 + len(SCORES)) + "|")
    for name, others in scores.items():
        differences = [np.subtract(others[score], own[score]) for score in SCORES]
        print(f"| {name} | {' | '.join(describe(values, '+') for values in differences)} |")


def read_scores(corpus: Path) -> dict[str, np.ndarray]:
    """Return the scores of a corpus's clips, all in the same order."""
    parts = [
        pq.read_table(corpus / "scores" / path.name) for path in corpus.glob("scores/*.parquet")
    ]
    table = pa.concat_tables(parts).sort_by("key")
    return {score: table[score].to_numpy() for score in SCORES}


def describe(values: np.ndarray, sign: str = "") -> str:
    """Return mean and standard error."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{values.mean():{sign}.4f} ± {error:.4f}"


if __name__ == "__main__":
    main(tyro.cli(CircleConfig, description=__doc__))

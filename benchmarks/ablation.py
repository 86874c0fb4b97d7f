#!/usr/bin/env python
r"""Take FlipSketch apart on a held-out manifest, and score what is left of it.

Each variant is a corpus of its own in the output folder, made by the animate job; what is there
from an earlier run of the same command is not made again. Scores are means with standard errors.

    python benchmarks/ablation.py --output out/ablation --model out/doodle-model/release/doodle \
        --lora out/doodle-model/release/doodle-lora --scorer out/doodle-model/release/doodle-clip
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tyro

from flipsketch.clip import binarize_frames, decode_filmstrip
from flipsketch.clip_scores import ClipScorer
from flipsketch.manifest import parse_rows
from flipsketch.metrics import coloured
from flipsketch.model import load_model, quiet_libraries
from flipsketch.plain_sampling import sample_from_text
from flipsketch.plan import read_plan
from flipsketch.row import Row
from flipsketch.sampling import SamplingConfig, model_defaults
from flipsketch.scores import Scorers, score_clip
from flipsketch.shard import committed_shards, read_metadata, read_sample
from flipsketch.sketch import load_sketch
from flipsketch.storage import open_folder
from pipelines.animate import AnimateConfig, animate_manifest
from pipelines.cli import log_to_stderr
from pipelines.executor import ExecutorConfig

VARIANTS = {
    "full": {},
    "no alignment": {"align_steps": 0},
    "no composition": {"compose_steps": 0},
    "lambda 0": {"reference_scale": 0.0},
    "lambda 1": {"reference_scale": 1.0},
}
COLUMNS = ["s2v_consistency", "t2v_alignment", "motion", "first_iou"]


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    output: Path
    """Folder of the corpora."""
    manifest: str = "data/manifests/heldout.parquet"
    model: str = "doodle"
    lora: str = "doodle-lora"
    scorer: str = "doodle-clip"
    batch_size: int = 4
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)


def main(config: AblationConfig) -> None:
    log_to_stderr()
    quiet_libraries()
    rows = list(parse_rows(config.manifest))
    sampling = model_defaults(config.model)
    corpora = {
        name: animate(config, name, replace(sampling, **changes))
        for name, changes in VARIANTS.items()
    }
    texts = {
        lora: list(draw_from_text(config, rows, lora, sampling)) for lora in (config.lora, None)
    }
    corpora["T2V LoRA"] = {
        row.id: binarize_frames(frames)
        for row, frames in zip(rows, texts[config.lora], strict=True)
    }
    size = len(texts[None][0][0])
    sketches = {row.id: load_sketch(row.sketch, size) for row in rows}
    corpora["still sketch"] = {
        row.id: np.stack([sketches[row.id]] * sampling.num_frames) for row in rows
    }
    scorers = Scorers(ClipScorer(config.scorer), None)
    print("| | sketch-to-video | text-to-video | motion | ink IoU of frame 0 |")
    print("|---|---|---|---|---|")
    for name, clips in corpora.items():
        scored = [
            score_clip(clips[row.id], sketches[row.id], list(row.prompts), scorers)
            for row in rows
            if row.id in clips
        ]
        scores = np.array([[clip[column] for column in COLUMNS] for clip in scored])
        print(f"| {name} | {' | '.join(map(mean_and_error, scores.T))} |", flush=True)
    print("\n| prompts alone | share of grey or coloured pixels |\n|---|---|")
    shares = {"the sketches themselves": [sketches[row.id] for row in rows]}
    shares |= {"with the adapter": texts[config.lora], "without": texts[None]}
    for name, clips in shares.items():
        print(f"| {name} | {mean_and_error(np.array([coloured(clip).mean() for clip in clips]))} |")


def animate(config: AblationConfig, name: str, sampling: SamplingConfig) -> dict[str, np.ndarray]:
    """Return the frames (F, H, W, 3) of a variant, by the rows' ids."""
    output = str(config.output / name.replace(" ", "-"))
    job = AnimateConfig(
        manifest=config.manifest,
        model=config.model,
        lora=config.lora,
        output=output,
        sampling=sampling,
        batch_size=config.batch_size,
        executor=config.executor,
    )
    started = time.monotonic()
    if code := animate_manifest(job):
        raise SystemExit(code)
    logging.info("%s: %.0f s", name, time.monotonic() - started)
    folder = open_folder(output)
    plan = read_plan(folder)
    assert plan is not None, "it has just been made"
    return {
        row["id"]: decode_filmstrip(
            read_sample(folder, shard, row, plan.tars).png, row["num_frames"]
        )
        for shard in committed_shards(folder)
        for row in read_metadata(folder, shard).to_pylist()
        if row["status"] == "ok"
    }


def draw_from_text(
    config: AblationConfig, rows: list[Row], lora: str | None, sampling: SamplingConfig
) -> Iterator[np.ndarray]:
    """Yield what the model makes of each prompt alone (F, H, W, 3), in colours."""
    folder = config.output / ("prompts-lora" if lora else "prompts")
    folder.mkdir(parents=True, exist_ok=True)
    model = None
    for row in rows:
        path = folder / f"{row.key}.npy"
        if not path.exists():
            model = model or load_model(config.model, lora=lora)
            frames = sample_from_text(
                model,
                row.prompts[0],
                seed=row.seed,
                num_frames=sampling.num_frames,
                guidance_scale=sampling.guidance_scale,
            )
            unfinished = folder / f".{row.key}.npy"
            np.save(unfinished, frames)
            unfinished.rename(path)
        yield np.load(path)


def mean_and_error(values: np.ndarray) -> str:
    return f"{values.mean():.4f} ± {values.std(ddof=1) / len(values) ** 0.5:.4f}"


if __name__ == "__main__":
    main(tyro.cli(AblationConfig, description=__doc__))

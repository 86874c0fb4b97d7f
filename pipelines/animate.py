"""Animate a manifest: sketches and prompts in, shards of clips with Parquet metadata out.

The driver plans, lists what is missing and feeds it to makers, which load the model once and commit
each shard themselves. The same plan gives the same tars, with one worker or many, resumed or not.
"""

import functools
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import diffusers
import torch

from flipsketch.card import write_card
from flipsketch.lora import check_lora
from flipsketch.manifest import ManifestSummary, read_rows, summarize_manifest
from flipsketch.model import (
    find_model,
    fingerprint_folder,
    model_licence,
    weights_bytes,
)
from flipsketch.plan import FORMAT_VERSION, Plan, begin_run, read_plan
from flipsketch.row import Row
from flipsketch.sampling import SamplingConfig
from flipsketch.shard import committed_shards
from flipsketch.storage import Folder, open_folder, resolve
from pipelines.executor import ExecutorConfig, Resources, Shard, make_shards, start
from pipelines.maker import AnimationMaker, row_schema
from pipelines.summary import Progress, exceeds, parse_max_failures, summarize_run

log = logging.getLogger(__name__)

# A few minutes of work on a GPU, and what a kill costs at most.
MAX_ROWS_PER_SHARD = 64
MIN_SHARDS_PER_WORKER = 4


@dataclass(frozen=True, kw_only=True)
class AnimateConfig:
    manifest: str
    """Table of sketches and prompts (*.parquet, *.jsonl or *.csv), a path or a URI."""
    output: str
    """Folder of the corpus; holds nothing, or a run with the same plan, which goes on."""
    model: str
    """Folder in diffusers' layout, or a name on the Hugging Face Hub
    (damo-vilab/text-to-video-ms-1.7b is the paper's)."""
    lora: str | None = None
    """Adapter folder (unet/ and perhaps text_encoder/, each in peft's format)."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    batch_size: int = 4
    """Rows animated together; part of the plan, since it changes results in the last digits."""
    rows_per_shard: int | None = None
    """Rows in a shard; by default at most 64, and at least four shards for each worker."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the networks; by default bfloat16 on a GPU and float32 elsewhere."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the networks run; by default on GPUs when there are any."""
    threads: int | None = None
    """CPU threads of each worker; by default the machine's, shared out."""
    checkpoint_gradients: bool = False
    """Spend a third more time in alignment to save memory; changes no pixel."""
    max_failures: str = "0"
    """Failed rows (a count, or a share such as 2%) up to which the job still exits with 0."""
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        for name, limit in (("batch_size", 256), ("rows_per_shard", 10_000), ("threads", 256)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= limit:
                raise ValueError(f"{name} must lie between 1 and {limit}, got {value}")
        parse_max_failures(self.max_failures)


def animate_manifest(config: AnimateConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    model_folder = find_model(config.model)
    if config.lora is not None:
        check_lora(config.lora)
    manifest = summarize_manifest(config.manifest, reserved=row_schema().names)
    resources = start(config.executor, weights_bytes(model_folder), config.device)
    with folder.locked():
        plan = begin_run(
            folder, plan_run(config, manifest, model_folder, resources), overwrite=config.overwrite
        )
        return make_missing(config, manifest, folder, plan, resources)


def make_missing(
    config: AnimateConfig,
    manifest: ManifestSummary,
    folder: Folder,
    plan: Plan,
    resources: Resources,
) -> int:
    """Make the shards that are not committed and sum up the run; return the exit code."""
    started = time.monotonic()
    settings = plan.settings
    num_shards = -(-manifest.num_rows // settings["rows_per_shard"])
    done = committed_shards(folder)
    log.info(
        "%d rows in %d shards, %d of them done; %d workers on %s, %d threads each -> %s",
        manifest.num_rows,
        num_shards,
        len(done),
        resources.workers,
        resources.device,
        settings["threads"],
        folder,
    )
    maker = functools.partial(
        AnimationMaker,
        model=anchor(config.model) if Path(config.model).is_dir() else config.model,
        lora=config.lora and anchor(config.lora),
        manifest=anchor(config.manifest),
        sampling=config.sampling,
        checkpointing=config.checkpoint_gradients,
        device=resources.device,
        plan=plan,
        folder=folder,
        schema=row_schema(manifest.extra_schema),
    )
    with Progress(manifest.num_rows, folder, done) as progress:
        try:
            missing = missing_shards(config.manifest, manifest, settings["rows_per_shard"], done)
            for index in make_shards(config.executor, resources, maker, missing, progress.report):
                progress.commit(index)
        except KeyboardInterrupt:
            progress.close()
            if committed_shards(folder):
                write_card(folder, plan, summarize_run(folder).facts)
            log.warning(
                "interrupted: %d of %d shards are committed and stay; the same command goes on",
                len(committed_shards(folder)),
                num_shards,
            )
            return 130
    summary = summarize_run(folder)
    write_card(folder, plan, summary.facts)
    summary.log(seconds=time.monotonic() - started, new_clips=progress.num_new_ok)
    return 1 if exceeds(summary.num_failed, manifest.num_rows, config.max_failures) else 0


def plan_run(
    config: AnimateConfig, manifest: ManifestSummary, model_folder: Path, resources: Resources
) -> Plan:
    """Return the run's plan; what the user does not name comes from the plan that is there."""
    before = None if config.overwrite else read_plan(open_folder(config.output))
    shards_wanted = MIN_SHARDS_PER_WORKER * resources.workers
    rows_per_shard = max(1, min(MAX_ROWS_PER_SHARD, manifest.num_rows // shards_wanted))
    if rows_per_shard > config.batch_size:
        # Whole batches, so that few are cut short.
        rows_per_shard -= rows_per_shard % config.batch_size
    defaults = {
        "rows_per_shard": rows_per_shard,
        "dtype": "bfloat16" if resources.device == "cuda" else "float32",
        "threads": resources.cpus_per_worker,
    }
    chosen = [name for name in defaults if getattr(config, name) is None]
    named = {name: getattr(config, name) for name in defaults if name not in chosen}
    settings = {
        **{name: (before.settings if before else defaults)[name] for name in defaults},
        **named,
        "format": FORMAT_VERSION,
        "kind": "animate",
        "num_rows": manifest.num_rows,
        "manifest_fingerprint": manifest.fingerprint,
        "extra_columns": {field.name: str(field.type) for field in manifest.extra_schema},
        "model_fingerprint": fingerprint_folder(model_folder),
        "model_licence": model_licence(model_folder),
        "lora_fingerprint": fingerprint_folder(config.lora) if config.lora else None,
        "batch_size": config.batch_size,
        **asdict(config.sampling),
    }
    notes = {
        "command": " ".join(sys.argv),
        "manifest": anchor(config.manifest),
        "model": config.model,
        "lora": config.lora,
        "executor": config.executor.executor,
        "workers": resources.workers,
        "device": resources.device,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        },
    }
    return Plan(settings, tuple(chosen), notes)


def missing_shards(
    manifest: str, summary: ManifestSummary, rows_per_shard: int, done: list[int]
) -> Iterator[Shard]:
    """Yield the shards that are not committed, with their rows, reading the manifest as it goes."""
    committed = set(done)
    rows: list[Row] = []
    for row in read_rows(manifest, summary):
        index, place = divmod(row.index, rows_per_shard)
        if index not in committed:
            rows.append(row)
            if place == rows_per_shard - 1 or row.index == summary.num_rows - 1:
                yield index, rows
                rows = []


def anchor(location: str) -> str:
    """Return an input's address as workers are to use it.

    A submitted job's workers run in copies of its working directory, where relative paths hold;
    elsewhere theirs is not the driver's.
    """
    return location if is_submitted(Path.cwd()) else resolve(location, os.path.abspath("driver"))


def is_submitted(path: Path) -> bool:
    """Tell whether a path lies where Ray unpacks a submitted job's working directory."""
    return "working_dir_files" in path.parts


def refuse_vanishing_output(output: str) -> None:
    """The copy of the working directory in which a submitted job runs is deleted by Ray."""
    if is_submitted(Path(open_folder(output).path)):
        raise ValueError(
            f"--output {output} would lie in the submitted job's copy of the working directory, "
            f"which vanishes with the job; give an absolute path or a URI that all nodes share"
        )

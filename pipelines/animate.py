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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import diffusers
import torch

from flipsketch.card import write_card
from flipsketch.lora import check_lora
from flipsketch.manifest import ManifestSummary, summarize_manifest
from flipsketch.model import (
    find_model,
    fingerprint_folder,
    model_licence,
    weights_bytes,
)
from flipsketch.plan import (
    FORMAT_VERSION,
    PLAN_FILE,
    Plan,
    begin_run,
    format_ranges,
    read_plan,
)
from flipsketch.sampling import SamplingConfig
from flipsketch.shard import read_shards
from flipsketch.storage import PARTIAL, Folder, open_folder, resolve
from pipelines.attempts import NOTES
from pipelines.dry_run import print_dry_run
from pipelines.executor import ExecutorConfig, make_shards, start
from pipelines.maker import AnimationMaker, row_schema
from pipelines.planning import (
    choose_rows_per_shard,
    missing_shards,
    read_summary,
    retryable_rows,
    write_summary,
)
from pipelines.pool import Resources
from pipelines.summary import Progress, RunSummary, exceeds, parse_max_failures

log = logging.getLogger(__name__)

ROW_TIMEOUT_S = {"cuda": 3600.0, "cpu": 86400.0}


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
    row_timeout: float | None = None
    """Seconds that a row may take (a batch: as many times its size) before it is run alone, and
    given up if that does not help; by default an hour on a GPU, a day elsewhere."""
    retry_failed: bool = False
    """Once all shards are there, try the failed rows again, in shards of their own."""
    extend: bool = False
    """The manifest has gained rows at its end: add them to the run in the output folder."""
    dry_run: bool = False
    """Print the plan (rows, shards, bad rows, bytes, time) and do nothing."""
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        for name, limit in (("batch_size", 256), ("rows_per_shard", 10_000), ("threads", 256)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= limit:
                raise ValueError(f"{name} must lie between 1 and {limit}, got {value}")
        if self.row_timeout is not None and not self.row_timeout > 0:
            raise ValueError(f"row_timeout must be more than 0, got {self.row_timeout}")
        if self.overwrite and (self.extend or self.retry_failed):
            raise ValueError(
                "--overwrite starts again; it goes with neither --extend nor --retry-failed"
            )
        parse_max_failures(self.max_failures)


def animate_manifest(config: AnimateConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    if config.dry_run:
        manifest = summarize_manifest(config.manifest, row_schema().names)
        print_dry_run(
            manifest,
            folder,
            None if config.overwrite else read_plan(folder),
            model=config.model,
            sampling=config.sampling,
            batch_size=config.batch_size,
            rows_per_shard=config.rows_per_shard,
            workers=config.executor.workers,
            device=config.device,
        )
        return 0
    model_folder = find_model(config.model)
    if config.lora is not None:
        check_lora(config.lora)
    before = None if config.overwrite else read_plan(folder)
    manifest = read_summary(config.manifest, folder, before, row_schema().names)
    resources = start(config.executor, weights_bytes(model_folder), config.device)
    with folder.locked():
        plan = begin_run(
            folder,
            plan_run(config, before, manifest, model_folder, resources),
            overwrite=config.overwrite,
            prefix_fingerprint=manifest.prefix_fingerprint if config.extend else None,
        )
        write_summary(folder, manifest)
        # A Ray driver outlives its actors, so the notes of another driver's blame nobody.
        folder.sweep(PARTIAL if config.executor.executor == "local" else f"{PARTIAL}|{NOTES}")
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
    shards, doubts = read_shards(folder, plan)
    for doubt in doubts:
        log.warning("%s; its shard is made anew", doubt)
    log.info(
        "%d rows in %d shards, %d of them done; %d workers on %s, %d threads each -> %s",
        plan.num_rows,
        plan.num_shards,
        len(shards),
        resources.workers,
        resources.device,
        plan.settings["threads"],
        folder,
    )
    with Progress(plan, folder, shards) as progress:
        try:
            make(config, manifest, folder, plan, resources, progress)
            if config.retry_failed:
                plan = plan_retry(folder, plan, progress)
                make(config, manifest, folder, plan, resources, progress)
        except KeyboardInterrupt:
            progress.close()
            if shards:
                write_card(folder, plan, list(shards.values()))
            log.warning(
                "interrupted: %d of %d shards are committed and stay; the same command goes on",
                len(shards),
                plan.num_shards,
            )
            return 130
    summary = RunSummary(folder, list(shards.values()))
    write_card(folder, plan, summary.facts)
    summary.log(seconds=time.monotonic() - started, new_clips=progress.num_new_ok)
    return 1 if exceeds(summary.num_failed, plan.num_rows, config.max_failures) else 0


def make(
    config: AnimateConfig,
    manifest: ManifestSummary,
    folder: Folder,
    plan: Plan,
    resources: Resources,
    progress: Progress,
) -> None:
    """Make the shards of a plan that are not committed."""
    if len(progress.shards) == plan.num_shards:
        return
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
        row_timeout=config.row_timeout or ROW_TIMEOUT_S[resources.device],
    )
    missing = missing_shards(config.manifest, manifest, plan, progress.shards)
    for index in make_shards(config.executor, resources, maker, missing, progress.report):
        progress.commit(index)


def plan_retry(folder: Folder, plan: Plan, progress: Progress) -> Plan:
    """Add the rows that failed, and that are not wrong in the manifest itself, to the plan."""
    rows = retryable_rows(folder, list(progress.shards.values()))
    if not rows:
        log.info("no failed row is worth another try")
        return plan
    plan = plan.add(kind="retry", rows=format_ranges(rows))
    folder.publish(PLAN_FILE, plan.to_json())
    log.info("trying %d failed rows again, in %d more shards", len(rows), plan.parts[-1].num_shards)
    progress.retry(len(rows))
    return plan


def plan_run(
    config: AnimateConfig,
    before: Plan | None,
    manifest: ManifestSummary,
    model_folder: Path,
    resources: Resources,
) -> Plan:
    """Return the run's plan; what the user does not name comes from the plan that is there."""
    defaults = {
        "rows_per_shard": choose_rows_per_shard(
            manifest.num_rows, resources.workers, config.batch_size
        ),
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

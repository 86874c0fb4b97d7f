"""Animate a manifest: sketches and prompts in, shards of clips with Parquet metadata out.

The driver plans, lists what is missing and feeds it to makers, which load the model once and commit
each shard themselves. The same plan gives the same tars, with one worker or many, resumed or not.
"""

import functools
import hashlib
import logging
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import diffusers
import numpy as np
import pyarrow as pa
import torch
from flipsketch.sketch import load_sketch
from torch import Tensor

from flipsketch.card import write_card
from flipsketch.checkpointing import checkpoint_gradients
from flipsketch.clip import Clip
from flipsketch.manifest import ManifestSummary, Row, read_rows, summarize_manifest
from flipsketch.model import (
    DTYPES,
    VideoModel,
    find_model,
    fingerprint_folder,
    load_model,
    model_licence,
    weights_bytes,
)
from flipsketch.plan import FORMAT_VERSION, Plan, begin_run, read_plan
from flipsketch.sampling import SamplingConfig, animate_pixels, finish_frames
from flipsketch.shard import ROW_SCHEMA, Sample, committed_shards, encode_sample, write_shard
from flipsketch.storage import Folder, open_folder, read_file, resolve
from pipelines.executor import ExecutorConfig, Report, Resources, Shard, make_shards, start
from pipelines.summary import Progress, exceeds, parse_max_failures, summarize_run

log = logging.getLogger(__name__)

# A few minutes of work on a GPU, and what a kill costs at most.
MAX_ROWS_PER_SHARD = 64
MIN_SHARDS_PER_WORKER = 4

SETTINGS_SCHEMA = pa.schema(
    [
        ("num_inference_steps", pa.int32()),
        ("guidance_scale", pa.float64()),
        ("negative_prompt", pa.string()),
        ("reference_scale", pa.float64()),
        ("align_steps", pa.int32()),
        ("compose_steps", pa.int32()),
        ("compose_spatial", pa.bool_()),
        ("compose_temporal", pa.bool_()),
        ("sketch_range", pa.string()),
        ("binarize", pa.bool_()),
        ("dtype", pa.string()),
        ("model_fingerprint", pa.string()),
        ("model_licence", pa.string()),
        ("lora_fingerprint", pa.string()),
    ]
)


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
        for name in ("batch_size", "rows_per_shard", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        parse_max_failures(self.max_failures)


def animate_manifest(config: AnimateConfig) -> int:
    """Run the job and return its exit code: 0, 1 (too many failed rows) or 130 (interrupted).

    Raises:
        ValueError, OSError: the run cannot begin.
    """
    started = time.monotonic()
    refuse_vanishing_output(config.output)
    folder = open_folder(config.output)
    model_folder = find_model(config.model)
    manifest = summarize_manifest(config.manifest, reserved=row_schema().names)
    size = weights_bytes(model_folder)
    resources = start(config.executor, size, config.device)
    plan = begin_run(
        folder, plan_run(config, manifest, model_folder, resources), overwrite=config.overwrite
    )
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
        config,
        plan,
        folder,
        resources.device,
        row_schema(manifest.extra_schema),
    )
    with Progress(manifest.num_rows, folder, done) as progress:
        try:
            missing = missing_shards(config.manifest, manifest, settings["rows_per_shard"], done)
            for index in make_shards(config.executor, resources, maker, missing, progress.report):
                progress.commit(index)
        except KeyboardInterrupt:
            progress.close()
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
    rows_per_shard = min(MAX_ROWS_PER_SHARD, -(-manifest.num_rows // shards_wanted))
    defaults = {
        # Whole batches, so that few are cut short.
        "rows_per_shard": -(-rows_per_shard // config.batch_size) * config.batch_size,
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
        "manifest": config.manifest,
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


def refuse_vanishing_output(output: str) -> None:
    """A submitted job runs in an unpacked copy of its working directory, which Ray deletes."""
    if "working_dir_files" in Path(open_folder(output).path).parts:
        raise ValueError(
            f"--output {output} would lie in the submitted job's copy of the working directory, "
            f"which vanishes with the job; give an absolute path or a URI that all nodes share"
        )


def row_schema(extra: pa.Schema | None = None) -> pa.Schema:
    return pa.schema([*ROW_SCHEMA, *SETTINGS_SCHEMA, *(extra or [])])


class AnimationMaker:
    """Holds a model and makes shards of clips with it."""

    def __init__(
        self, config: AnimateConfig, plan: Plan, folder: Folder, device: str, schema: pa.Schema
    ) -> None:
        self.config, self.plan, self.folder, self.schema = config, plan, folder, schema
        self.model: VideoModel = load_model(
            config.model, lora=config.lora, device=device, dtype=DTYPES[plan.settings["dtype"]]
        )

    def make_shard(self, index: int, rows: list[Row], report: Report) -> None:
        """Animate the rows in batches and commit the shard; a bad row costs no neighbour."""
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(self.plan.settings["threads"])
        records = {row.index: self.describe(row) for row in rows}
        sketches = {row.index: self.read_sketch(row, records[row.index]) for row in rows}
        encoding = []
        with (
            ThreadPoolExecutor(1) as encoder,
            checkpoint_gradients(self.model.unet, self.config.checkpoint_gradients),
        ):
            for batch in split_batches(rows, self.config.sampling, self.config.batch_size):
                batch_started = time.monotonic()
                pixels = self.animate_batch(batch, sketches)
                seconds = (time.monotonic() - batch_started) / len(batch)
                for row, row_pixels in zip(batch, pixels, strict=True):
                    if sketches[row.index] is not None:
                        records[row.index]["seconds"] = seconds
                        job = encoder.submit(self.encode, row, row_pixels, records[row.index])
                        encoding.append(job)
                report(index, *count_finished(records.values()))
        samples = [sample for job in encoding if (sample := job.result()) is not None]
        records_in_order = [records[row.index] for row in rows]
        write_shard(
            self.folder, index, records_in_order, samples, self.schema, self.plan.fingerprint
        )
        report(index, *count_finished(records.values()))

    def describe(self, row: Row) -> dict[str, Any]:
        """Return the row's record, as of a failure until `encode` says otherwise."""
        sampling = row_sampling(row, self.config.sampling)
        known = {**asdict(sampling), **self.plan.settings}
        return {
            **{name: known[name] for name in SETTINGS_SCHEMA.names},
            "id": row.id,
            "key": row.key if row.id else None,
            "prompt": " ".join(row.prompts),
            "prompts": list(row.prompts),
            "sketch": row.sketch if isinstance(row.sketch, str) else None,
            "seed": row.seed,
            "status": "failed",
            "error": row.error,
            "attempts": 1,
            "negative_prompt": sampling.negative_prompt,
            "reference_scale": sampling.reference_scale,
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
            **row.extra,
        }

    def read_sketch(self, row: Row, record: dict[str, Any]) -> np.ndarray | None:
        if row.error is not None:
            return None
        try:
            content = row.sketch
            if isinstance(content, str):
                content = read_file(resolve(content, self.config.manifest))
            record["sketch_sha256"] = hashlib.sha256(content).hexdigest()
            return load_sketch(content, self.model.size)
        except (OSError, ValueError) as error:
            where = f"{row.sketch}: " if isinstance(row.sketch, str) else ""
            record["error"] = f"{where}{error}"
            return None

    def animate_batch(self, batch: list[Row], sketches: dict[int, Any]) -> Tensor:
        """Return the rows' pixels. A bad row's place is taken by a copy of a good one: the batch
        keeps its shape, on which results depend in their last digits."""
        stand_in = next((row for row in batch if sketches[row.index] is not None), None)
        if stand_in is None:
            return torch.empty(len(batch), 0)
        filled = [row if sketches[row.index] is not None else stand_in for row in batch]
        samplings = [row_sampling(row, self.config.sampling) for row in filled]
        return animate_pixels(
            self.model,
            [sketches[row.index] for row in filled],
            [list(row.prompts) for row in filled],
            [row.seed for row in filled],
            samplings[0],
            reference_scales=[sampling.reference_scale for sampling in samplings],
            negative_prompts=[sampling.negative_prompt for sampling in samplings],
        ).cpu()

    def encode(self, row: Row, pixels: Tensor, record: dict[str, Any]) -> Sample | None:
        """Return the row's sample and complete its record; None if the pixels are no clip."""
        try:
            frames = finish_frames(pixels, self.config.sampling)
        except ValueError as error:
            record["error"] = str(error)
            return None
        num_frames, height, width, _ = frames.shape
        record |= {
            "status": "ok",
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
        }
        names = ["id", "key", "prompt", "prompts", "seed", "sketch_sha256", "num_frames", "height"]
        names += ["width", "frames_sha256", *SETTINGS_SCHEMA.names]
        clip = Clip(key=row.key, prompt=record["prompt"], frames=frames)
        return encode_sample(clip, {name: record[name] for name in names})


def count_finished(records: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Return how many rows are ok and how many have failed; the others are on their way."""
    states = [(record["status"] == "ok", record["error"] is not None) for record in records]
    return sum(ok for ok, _ in states), sum(failed for _, failed in states)


def row_sampling(row: Row, config: SamplingConfig) -> SamplingConfig:
    """Return the settings of one row: the job's, but for what the row says itself."""
    changes: dict[str, Any] = {
        name: value
        for name in ("num_frames", "reference_scale", "negative_prompt")
        if (value := getattr(row, name)) is not None
    }
    if row.align is False:
        changes["align_steps"] = 0
    elif row.align and config.align_steps == 0:
        changes["align_steps"] = None
    return replace(config, **changes)


def split_batches(rows: list[Row], config: SamplingConfig, batch_size: int) -> list[list[Row]]:
    """Split rows into batches of one alignment, frame count and number of segments, in the order
    in which the manifest first has each kind. Which rows turn out bad does not matter to it."""
    kinds: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        sampling = row_sampling(row, config)
        kind = (sampling.num_align_steps, sampling.num_frames, len(row.prompts))
        kinds.setdefault(kind, []).append(row)
    return [
        alike[start : start + batch_size]
        for alike in kinds.values()
        for start in range(0, len(alike), batch_size)
    ]

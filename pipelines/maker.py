"""Make one shard of clips: read the sketches, animate them in batches, encode, commit."""

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from flipsketch.checkpointing import checkpoint_gradients
from flipsketch.clip import Clip
from flipsketch.model import DTYPES, load_model
from flipsketch.plan import Plan
from flipsketch.row import Row
from flipsketch.sampling import SamplingConfig, animate_pixels, finish_frames
from flipsketch.shard import ROW_SCHEMA, Sample, encode_sample, write_shard
from flipsketch.sketch import load_sketch
from flipsketch.storage import Folder, read_file, resolve
from pipelines.executor import Report

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


def row_schema(extra: pa.Schema | None = None) -> pa.Schema:
    return pa.schema([*ROW_SCHEMA, *SETTINGS_SCHEMA, *(extra or [])])


class AnimationMaker:
    """Holds a model and makes shards of clips with it."""

    def __init__(
        self,
        *,
        model: str,
        lora: str | None,
        manifest: str,
        sampling: SamplingConfig,
        checkpointing: bool,
        device: str,
        plan: Plan,
        folder: Folder,
        schema: pa.Schema,
    ) -> None:
        self.manifest, self.sampling, self.checkpointing = manifest, sampling, checkpointing
        self.plan, self.folder, self.schema = plan, folder, schema
        dtype = DTYPES[plan.settings["dtype"]]
        self.model = load_model(model, lora=lora, device=device, dtype=dtype)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> None:
        """Animate the rows in batches and commit the shard; a bad row costs no neighbour."""
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(self.plan.settings["threads"])
        records = {row.index: self.describe(row) for row in rows}
        sketches = {row.index: self.read_sketch(row, records[row.index]) for row in rows}
        encoding = []
        with (
            ThreadPoolExecutor(1) as encoder,
            checkpoint_gradients(self.model.unet, self.checkpointing),
        ):
            for batch in split_batches(rows, self.sampling, self.plan.settings["batch_size"]):
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
        sampling = row_sampling(row, self.sampling)
        known = {**self.plan.settings, **asdict(sampling)}
        return {
            **{name: known[name] for name in SETTINGS_SCHEMA.names},
            "id": row.id,
            "manifest_row": row.index,
            # A repeated id has the key of another row, whose sample it must not be joined with.
            "key": row.key if row.error is None else None,
            "prompt": " ".join(row.prompts),
            "prompts": list(row.prompts),
            "sketch": row.sketch if isinstance(row.sketch, str) else None,
            "seed": row.seed,
            "status": "failed",
            "error": row.error,
            "attempts": 1,
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
            **row.extra,
        }

    def read_sketch(self, row: Row, record: dict[str, Any]) -> np.ndarray | None:
        if row.error is not None:
            return None
        where = ""
        try:
            if isinstance(row.sketch, bytes):
                content = row.sketch
            else:
                content = read_file(resolve(row.sketch, self.manifest))
                where = f"{row.sketch}: "
            record["sketch_sha256"] = hashlib.sha256(content).hexdigest()
            return load_sketch(content, self.model.size)
        except (OSError, ValueError) as error:
            record["error"] = f"{where}{error}"
            return None

    def animate_batch(self, batch: list[Row], sketches: dict[int, Any]) -> Tensor:
        """Return the rows' pixels. A bad row's place is taken by a copy of a good one: the batch
        keeps its shape, on which results depend in their last digits."""
        stand_in = next((row for row in batch if sketches[row.index] is not None), None)
        if stand_in is None:
            return torch.empty(len(batch), 0)
        filled = [row if sketches[row.index] is not None else stand_in for row in batch]
        samplings = [row_sampling(row, self.sampling) for row in filled]
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
            frames = finish_frames(pixels, self.sampling)
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

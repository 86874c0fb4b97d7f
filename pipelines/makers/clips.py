"""Make one shard of clips: read the sketches, animate them in batches, encode, commit."""

import hashlib
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.shard import ROW_SCHEMA, Sample, encode_sample, write_shard
from flipsketch.media.clip import Clip
from flipsketch.media.sketch import load_sketch
from flipsketch.method.animators import Batch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.sampler import finish_frames
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.video_model import DTYPES
from flipsketch.scoring.pixel import score_pixels
from flipsketch.scoring.scores import PIXEL_COLUMNS
from flipsketch.storage.folder import Folder, read_source
from pipelines.execution.attempts import Attempts
from pipelines.execution.work import Report

BROKEN_DEVICE = 71  # exit code
# Rows on which the model raises before any comes out well: then it is not the rows.
MANY = 32

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
        ("hold_sketch", pa.bool_()),
        ("sketch_in_noise", pa.float64()),
        ("darken_sketch", pa.bool_()),
        ("sketch_range", pa.string()),
        ("binarize", pa.bool_()),
        ("ink_threshold", pa.int16()),
        ("method", pa.string()),
        ("dtype", pa.string()),
        ("model_fingerprint", pa.string()),
        ("model_licence", pa.string()),
        ("lora_fingerprint", pa.string()),
    ]
)


def row_schema(extra: pa.Schema | None = None) -> pa.Schema:
    return pa.schema([*ROW_SCHEMA, *PIXEL_COLUMNS, *SETTINGS_SCHEMA, *(extra or [])])


class AnimationMaker:
    """Holds a method with its model and makes shards of clips with it."""

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
        row_timeout: float | None = None,
    ) -> None:
        quiet_libraries()
        self.row_timeout = row_timeout
        self.num_made = self.num_raised = 0
        self.last_raised: Exception | None = None
        self.manifest, self.sampling, self.checkpointing = manifest, sampling, checkpointing
        self.plan, self.folder, self.schema = plan, folder, schema
        animator = METHODS[plan.settings["method"]].animator_class
        self.method = animator(model, lora, device, DTYPES[plan.settings["dtype"]])

    def make_shard(self, index: int, rows: list[Row], report: Report) -> None:
        """Animate the rows in batches and commit the shard; a bad row costs no neighbour.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
            RuntimeError: the model raised on every row so far: a bug, not a bad row.
        """
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(self.plan.settings["threads"])
        with Attempts(self.folder, index) as attempts:
            records = self.make_and_commit(index, rows, report, attempts)
        report(index, *count_finished(records.values()))
        if self.num_made == 0 and self.num_raised >= MANY:
            raise RuntimeError(
                f"the model raised on all of the first {self.num_raised} rows; mend what is wrong "
                f"and run the same command with --retry-failed"
            ) from self.last_raised

    def make_and_commit(
        self, index: int, rows: list[Row], report: Report, attempts: Attempts
    ) -> dict[int, dict[str, Any]]:
        """Return the rows' records, whose shard is then committed."""
        records = {row.index: self.describe(row, attempts) for row in rows}
        sketches = self.read_sketches(rows, records, attempts)
        # Those that a process died of come first: what is to be learnt is learnt soon.
        batches = sorted(
            split_batches(rows, self.sampling, self.plan.settings["batch_size"]),
            key=lambda batch: not attempts.are_suspect("animating", batch),
        )
        encoding = []
        with (
            ThreadPoolExecutor(1) as encoder,
            checkpoint_gradients(self.method.unet, self.checkpointing)
            if self.method.unet is not None
            else nullcontext(),
        ):
            for batch in batches:
                batch_started = time.monotonic()
                pixels = self.animate_batch(batch, sketches, records, attempts)
                seconds = (time.monotonic() - batch_started) / len(batch)
                for row in batch:
                    if row.index in pixels:
                        record = records[row.index]
                        record["seconds"] = seconds
                        clip, sketch = pixels[row.index], sketches[row.index]
                        encoding.append(encoder.submit(self.encode, row, clip, sketch, record))
                report(index, *count_finished(records.values()))
        samples = [sample for job in encoding if (sample := job.result()) is not None]
        write_shard(
            self.folder,
            index,
            [records[row.index] for row in rows],
            samples,
            self.schema,
            self.plan.fingerprint,
            retry=self.plan.part_of(index).kind == "retry",
        )
        self.num_made += len(samples)
        return records

    def describe(self, row: Row, attempts: Attempts) -> dict[str, Any]:
        """Return the row's record, as of a failure until `encode` says otherwise."""
        given_up = attempts.given_up.get(row.index)
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
            "prompt_cut": any(
                self.method.cuts_prompt(text) for text in (*row.prompts, sampling.negative_prompt)
            ),
            "sketch": row.sketch if isinstance(row.sketch, str) else None,
            "seed": row.seed,
            "status": "failed",
            "error": row.error or given_up,
            "attempts": attempts.deaths(row) + (given_up is None),
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
            **row.extra,
        }

    def read_sketches(
        self, rows: list[Row], records: dict[int, dict[str, Any]], attempts: Attempts
    ) -> dict[int, np.ndarray]:
        """Return the sketches of the rows that have a good one."""
        good = [row for row in rows if records[row.index]["error"] is None]
        alone = attempts.are_suspect("reading", good)
        sketches = {}
        for group in [[row] for row in good] if alone else [good]:
            with attempts.running("reading", group, self.row_timeout):
                for row in group:
                    sketch = self.read_sketch(row, records[row.index])
                    if sketch is not None:
                        sketches[row.index] = sketch
        return sketches

    def read_sketch(self, row: Row, record: dict[str, Any]) -> np.ndarray | None:
        where = ""
        try:
            content = read_source(row.sketch, self.manifest)
            if isinstance(row.sketch, str):
                where = f"{row.sketch}: "
            record["sketch_sha256"] = hashlib.sha256(content).hexdigest()
            return load_sketch(content, self.method.size, darken=self.sampling.darken_sketch)
        except (OSError, ValueError, MemoryError) as error:
            record["error"] = f"{where}{error or type(error).__name__}"
            return None

    def animate_batch(
        self,
        batch: list[Row],
        sketches: dict[int, np.ndarray],
        records: dict[int, dict[str, Any]],
        attempts: Attempts,
    ) -> dict[int, Tensor]:
        """Return the good rows' pixels: of all at once, or one by one where that goes wrong."""
        good = [row for row in batch if row.index in sketches]
        groups = [good] if good else []
        if attempts.are_suspect("animating", good):
            groups = [[row] for row in sorted(good, key=attempts.deaths, reverse=True)]
        pixels: dict[int, Tensor] = {}
        while groups:
            group = groups.pop(0)
            try:
                with attempts.running("animating", group, self.batch_timeout):
                    pixels |= self.sample_pixels(batch, group, sketches)
            except Exception as error:
                # The model may raise anything at all on a row; the others are to be saved.
                if is_out_of_memory(error):
                    # Alone a row has its batch's shape, and needs as much.
                    reason = describe_out_of_memory(error, batch, self.sampling)
                elif len(group) > 1:
                    groups = [[row] for row in group]
                    continue
                else:
                    reason = f"the model raised {type(error).__name__}: {error}"
                for row in group:
                    records[row.index]["error"] = reason
                self.num_raised, self.last_raised = self.num_raised + len(group), error
        return pixels

    def sample_pixels(
        self, batch: list[Row], group: list[Row], sketches: dict[int, np.ndarray]
    ) -> dict[int, Tensor]:
        """Animate some rows of a batch. The places of the others are taken by copies of one of
        them: the batch keeps its shape, on which results depend in their last digits."""
        filled = [row if row in group else group[0] for row in batch]
        samplings = [row_sampling(row, self.sampling) for row in filled]
        try:
            whole = Batch(
                sketches=[sketches[row.index] for row in filled],
                prompts=[list(row.prompts) for row in filled],
                seeds=[row.seed for row in filled],
                config=samplings[0],
                reference_scales=[sampling.reference_scale for sampling in samplings],
                negative_prompts=[sampling.negative_prompt for sampling in samplings],
                sketches_in_noise=[sampling.sketch_in_noise for sampling in samplings],
            )
            pixels = self.method.animate(whole).cpu()
        except Exception as error:
            self.end_if_broken(error)
            raise
        places = {row.index: place for place, row in enumerate(batch)}
        return {row.index: pixels[places[row.index]] for row in group}

    def end_if_broken(self, error: Exception) -> None:
        """A GPU that has hit an illegal instruction or address is lost to its process: end it, as
        if the rows had, so that another one finds out which it was."""
        if self.method.device.type != "cuda":
            return
        try:
            torch.ones(1, device=self.method.device).sum().item()
        except RuntimeError:
            print(f"the GPU is lost to this process, which ends: {error}", file=sys.__stderr__)
            os._exit(BROKEN_DEVICE)

    @property
    def batch_timeout(self) -> float | None:
        # A row alone has its batch's shape, and takes as long.
        return self.row_timeout and self.row_timeout * self.plan.settings["batch_size"]

    def encode(
        self, row: Row, pixels: Tensor, sketch: np.ndarray, record: dict[str, Any]
    ) -> Sample | None:
        """Return the row's sample and complete its record; None if the pixels are no clip."""
        try:
            frames = finish_frames(pixels, self.sampling)
        except (ValueError, MemoryError) as error:
            record["error"] = str(error) or type(error).__name__
            return None
        num_frames, height, width, _ = frames.shape
        record |= {
            "status": "ok",
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
            **asdict(score_pixels(frames, sketch)),
        }
        names = ["id", "key", "prompt", "prompts", "seed", "sketch_sha256", "num_frames", "height"]
        names += ["width", "frames_sha256", *SETTINGS_SCHEMA.names]
        clip = Clip(key=row.key, prompt=record["prompt"], frames=frames)
        return encode_sample(clip, {name: record[name] for name in names})


def is_out_of_memory(error: Exception) -> bool:
    is_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return is_cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def describe_out_of_memory(error: Exception, batch: list[Row], config: SamplingConfig) -> str:
    sampling = row_sampling(batch[0], config)
    cheaper = "with --retry-failed --checkpoint-gradients, which changes no pixel, or "
    return (
        f"memory ran out on a batch of {len(batch)} clips of {sampling.num_frames} frames "
        f"({str(error).partition('. ')[0]}); run again "
        f"{cheaper if sampling.num_align_steps else ''}into another folder with a smaller "
        f"--batch-size"
    )


def count_finished(records: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Return how many rows are ok and how many have failed; the others are on their way."""
    states = [(record["status"] == "ok", record["error"] is not None) for record in records]
    return sum(ok for ok, _ in states), sum(failed for _, failed in states)


def row_sampling(row: Row, config: SamplingConfig) -> SamplingConfig:
    """Return the settings of one row: the job's, but for what the row says itself."""
    changes: dict[str, Any] = {
        name: value
        for name in ("num_frames", "reference_scale", "sketch_in_noise", "negative_prompt")
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

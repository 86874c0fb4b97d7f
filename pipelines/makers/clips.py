"""Make one shard of clips: read the sketches, animate them in batches, encode, commit."""

import hashlib
import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import ShardFacts, write_shard
from flipsketch.media.clip import Clip
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.request import ClipRequest, batch_settings
from flipsketch.method.sampler import finish_frames
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.video_model import DTYPES
from flipsketch.scoring.pixel import score_pixels
from flipsketch.storage.folder import Folder, read_source
from pipelines.execution.attempts import Attempts
from pipelines.execution.work import Report
from pipelines.makers.clip_columns import SETTINGS_SCHEMA, sample_schema
from pipelines.makers.outcome import RowOutcome, count_outcomes
from pipelines.makers.row_settings import find_error, row_sampling

BROKEN_DEVICE = 71  # exit code
# Rows on which the model raises before any comes out well: then it is not the rows.
MANY = 32


@dataclass(frozen=True, kw_only=True)
class ClipMakerConfig:
    """What a maker loads and how it runs; what decides a clip is in the plan too."""

    model: str
    lora: str
    """The adapter's folder or name, or none."""
    manifest: str
    """That sketches' paths are relative to."""
    sampling: SamplingConfig
    """The job's; a row may have settings of its own."""
    device: str
    checkpoint_gradients: bool = False
    row_timeout: float | None = None
    """Seconds for a row of a batch."""


@dataclass(frozen=True)
class ReadRow:
    """A row whose sketch could be read."""

    request: ClipRequest
    columns: dict[str, Any]
    """What the metadata says of the row, whatever becomes of it."""


class AnimationMaker:
    """Holds a method with its model and makes shards of clips with it."""

    def __init__(
        self, config: ClipMakerConfig, *, plan: Plan, folder: Folder, schema: pa.Schema
    ) -> None:
        quiet_libraries()
        self.config, self.plan, self.folder, self.schema = config, plan, folder, schema
        self.sample_schema = sample_schema(schema)
        self.num_made = self.num_raised = 0
        self.last_raised: Exception | None = None
        animator = METHODS[plan.method].animator_class
        dtype = DTYPES[plan.dtype]
        self.method = animator(config.model, config.lora, config.device, dtype)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ShardFacts:
        """Animate the rows in batches and commit the shard; other rows are unaffected by a bad one.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
            RuntimeError: the model raised on every row so far: a bug, not a bad row.
        """
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(self.plan.threads)
        with Attempts(self.folder, index) as attempts:
            outcomes = self.make_outcomes(index, rows, report, attempts)
            facts = write_shard(
                self.folder,
                self.plan,
                index,
                [outcome.record for outcome in outcomes],
                [outcome.sample for outcome in outcomes if outcome.sample is not None],
                self.schema,
            )
        num_ok, num_failed = count_outcomes(outcomes)
        self.num_made += num_ok
        report(index, num_ok, num_failed)
        if self.num_made == 0 and self.num_raised >= MANY:
            raise RuntimeError(
                f"the model raised an error on all of the first {self.num_raised} rows; fix the "
                f"cause and rerun the same command with --retry-failed"
            ) from self.last_raised
        return facts

    def make_outcomes(
        self, index: int, rows: list[Row], report: Report, attempts: Attempts
    ) -> list[RowOutcome]:
        """Return what became of the rows, in their order."""
        job = self.config.sampling
        rows = [replace(row, error=find_error(row, job, self.method.size)) for row in rows]
        samplings = {row.index: row_sampling(row, job) for row in rows}
        read, outcomes = self.read_rows(rows, samplings, attempts)
        # Those that a process died of come first: what is to be learnt is learnt soon.
        batches = sorted(
            split_batches(rows, samplings, self.plan.batch_size),
            key=lambda batch: not attempts.are_suspect("animating", batch),
        )
        encoding: dict[int, Future[RowOutcome]] = {}
        with (
            ThreadPoolExecutor(1) as encoder,
            checkpoint_gradients(self.method.unet, self.config.checkpoint_gradients)
            if self.method.unet is not None
            else nullcontext(),
        ):
            for batch in batches:
                batch_started = time.monotonic()
                pixels, errors = self.animate_batch(batch, read, attempts)
                seconds = (time.monotonic() - batch_started) / len(batch)
                for row, error in errors.items():
                    outcomes[row] = RowOutcome(read[row].columns, error=error)
                for row, clip in pixels.items():
                    encoding[row] = encoder.submit(
                        finish_row, read[row], clip, seconds, self.sample_schema
                    )
                finished = [job.result() for job in encoding.values() if job.done()]
                report(index, *count_outcomes([*outcomes.values(), *finished]))
        outcomes |= {row: job.result() for row, job in encoding.items()}
        return [outcomes[row.index] for row in rows]

    def read_rows(
        self, rows: list[Row], samplings: dict[int, SamplingConfig], attempts: Attempts
    ) -> tuple[dict[int, ReadRow], dict[int, RowOutcome]]:
        """Return the rows that can be animated, and what became of the others, by row index."""
        columns = {row.index: self.describe(row, samplings[row.index], attempts) for row in rows}
        errors = {row.index: row.error or attempts.given_up.get(row.index) for row in rows}
        outcomes = {
            row: RowOutcome(columns[row], error=error)
            for row, error in errors.items()
            if error is not None
        }
        read: dict[int, ReadRow] = {}
        good = [row for row in rows if errors[row.index] is None]
        alone = attempts.are_suspect("reading", good)
        for group in [[row] for row in good] if alone else [good]:
            with attempts.running("reading", group, self.config.row_timeout):
                for row in group:
                    found = self.read_row(row, samplings[row.index], columns[row.index])
                    if isinstance(found, RowOutcome):
                        outcomes[row.index] = found
                    else:
                        read[row.index] = found
        return read, outcomes

    def describe(self, row: Row, sampling: SamplingConfig, attempts: Attempts) -> dict[str, Any]:
        """Return what the metadata says of a row before anything is tried."""
        known = {**self.plan.settings, **asdict(sampling)}
        return {
            **{name: known[name] for name in SETTINGS_SCHEMA.names},
            "id": row.id,
            "manifest_row": row.index,
            "row_digest": row.digest,
            # A repeated id has the key of another row, whose sample it must not be joined with.
            "key": row.key if row.error is None else None,
            "prompt": " ".join(row.prompts),
            "prompts": list(row.prompts),
            "prompt_cut": any(
                self.method.cuts_prompt(text) for text in (*row.prompts, sampling.negative_prompt)
            ),
            "sketch": row.sketch if isinstance(row.sketch, str) else None,
            "seed": row.seed,
            "attempts": attempts.deaths(row) + (row.index not in attempts.given_up),
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
            **row.extra,
        }

    def read_row(
        self, row: Row, sampling: SamplingConfig, columns: dict[str, Any]
    ) -> ReadRow | RowOutcome:
        where = ""
        try:
            content = read_source(row.sketch, self.config.manifest)
            if isinstance(row.sketch, str):
                where = f"{row.sketch}: "
            columns = {**columns, "sketch_sha256": hashlib.sha256(content).hexdigest()}
            sketch = load_sketch(content, self.method.size, darken=sampling.darken_sketch)
        except (OSError, ValueError, MemoryError) as error:
            return RowOutcome(columns, error=f"{where}{error or type(error).__name__}")
        return ReadRow(ClipRequest(sketch, row.prompts, row.seed, sampling), columns)

    def animate_batch(
        self, batch: list[Row], read: dict[int, ReadRow], attempts: Attempts
    ) -> tuple[dict[int, Tensor], dict[int, str]]:
        """Return the good rows' pixels, and why others have none, by row index: of all rows at
        once, or one by one where that goes wrong."""
        good = [row for row in batch if row.index in read]
        groups = [good] if good else []
        if attempts.are_suspect("animating", good):
            groups = [[row] for row in sorted(good, key=attempts.deaths, reverse=True)]
        pixels: dict[int, Tensor] = {}
        errors: dict[int, str] = {}
        while groups:
            group = groups.pop(0)
            try:
                with attempts.running("animating", group, self.batch_timeout):
                    pixels |= self.sample_pixels(batch, group, read)
            except Exception as error:
                # The model may raise anything at all on a row; the others are to be saved.
                if is_out_of_memory(error):
                    # Alone a row has its batch's shape, and needs as much.
                    sampling = read[group[0].index].request.sampling
                    saves_memory = self.config.checkpoint_gradients or not sampling.num_align_steps
                    reason = describe_out_of_memory(error, len(batch), sampling, saves_memory)
                elif len(group) > 1:
                    groups = [[row] for row in group]
                    continue
                else:
                    reason = f"the model raised {type(error).__name__}: {error}"
                errors |= {row.index: reason for row in group}
                self.num_raised, self.last_raised = self.num_raised + len(group), error
        return pixels, errors

    def sample_pixels(
        self, batch: list[Row], group: list[Row], read: dict[int, ReadRow]
    ) -> dict[int, Tensor]:
        """Animate some rows of a batch. The places of the others are taken by copies of one of
        them: the batch keeps its shape, on which results depend in their last digits."""
        filled = [row if row in group else group[0] for row in batch]
        try:
            pixels = self.method.animate([read[row.index].request for row in filled]).cpu()
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
        return self.config.row_timeout and self.config.row_timeout * self.plan.batch_size


def finish_row(row: ReadRow, pixels: Tensor, seconds: float, schema: pa.Schema) -> RowOutcome:
    """Return a row's outcome: a sample, or a failure if the pixels are no clip."""
    columns = {**row.columns, "seconds": seconds}
    try:
        frames = finish_frames(pixels, row.request.sampling)
    except (ValueError, MemoryError) as error:
        return RowOutcome(columns, error=str(error) or type(error).__name__)
    num_frames, height, width, _ = frames.shape
    columns |= {
        "num_frames": num_frames,
        "height": height,
        "width": width,
        "frames_sha256": hashlib.sha256(frames.tobytes()).hexdigest(),
        **asdict(score_pixels(frames, row.request.sketch)),
    }
    clip = Clip(key=columns["key"], prompt=columns["prompt"], frames=frames)
    return RowOutcome(columns, encode_sample(clip, row.request.sketch, columns, schema))


def is_out_of_memory(error: Exception) -> bool:
    is_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return is_cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def describe_out_of_memory(
    error: Exception, batch_size: int, sampling: SamplingConfig, saves_memory: bool
) -> str:
    """Return why a batch failed, and what of the remedies is left.

    Args:
        saves_memory: checkpointing gradients would save nothing more.
    """
    remedies = []
    if not saves_memory:
        remedies.append("with --retry-failed --checkpoint-gradients, which changes no pixel")
    if batch_size > 1:
        remedies.append("into another folder with a smaller --batch-size")
    return (
        f"memory ran out on a batch of {batch_size} clips of {sampling.num_frames} frames "
        f"({str(error).partition('. ')[0]}); run again "
        f"{', or '.join(remedies) or 'on a device with more memory, or with fewer frames'}"
    )


def split_batches(
    rows: list[Row], samplings: dict[int, SamplingConfig], batch_size: int
) -> list[list[Row]]:
    """Split rows into batches whose settings and number of segments allow it, in the order in which
    the manifest first has each kind. Which rows turn out bad does not matter to it."""
    kinds: dict[tuple[SamplingConfig, int], list[Row]] = {}
    for row in rows:
        kind = (batch_settings(samplings[row.index]), len(row.prompts))
        kinds.setdefault(kind, []).append(row)
    return [
        alike[start : start + batch_size]
        for alike in kinds.values()
        for start in range(0, len(alike), batch_size)
    ]

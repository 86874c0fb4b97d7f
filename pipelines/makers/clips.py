"""Make one shard of clips: read the sketches, animate them in batches, encode, commit."""

import hashlib
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.corpus.shard import ROW_DIGEST, ShardFacts
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.request import ClipRequest, batch_settings
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.graphs import use_graphs
from flipsketch.models.kernels import read_kernels
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.video_model import DTYPES
from flipsketch.storage.credentials import hide_credentials
from flipsketch.storage.folder import Folder
from flipsketch.storage.reading import UnavailableError
from flipsketch.storage.sources import Sources, name_source
from flipsketch.storage.text import describe_error, describe_raised, one_line
from pipelines.execution.attempts import Attempts
from pipelines.execution.work import JobError, Report
from pipelines.makers.clip_columns import SETTINGS_SCHEMA, sample_schema
from pipelines.makers.encoding import ReadRow, SampleEncoder
from pipelines.makers.outcome import RowOutcome, commit_outcomes, count_outcomes
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
    sources: Sources
    """Reads the rows' sketches."""
    sampling: SamplingConfig
    """The job's; a row may have settings of its own."""
    device: str
    checkpoint_gradients: bool = False
    graphs: bool = True
    """Replay the UNet's passes as CUDA graphs, where it is on a GPU."""
    row_timeout: float | None = None
    """Seconds for a row of a batch."""
    driver: str | None = None
    """Of `Resources`."""


class AnimationMaker:
    """Holds a method with its model and makes shards of clips with it."""

    def __init__(
        self, config: ClipMakerConfig, *, plan: Plan, folder: Folder, schema: pa.Schema
    ) -> None:
        quiet_libraries()
        self.config, self.plan, self.folder, self.schema = config, plan, folder, schema
        self.sample_schema = sample_schema(schema)
        self.num_made = self.num_raised = 0
        self.last_raised: BaseException | None = None
        animator = METHODS[plan.method].animator_class
        dtype = DTYPES[plan.dtype]
        kernels = read_kernels(plan.kernels)
        self.method = animator(config.model, config.lora, config.device, dtype, kernels)
        if config.graphs and config.device == "cuda" and self.method.unet is not None:
            use_graphs(self.method.unet)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ShardFacts:
        """Animate the rows in batches and commit the shard; other rows are unaffected by a bad one.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
            JobError: the model raised on every row so far: a bug, not a bad row.
        """
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(self.plan.threads)
        if self.folder.is_local:
            # Before a note is put there; in a store the driver holds a lease.
            refuse_lost_folder(self.folder, self.plan.fingerprint)
        with Attempts(self.folder, index, self.config.driver) as attempts:
            outcomes = self.make_outcomes(index, rows, report, attempts)
            facts = commit_outcomes(self.folder, self.plan, index, outcomes, self.schema)
        num_ok, num_failed = count_outcomes(outcomes)
        self.num_made += num_ok
        report(index, num_ok, num_failed)
        if self.num_made == 0 and self.num_raised >= MANY:
            assert self.last_raised is not None
            raise JobError(
                f"the model raised an error on all of the first {self.num_raised} rows, in the end "
                f"{describe_raised(self.last_raised)}; fix the cause and rerun the same command "
                f"with --retry-failed"
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
        with (
            SampleEncoder(self.sample_schema) as encoder,
            checkpoint_gradients(self.method.unet, self.config.checkpoint_gradients)
            if self.method.unet is not None
            else nullcontext(),
        ):
            for batch in batches:
                for row, error in self.animate_batch(batch, read, attempts, encoder).items():
                    outcomes[row] = RowOutcome(read[row].columns, error=error)
                finished = encoder.finished().values()
                report(index, *count_outcomes([*outcomes.values(), *finished]))
        outcomes |= encoder.finished()
        return [outcomes[row.index] for row in rows]

    def read_rows(
        self, rows: list[Row], samplings: dict[int, SamplingConfig], attempts: Attempts
    ) -> tuple[dict[int, ReadRow], dict[int, RowOutcome]]:
        """Return the rows that can be animated, and what became of the others, by row index."""
        columns = {row.index: self.describe(row, samplings[row.index], attempts) for row in rows}
        outcomes = {
            row.index: RowOutcome(columns[row.index], error=row.error or given_up)
            for row in rows
            if (given_up := attempts.given_up.get(row.index)) is not None
        }
        read: dict[int, ReadRow] = {}
        tried = [row for row in rows if row.index not in outcomes]
        alone = attempts.are_suspect("reading", tried)
        for group in [[row] for row in tried] if alone else [tried]:
            with attempts.running("reading", group, self.config.row_timeout):
                for row in group:
                    found = self.read_row(row, samplings[row.index], columns[row.index], attempts)
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
            ROW_DIGEST: row.digest,
            # A repeated id has the key of another row, whose sample it must not be joined with.
            "key": row.key if row.error is None else None,
            "prompt": " ".join(row.prompts),
            "prompts": list(row.prompts),
            "prompt_cut": False,
            # One with credentials in it is refused, and they are not to be published either.
            "sketch": hide_credentials(row.sketch) if isinstance(row.sketch, str) else None,
            "seed": row.seed,
            "attempts": attempts.deaths(row) + (row.index not in attempts.given_up),
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
            **row.extra,
        }

    def read_row(
        self, row: Row, sampling: SamplingConfig, columns: dict[str, Any], attempts: Attempts
    ) -> ReadRow | RowOutcome:
        where = ""
        try:
            prompts = (*row.prompts, sampling.negative_prompt)
            columns = {**columns, "prompt_cut": any(map(self.method.cuts_prompt, prompts))}
            if row.error is not None:
                return RowOutcome(columns, error=row.error)
            content = self.config.sources.read(row.sketch)
            if isinstance(row.sketch, str):
                where = f"{name_source(row.sketch)}: "
            columns = {**columns, "sketch_sha256": hashlib.sha256(content).hexdigest()}
            sketch = load_sketch(content, self.method.size, darken=sampling.darken_sketch)
        except BaseException as error:
            # Decoders and tokenizers raise anything at all: a panic of Rust is no Exception.
            if attempts.is_interrupt(error):
                raise
            unread = isinstance(error, UnavailableError)
            return RowOutcome(columns, error=f"{where}{describe_error(error)}", unread=unread)
        return ReadRow(ClipRequest(sketch, row.prompts, row.seed, sampling), columns)

    def animate_batch(
        self,
        batch: list[Row],
        read: dict[int, ReadRow],
        attempts: Attempts,
        encoder: SampleEncoder,
    ) -> dict[int, str]:
        """Animate rows and have them encoded, all at once, or one by one where that goes wrong;
        return why others could not be animated, by row index."""
        good = [row for row in batch if row.index in read]
        groups = [good] if good else []
        if attempts.are_suspect("animating", good):
            groups = [[row] for row in sorted(good, key=attempts.deaths, reverse=True)]
        errors: dict[int, str] = {}
        while groups:
            group = groups.pop(0)
            started = time.monotonic()
            with attempts.running("animating", group, self.batch_timeout):
                pixels, error = self.sample_pixels(batch, group, read, attempts)
                seconds = (time.monotonic() - started) / len(group)
                for row, clip in pixels.items():
                    encoder.submit(row, read[row], clip, seconds)
                if attempts.follows_death:
                    # It may have been the encoding; what runs beside it is not to be blamed.
                    encoder.wait()
            if error is not None:
                if is_out_of_memory(error):
                    # Alone a row has its batch's shape, and needs as much.
                    sampling = read[group[0].index].request.sampling
                    saves_memory = self.config.checkpoint_gradients or not sampling.num_align_steps
                    reason = describe_out_of_memory(error, len(batch), sampling, saves_memory)
                elif len(group) > 1:
                    groups = [[row] for row in group]
                    continue
                else:
                    reason = f"the model raised {describe_raised(error)}"
                errors |= {row.index: reason for row in group}
                self.num_raised, self.last_raised = self.num_raised + len(group), error
        return errors

    def sample_pixels(
        self, batch: list[Row], group: list[Row], read: dict[int, ReadRow], attempts: Attempts
    ) -> tuple[dict[int, Tensor], BaseException | None]:
        """Return the pixels of some rows of a batch by row index, or what the model raised. The
        places of the others are taken by copies of one of them: the batch keeps its shape, on which
        results depend in their last digits."""
        filled = [row if row in group else group[0] for row in batch]
        try:
            pixels = self.method.animate([read[row.index].request for row in filled]).cpu()
        except BaseException as error:
            # The model may raise anything at all on a row; the others are to be saved.
            if attempts.is_interrupt(error):
                raise
            self.end_if_broken(error)
            return {}, error
        places = {row.index: place for place, row in enumerate(batch)}
        return {row.index: pixels[places[row.index]] for row in group}, None

    def end_if_broken(self, error: BaseException) -> None:
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


def is_out_of_memory(error: BaseException) -> bool:
    is_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return is_cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def describe_out_of_memory(
    error: BaseException, batch_size: int, sampling: SamplingConfig, saves_memory: bool
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
        f"({one_line(str(error)).partition('. ')[0]}); run again "
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

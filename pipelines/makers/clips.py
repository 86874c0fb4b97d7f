"""Make shards of clips: read the sketches, animate them in batches, encode, commit."""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa
import torch

from flipsketch.corpus.passport import LICENSE, ROW_LICENSES
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.corpus.shard import ROW_DIGEST, ShardFacts
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.request import ClipRequest, RawClip
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.graphs import use_graphs
from flipsketch.models.loading import Loading
from flipsketch.models.quiet import quiet_libraries
from flipsketch.storage.credentials import hide_credentials
from flipsketch.storage.folder import Folder
from flipsketch.storage.reading import UnavailableError
from flipsketch.storage.sources import Sources, name_source, names_file
from flipsketch.storage.text import describe_error, describe_raised
from pipelines.execution.attempts import Attempts, has_note
from pipelines.execution.work import JobError, Report
from pipelines.makers.batches import describe_out_of_memory, is_out_of_memory, split_batches
from pipelines.makers.clip_columns import describe_livesketch, sample_schema, settings_schema
from pipelines.makers.clip_settings import read_video
from pipelines.makers.encoding import ReadRow, SampleEncoder
from pipelines.makers.outcome import RowOutcome, commit_outcomes, count_outcomes
from pipelines.makers.row_settings import find_error, row_livesketch, row_sampling

BROKEN_DEVICE = 71  # exit code
SMALLER_VIDEOS = "--vae-tiling, fewer --video-frames or smaller --video-height and --video-width"
# Rows on which the model raises before any comes out well: then it is not the rows.
MANY = 32


@dataclass(frozen=True, kw_only=True)
class ClipMakerConfig:
    """What a maker loads and how it runs; what decides a clip is in the plan too."""

    loading: Loading
    sources: Sources
    """Reads the rows' sketches."""
    sampling: SamplingConfig
    """The job's; a row may have settings of its own."""
    livesketch: LiveSketchConfig = field(default_factory=LiveSketchConfig)
    """The job's, for the method of that name."""
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
        self.sketches = SketchConfig.of(plan.settings)
        self.num_made = self.num_raised = 0
        self.last_raised: BaseException | None = None
        animator = METHODS[plan.method].animator_class
        self.moves_strokes = METHODS[plan.method].moves_strokes
        own: list[Any] = [config.livesketch] if self.moves_strokes else []
        if METHODS[plan.method].makes_videos:
            own = [read_video(plan)]
        self.method = animator(config.loading, *own)
        if config.graphs and config.loading.device == "cuda" and self.method.unet is not None:
            use_graphs(self.method.unet)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ShardFacts:
        """Animate the rows in batches and commit the shard; other rows are unaffected by a bad one.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
            JobError: the model raised on every row so far: a bug, not a bad row.
        """
        shard = self.begin_shard(index, rows, report)
        try:
            shard.read()
            for _ in shard.animate():
                pass
            return shard.commit()
        finally:
            shard.give_up()

    def begin_shard(self, index: int, rows: list[Row], report: Report) -> "ClipShard":
        """Return the shard, to be made in stages, which raise what `make_shard` does."""
        return ClipShard(self, index, rows, report)

    def count_made(self, num_ok: int) -> None:
        """Raise JobError if the model raised on every row so far, those of this shard included."""
        self.num_made += num_ok
        if self.num_made == 0 and self.num_raised >= MANY:
            assert self.last_raised is not None
            raise JobError(
                f"the model raised an error on all of the first {self.num_raised} rows, in the end "
                f"{describe_raised(self.last_raised)}; fix the cause and rerun the same command "
                f"with --retry-failed"
            ) from self.last_raised

    def describe(self, row: Row, sampling: SamplingConfig, attempts: Attempts) -> dict[str, Any]:
        """Return what the metadata says of a row before anything is tried."""
        known = {**self.plan.settings, **asdict(sampling)}
        extra = row.extra
        if ROW_LICENSES in self.plan.settings:
            extra = {**extra, LICENSE: row.license}
        if self.moves_strokes:
            known |= describe_livesketch(row_livesketch(row, self.config.livesketch))
        return {
            **extra,
            **{name: known[name] for name in settings_schema(self.plan.settings).names},
            "id": row.id,
            "manifest_row": row.index,
            ROW_DIGEST: row.digest,
            # A repeated id has the key of another row, whose sample it must not be joined with.
            "key": row.key if row.error is None else None,
            "prompt": " ".join(row.prompts),
            "prompts": list(row.prompts),
            "prompt_cut": False,
            "sketch_notes": None,
            # One with credentials in it is refused, and they are not to be published either.
            "sketch": hide_credentials(row.sketch) if names_file(row.sketch) else None,
            "seed": row.seed,
            "attempts": attempts.deaths(row) + (row.index not in attempts.given_up),
            "align_steps": sampling.num_align_steps,
            "compose_steps": sampling.num_compose_steps,
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
            if names_file(row.sketch):
                where = f"{name_source(row.sketch)}: "
            columns = {**columns, "sketch_sha256": hashlib.sha256(content).hexdigest()}
            own = row_livesketch(row, self.config.livesketch) if self.moves_strokes else None
            read = self.method.read(content, self.sketches, sampling, own)
            columns = {**columns, "sketch_notes": list(read.notes)}
        except BaseException as error:
            # Decoders and tokenizers raise anything at all: a panic of Rust is no Exception.
            if attempts.is_interrupt(error):
                raise
            unread = isinstance(error, UnavailableError)
            return RowOutcome(columns, error=f"{where}{describe_error(error)}", unread=unread)
        request = ClipRequest(read.pixels, row.prompts, row.seed, sampling, read.drawing)
        return ReadRow(request, columns)

    def animate_rows(
        self, batch: list[Row], group: list[Row], read: dict[int, ReadRow], attempts: Attempts
    ) -> tuple[dict[int, RawClip], BaseException | None]:
        """Return the clips of some rows of a batch by row index, or what the model raised. The
        places of the others are taken by copies of one of them: the batch keeps its shape, on which
        results depend in their last digits."""
        filled = [row if row in group else group[0] for row in batch]
        try:
            clips = self.method.animate([read[row.index].request for row in filled])
        except BaseException as error:
            # The model may raise anything at all on a row; the others are to be saved.
            if attempts.is_interrupt(error):
                raise
            self.end_if_broken(error)
            return {}, error
        places = {row.index: place for place, row in enumerate(batch)}
        return {row.index: clips[places[row.index]] for row in group}, None

    def list_savings(self, sampling: SamplingConfig) -> list[str]:
        """Return the flags that would save memory, change no pixel, and are not on."""
        savings = []
        if sampling.num_align_steps > 0 and not self.config.checkpoint_gradients:
            savings.append("--checkpoint-gradients")
        if self.method.device.type == "cuda" and not self.config.loading.offload:
            savings.append("--offload")
        return savings

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


class ClipShard:
    """One shard under way. Its stages may run in three threads, one after the other."""

    def __init__(self, maker: AnimationMaker, index: int, rows: list[Row], report: Report) -> None:
        self.maker, self.index, self.rows, self.report = maker, index, rows, report
        self.is_suspect = has_note(maker.folder, index)
        self.attempts: Attempts | None = None
        self.encoder = SampleEncoder(maker.sample_schema)
        self.samplings: dict[int, SamplingConfig] = {}
        self.readable: dict[int, ReadRow] = {}
        self.outcomes: dict[int, RowOutcome] = {}
        self.is_given_up = False

    @contextmanager
    def stage(self) -> Iterator[Attempts]:
        """Note how the shard ends if a stage fails."""
        assert self.attempts is not None
        try:
            yield self.attempts
        except BaseException as error:
            self.attempts.__exit__(type(error), error, error.__traceback__)
            raise

    def give_up(self) -> None:
        """Make no more of the shard, if it is not committed."""
        self.is_given_up = True
        self.encoder.close()
        if self.attempts is not None:
            self.attempts.give_up(in_order=True)

    def read(self) -> None:
        """Read the rows' sketches, and see which rows cannot be animated."""
        maker = self.maker
        if maker.folder.is_local:
            # Before a note is put there; in a store the driver holds a lease.
            refuse_lost_folder(maker.folder, maker.plan.fingerprint)
        self.attempts = Attempts(maker.folder, self.index, maker.config.driver)
        job, method = maker.config.sampling, maker.plan.method
        size, most = maker.method.size, maker.method.max_frames
        licensed = ROW_LICENSES in maker.plan.settings
        with self.stage() as attempts:
            self.rows = [
                replace(row, error=find_error(row, job, method, size, most, has_licenses=licensed))
                for row in self.rows
            ]
            self.samplings = {row.index: row_sampling(row, job, method) for row in self.rows}
            self.read_rows(attempts)

    def read_rows(self, attempts: Attempts) -> None:
        maker = self.maker
        columns = {
            row.index: maker.describe(row, self.samplings[row.index], attempts) for row in self.rows
        }
        self.outcomes = {
            row.index: RowOutcome(columns[row.index], error=row.error or given_up)
            for row in self.rows
            if (given_up := attempts.given_up.get(row.index)) is not None
        }
        tried = [row for row in self.rows if row.index not in self.outcomes]
        alone = attempts.are_suspect("reading", tried)
        for group in [[row] for row in tried] if alone else [tried]:
            with attempts.running("reading", group, maker.config.row_timeout):
                for row in group:
                    if self.is_given_up:
                        attempts.give_up(in_order=True)
                        return
                    sampling = self.samplings[row.index]
                    found = maker.read_row(row, sampling, columns[row.index], attempts)
                    if isinstance(found, RowOutcome):
                        self.outcomes[row.index] = found
                    else:
                        self.readable[row.index] = found

    def animate(self) -> Iterator[None]:
        """Animate the rows in batches, each of which is encoded beside the next."""
        maker = self.maker
        # Here, since Ray may call from another thread than the one that loaded the model.
        torch.set_num_threads(maker.plan.threads)
        unet = maker.method.unet
        with (
            self.stage() as attempts,
            checkpoint_gradients(unet, maker.config.checkpoint_gradients)
            if unet is not None
            else nullcontext(),
        ):
            # Those that a process died of come first: what is to be learnt is learnt soon.
            batches = sorted(
                split_batches(self.rows, self.samplings, maker.plan.batch_size),
                key=lambda batch: not attempts.are_suspect("animating", batch),
            )
            for batch in batches:
                for row, error in self.animate_batch(batch, attempts).items():
                    self.outcomes[row] = RowOutcome(self.readable[row].columns, error=error)
                finished = self.encoder.finished().values()
                self.report(self.index, *count_outcomes([*self.outcomes.values(), *finished]))
                yield

    def animate_batch(self, batch: list[Row], attempts: Attempts) -> dict[int, str]:
        """Animate rows and have them encoded, all at once, or one by one where that goes wrong;
        return why others could not be animated, by row index."""
        maker, read = self.maker, self.readable
        good = [row for row in batch if row.index in read]
        groups = [good] if good else []
        if attempts.are_suspect("animating", good):
            groups = [[row] for row in sorted(good, key=attempts.deaths, reverse=True)]
        errors: dict[int, str] = {}
        while groups:
            group = groups.pop(0)
            started = time.monotonic()
            with attempts.running("animating", group, maker.batch_timeout):
                clips, error = maker.animate_rows(batch, group, read, attempts)
                seconds = (time.monotonic() - started) / len(group)
                for row, clip in clips.items():
                    self.encoder.submit(row, read[row], clip, seconds)
                if attempts.follows_death:
                    # It may have been the encoding; what runs beside it is not to be blamed.
                    self.encoder.wait()
            if error is not None:
                if is_out_of_memory(error):
                    # Alone a row has its batch's shape, and needs as much.
                    sampling = self.samplings[group[0].index]
                    reason = describe_out_of_memory(
                        error,
                        len(batch),
                        sampling,
                        maker.list_savings(sampling),
                        SMALLER_VIDEOS if METHODS[maker.plan.method].makes_videos else "",
                    )
                elif len(group) > 1:
                    groups = [[row] for row in group]
                    continue
                else:
                    reason = f"the model raised {describe_raised(error)}"
                errors |= {row.index: reason for row in group}
                maker.num_raised, maker.last_raised = maker.num_raised + len(group), error
        return errors

    def commit(self) -> ShardFacts:
        """Wait for the encoder, commit the shard and return its facts."""
        maker = self.maker
        with self.stage() as attempts:
            self.encoder.wait()
            if self.is_given_up:
                raise CancelledError(f"shard {self.index:05d} was given up")
            self.encoder.close()
            self.outcomes |= self.encoder.finished()
            outcomes = [self.outcomes[row.index] for row in self.rows]
            facts = commit_outcomes(maker.folder, maker.plan, self.index, outcomes, maker.schema)
            attempts.close()
        num_ok, num_failed = count_outcomes(outcomes)
        self.report(self.index, num_ok, num_failed)
        maker.count_made(num_ok)
        device = maker.method.device
        if device.type == "cuda":
            facts = replace(facts, peak_bytes=torch.cuda.max_memory_reserved(device))
        return facts

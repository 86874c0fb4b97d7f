"""Make one shard of training clips: read the SVG frames, draw them, encode, commit."""

import hashlib
import time
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from flipsketch.animations.reader import (
    AnimationReader,
    RasterConfig,
    hash_frames,
    rasterize_animation,
)
from flipsketch.corpus.passport import LICENSE, ROW_LICENSES
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import NO_PROMPT, Row
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import (
    NAMING_COLUMNS,
    OUTCOME_COLUMNS,
    ROW_DIGEST,
    ShardFacts,
)
from flipsketch.media.clip import Clip
from flipsketch.storage.folder import Folder
from flipsketch.storage.reading import UnavailableError, read_in_time
from flipsketch.storage.sources import Sources
from flipsketch.storage.text import describe_error
from pipelines.execution.attempts import Attempts, watchdog
from pipelines.execution.work import Report
from pipelines.makers.outcome import RowOutcome, commit_outcomes, count_outcomes

REPORT_EVERY = 16

ROW_SCHEMA = pa.schema(
    [
        *NAMING_COLUMNS,
        ("animation", pa.string()),
        ("animation_sha256", pa.string()),
        *OUTCOME_COLUMNS,
        ("frame_stride", pa.int32()),
        ("line_width", pa.float64()),
        ("invert", pa.bool_()),
        ("step", pa.int32()),
    ]
)
SETTINGS = ["frame_stride", "line_width", "invert", "step"]
IN_SAMPLE = ["id", "key", "prompt", "animation", "animation_sha256", "num_frames", "height"]
IN_SAMPLE += ["width", "frames_sha256", *SETTINGS]
SAMPLE_SCHEMA = pa.schema([ROW_SCHEMA.field(name) for name in IN_SAMPLE])
# Beside these, where the plan says that rows have it.
LICENSE_FIELD = pa.field(LICENSE, pa.string())


class RasterMaker:
    """Draws animations into shards."""

    def __init__(
        self,
        *,
        sources: Sources,
        raster: RasterConfig,
        plan: Plan,
        folder: Folder,
        row_timeout: float,
        driver: str | None = None,
    ) -> None:
        """
        Args:
            sources: of the animations' folder or archive.
            driver: of `Resources`.
        """
        self.raster, self.plan, self.folder, self.row_timeout = raster, plan, folder, row_timeout
        self.driver, self.sources = driver, sources
        own = [LICENSE_FIELD] if ROW_LICENSES in plan.settings else []
        self.schema = pa.schema([*ROW_SCHEMA, *own])
        self.sample_schema = pa.schema([*SAMPLE_SCHEMA, *own])
        self.reader = AnimationReader(sources.manifest, raster, sources.local_folders)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ShardFacts:
        """Draw the rows' animations and commit the shard; other rows are unaffected by a bad one.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
        """
        if self.folder.is_local:
            # Before a note is put there; in a store the driver holds a lease.
            refuse_lost_folder(self.folder, self.plan.fingerprint)
        with Attempts(self.folder, index, self.driver) as attempts:
            outcomes = self.make_outcomes(index, rows, report, attempts)
            facts = commit_outcomes(self.folder, self.plan, index, outcomes, self.schema)
        report(index, *count_outcomes(outcomes))
        return facts

    def make_outcomes(
        self, index: int, rows: list[Row], report: Report, attempts: Attempts
    ) -> list[RowOutcome]:
        """Return what became of the rows, in their order."""
        columns = {row.index: self.describe(row, attempts) for row in rows}
        outcomes = {
            row.index: RowOutcome(columns[row.index], error=error)
            for row in rows
            if (error := known_error(row, attempts)) is not None
        }
        good = [row for row in rows if row.index not in outcomes]
        alone = attempts.are_suspect("rasterizing", good)
        for group in [[row] for row in good] if alone else [good]:
            # One note for all of them: to note each would take as long as to draw it.
            with attempts.running("rasterizing", group, None):
                for row in group:
                    with watchdog(self.row_timeout, attempts.time_out):
                        outcomes[row.index] = self.make_row(row, columns[row.index], attempts)
                    if len(outcomes) % REPORT_EVERY == 0:
                        report(index, *count_outcomes(outcomes.values()))
        return [outcomes[row.index] for row in rows]

    def describe(self, row: Row, attempts: Attempts) -> dict[str, Any]:
        """Return what the metadata says of a row before anything is tried."""
        settings = asdict(self.raster)
        return {
            **{name: settings[name] for name in SETTINGS},
            "id": row.id,
            "manifest_row": row.index,
            ROW_DIGEST: row.digest,
            "key": row.key,
            "prompt": " ".join(row.prompts),
            "animation": row.sketch,
            LICENSE: row.extra.get(LICENSE),
            "attempts": attempts.deaths(row) + (row.index not in attempts.given_up),
        }

    def read(self, location: str) -> list[tuple[str, bytes]]:
        """Return an animation's frames, read in limited time."""
        try:
            return read_in_time(
                lambda: self.reader.read(location),
                location,
                store=self.sources.manifest,
                limit_s=self.sources.timeout_s,
            )
        except UnavailableError:
            self.reader.reopen()
            raise

    def make_row(self, row: Row, columns: dict[str, Any], attempts: Attempts) -> RowOutcome:
        """Draw a row's animation; what is wrong with it becomes the outcome's error."""
        started = time.monotonic()
        made = columns
        try:
            svgs = self.read(columns["animation"])
            made = {**columns, "animation_sha256": hash_frames(svgs)}
            frames = rasterize_animation(svgs, self.raster)
            if not row.prompts:
                raise ValueError(
                    "has no prompt: no line of --captions names it, and there is no prompt.txt "
                    "with text beside its frames; add one"
                )
            num_frames, height, width, _ = frames.shape
            drawn = {
                **made,
                "num_frames": num_frames,
                "height": height,
                "width": width,
                "frames_sha256": hashlib.sha256(frames.data).hexdigest(),
            }
            clip = Clip(key=row.key, prompt=made["prompt"], frames=frames)
            # An animation has no sketch beside it: what stands for it is the first frame.
            sample = encode_sample(clip, frames[0], drawn, self.sample_schema)
        # Readers of archives and of SVG raise anything at all.
        except BaseException as error:
            if attempts.is_interrupt(error):
                raise
            return RowOutcome(
                made,
                error=f"{columns['animation']}: {describe_error(error)}",
                unread=isinstance(error, UnavailableError),
            )
        return RowOutcome({**drawn, "seconds": time.monotonic() - started}, sample)


def known_error(row: Row, attempts: Attempts) -> str | None:
    """Return why a row fails before it is tried, if it does."""
    given_up = attempts.given_up.get(row.index)
    # What is wrong with the animation itself is of more use, and comes first.
    return given_up if row.error == NO_PROMPT else row.error or given_up

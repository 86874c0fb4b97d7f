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
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import NO_PROMPT, Row
from flipsketch.corpus.sample import Sample, encode_sample
from flipsketch.corpus.shard import NAMING_COLUMNS, OUTCOME_COLUMNS, ShardFacts, write_shard
from flipsketch.media.clip import Clip
from flipsketch.storage.folder import Folder
from pipelines.execution.attempts import Attempts, watchdog
from pipelines.execution.work import Report

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


class RasterMaker:
    """Draws animations into shards."""

    def __init__(
        self, *, root: str, raster: RasterConfig, plan: Plan, folder: Folder, row_timeout: float
    ) -> None:
        self.raster, self.plan, self.folder, self.row_timeout = raster, plan, folder, row_timeout
        self.reader = AnimationReader(root, raster)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ShardFacts:
        """Draw the rows' animations and commit the shard; other rows are unaffected by a bad one.

        Raises:
            OSError: the shard cannot be written.
            ChildProcessError: processes die in this shard, and no row is to blame.
        """
        with Attempts(self.folder, index) as attempts:
            records = {row.index: self.describe(row, attempts) for row in rows}
            samples = self.make_samples(index, rows, records, report, attempts)
            rows_made = list(records.values())
            facts = write_shard(self.folder, self.plan, index, rows_made, samples, ROW_SCHEMA)
        report(index, len(samples), len(rows) - len(samples))
        return facts

    def make_samples(
        self,
        index: int,
        rows: list[Row],
        records: dict[int, dict[str, Any]],
        report: Report,
        attempts: Attempts,
    ) -> list[Sample]:
        """Return the samples of the rows that come out well and complete all records."""
        good = [row for row in rows if records[row.index]["error"] is None]
        num_failed = len(rows) - len(good)
        samples: list[Sample] = []
        alone = attempts.are_suspect("rasterizing", good)
        for group in [[row] for row in good] if alone else [good]:
            # One note for all of them: to note each would take as long as to draw it.
            with attempts.running("rasterizing", group, None):
                for row in group:
                    with watchdog(self.row_timeout, attempts.time_out):
                        sample = self.make_sample(row, records[row.index])
                    if sample is None:
                        num_failed += 1
                    else:
                        samples.append(sample)
                    if (len(samples) + num_failed) % REPORT_EVERY == 0:
                        report(index, len(samples), num_failed)
        return samples

    def describe(self, row: Row, attempts: Attempts) -> dict[str, Any]:
        """Return the row's record, as of a failure until `make_sample` says otherwise."""
        given_up = attempts.given_up.get(row.index)
        settings = asdict(self.raster)
        return {
            **{name: settings[name] for name in SETTINGS},
            "id": row.id,
            "manifest_row": row.index,
            "key": row.key,
            "prompt": " ".join(row.prompts),
            "animation": row.sketch,
            "status": "failed",
            # What is wrong with the animation itself is of more use, and comes first.
            "error": given_up if row.error == NO_PROMPT else row.error or given_up,
            "attempts": attempts.deaths(row) + (given_up is None),
        }

    def make_sample(self, row: Row, record: dict[str, Any]) -> Sample | None:
        """Return the row's sample and complete its record; None if it is a failure."""
        started = time.monotonic()
        try:
            svgs = self.reader.read(record["animation"])
            record["animation_sha256"] = hash_frames(svgs)
            frames = rasterize_animation(svgs, self.raster)
            if not row.prompts:
                raise ValueError(
                    "has no prompt: no line of --captions names it, and there is no prompt.txt "
                    "with text beside its frames; add one"
                )
        except (OSError, ValueError, MemoryError) as error:
            record["error"] = f"{record['animation']}: {error or type(error).__name__}"
            return None
        num_frames, height, width, _ = frames.shape
        record |= {
            "status": "ok",
            "num_frames": num_frames,
            "height": height,
            "width": width,
            "frames_sha256": hashlib.sha256(frames.data).hexdigest(),
        }
        clip = Clip(key=row.key, prompt=record["prompt"], frames=frames)
        # An animation has no sketch beside it: what stands for it is the first frame.
        sample = encode_sample(clip, frames[0], record, SAMPLE_SCHEMA)
        record["seconds"] = time.monotonic() - started
        return sample

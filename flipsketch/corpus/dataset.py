"""Read shards back for training: clips in a seeded order that any number of readers share.

A position counts samples over all epochs and all readers, and determines the sample: which clip,
which window of it, and whether its prompt is dropped. So readers need to agree on nothing but who
takes which positions, and training resumes at any of them.
"""

import functools
import hashlib
import logging
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flipsketch.corpus.plan import read_plan
from flipsketch.corpus.sample import unpack_sample
from flipsketch.corpus.shard import ShardFacts, read_metadata, read_shards, tar_name
from flipsketch.media.clip import decode_filmstrip
from flipsketch.rng import Stream, random_state
from flipsketch.storage.folder import open_folder
from flipsketch.storage.threads import in_threads

log = logging.getLogger(__name__)

COLUMNS = ["key", "status", "prompt", "num_frames", "height", "width", "tar_offset", "tar_length"]
OPEN_TARS = 64
# Batches that are read at once from a store, each sample by a request: what waits there is the way.
AHEAD_IN_STORE = 16
CLIPS_DECODED = 64


REMEDY = (
    "`jobs/status.py --verify` tells what else is; delete the tar, and the command that made it "
    "makes it again"
)


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    num_frames: int = 16
    """Frames in a window; shorter clips are left out."""
    prompt_dropout: float = 0.1
    """Share of the samples whose prompt is replaced by the empty one, which classifier-free
    guidance needs."""
    seed: int = 0
    """Seed of the order, the windows and the prompt dropout."""

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise ValueError(f"num_frames must be at least 1, got {self.num_frames}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if not 0 <= self.prompt_dropout <= 1:
            raise ValueError(
                f"prompt_dropout is a share from 0 to 1, got {self.prompt_dropout}; 0.1 is usual"
            )


class Draw(NamedTuple):
    """What a position determines."""

    row: dict[str, Any]
    """Row of the metadata, with its shard."""
    window: slice
    is_dropped: bool
    """The prompt is."""

    def to_sample(self) -> dict[str, Any]:
        prompt = "" if self.is_dropped else self.row["prompt"]
        return {"key": self.row["key"], "prompt": prompt, "first_frame": self.window.start}


class TrainingClips:
    """Samples by position; `torch.utils.data.DataLoader` takes it with `positions` as sampler."""

    def __init__(self, location: str, config: ReaderConfig) -> None:
        """Raises ValueError: the folder has no run, or no clip that is long enough."""
        self.config, self.folder = config, open_folder(location)
        plan = read_plan(self.folder)
        if plan is None:
            raise ValueError(
                f"{self.folder}: no run.json, so not a corpus's folder; `make shards` makes one"
            )
        self.plan = plan
        self.shards, doubts = read_shards(self.folder, plan)
        for doubt in doubts:
            log.warning("%s; left out", doubt)
        if len(self.shards) < plan.num_shards:
            log.warning(
                "%s: %d of %d shards are there; those are read",
                self.folder,
                len(self.shards),
                plan.num_shards,
            )
        tables = in_threads(self.read_rows, [self.shards[index] for index in sorted(self.shards)])
        rows = pa.concat_tables(tables) if tables else None
        num_ok = len(rows) if rows else 0
        if rows is not None:
            rows = rows.filter(pc.field("num_frames") >= config.num_frames)
        if not rows:
            raise ValueError(
                f"{self.folder}: none of its {num_ok:,} clips has {config.num_frames} frames; "
                f"lower num_frames, or make clips with more"
            )
        if left_out := num_ok - len(rows):
            log.warning("%d clips have fewer than %d frames; left out", left_out, config.num_frames)
        self.read_ahead = 1 if self.folder.is_local else AHEAD_IN_STORE
        """Batches that the trainer reads ahead."""
        # In one piece, so that a row is found at once.
        self.rows = rows.combine_chunks()
        self.shard_of_row = self.rows["shard"].to_numpy()
        self.permutation = functools.lru_cache(2)(self.permute)
        self.open_tar = functools.lru_cache(OPEN_TARS)(self.open_tar_in)

    def read_rows(self, facts: ShardFacts) -> pa.Table:
        rows = read_metadata(self.folder, facts.index, COLUMNS)
        rows = rows.filter(pc.field("status") == "ok").drop_columns("status")
        return rows.append_column("shard", pa.array([facts.index] * len(rows), pa.int64()))

    def __len__(self) -> int:
        """Clips in an epoch."""
        return len(self.rows)

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return key, prompt, first frame's number, and frames uint8 (num_frames, H, W, 3)."""
        draw = self.draw(position)
        frames = self.read_frames(draw.row)[draw.window]
        # A copy, since torch cannot have what Pillow lends.
        return {**draw.to_sample(), "frames": frames.copy()}

    def draw(self, position: int) -> "Draw":
        epoch, place = divmod(position, len(self))
        row = self.rows.slice(self.permutation(epoch)[place], 1).to_pylist()[0]
        random = random_state(self.config.seed, Stream.CLIP_WINDOW, position)
        first = int(random.randint(row["num_frames"] - self.config.num_frames + 1))
        is_dropped = random.random_sample() < self.config.prompt_dropout
        return Draw(row, slice(first, first + self.config.num_frames), bool(is_dropped))

    def read_frames(self, row: dict[str, Any]) -> np.ndarray:
        """Return all frames of a clip, uint8 (F, H, W, 3).

        Raises:
            ValueError: its bytes are not those that were written.
        """
        # A file that another process opened must not be read from by two.
        tar = self.open_tar(row["shard"], os.getpid())
        return self.decode(row, tar.read_at(row["tar_length"], row["tar_offset"]))

    def decode(self, row: dict[str, Any], content: bytes) -> np.ndarray:
        try:
            return decode_filmstrip(unpack_sample(row["key"], content).png, row["num_frames"])
        # All that tarfile and Pillow raise when bytes are not what was written.
        except (tarfile.TarError, zlib.error, OSError, ValueError, SyntaxError, TypeError) as error:
            raise ValueError(
                f"{self.tar_of(row['shard'])}: clip {row['key']} is damaged ({error}); {REMEDY}"
            ) from error

    def read_shard(self, shard: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield the rows of a shard that are long enough with all their frames, from its whole tar.

        Raises:
            ValueError: its bytes are not those that were written.
        """
        tar = self.folder.read(tar_name(shard, self.plan.tars))
        if tar is None:
            raise ValueError(f"{self.tar_of(shard)}: is missing; {REMEDY}")
        if hashlib.sha256(tar).hexdigest() != self.shards[shard].tar_sha256:
            raise ValueError(f"{self.tar_of(shard)}: is damaged (it has another hash); {REMEDY}")

        def decode(row: dict[str, Any]) -> np.ndarray:
            start = row["tar_offset"]
            return self.decode(row, tar[start : start + row["tar_length"]])

        rows = self.rows_in(shard).to_pylist()
        # Not all at once: decoded, a shard may not fit in memory.
        for at in range(0, len(rows), CLIPS_DECODED):
            some = rows[at : at + CLIPS_DECODED]
            yield from zip(some, in_threads(decode, some), strict=True)

    def rows_in(self, shard: int) -> pa.Table:
        first, end = np.searchsorted(self.shard_of_row, [shard, shard + 1])
        return self.rows.slice(first, end - first)

    def tar_of(self, shard: int) -> str:
        return f"{self.folder}/{tar_name(shard, self.plan.tars)}"

    def positions(self, rank: int = 0, num_ranks: int = 1, start: int = 0) -> Iterator[int]:
        """Yield one reader's positions without end, from a position that all have reached."""
        position = start + rank
        while True:
            yield position
            position += num_ranks

    def permute(self, epoch: int) -> np.ndarray:
        return random_state(self.config.seed, Stream.CLIP_ORDER, epoch).permutation(len(self))

    def open_tar_in(self, shard: int, process: int) -> Any:
        return self.folder.open(tar_name(shard, self.plan.tars))


def check_size(clips: TrainingClips, size: int) -> None:
    """Raise ValueError unless all clips have the model's size."""
    sizes = clips.rows.group_by(["height", "width"]).aggregate([]).to_pylist()
    found = sorted({(row["height"], row["width"]) for row in sizes} - {(size, size)})
    if found:
        height, width = found[0]
        raise ValueError(
            f"{clips.folder}: has clips of {height} x {width} pixels, but the model is trained on "
            f"{size} x {size}; make shards with --size {size}"
        )

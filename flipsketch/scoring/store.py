"""The scores of a corpus, a Parquet file beside each shard's metadata, joined with it by key."""

import hashlib
import io
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from flipsketch.models.registry import fingerprint_folder
from flipsketch.scoring.clip_model import ClipScorer, XClipScorer, find_scorer, summarize
from flipsketch.scoring.flow import FlowScores, score_flow
from flipsketch.scoring.pixel import PixelScores, score_pixels
from flipsketch.storage.folder import Folder

FORMAT_VERSION = 1
TYPES: dict[Any, pa.DataType] = {float: pa.float64(), float | None: pa.float64(), bool: pa.bool_()}


def columns_of(scores: type) -> list[tuple[str, pa.DataType]]:
    return [(field.name, TYPES[field.type]) for field in fields(scores)]


PIXEL_COLUMNS = columns_of(PixelScores)
# What a person compares corpora by, in tables.
CLIP_COLUMNS = ["s2v_consistency", "t2v_alignment", "xclip_alignment"]
SCORES_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("key", pa.string()),
        ("error", pa.string()),
        *PIXEL_COLUMNS,
        *columns_of(FlowScores),
        *((name, pa.float64()) for name in CLIP_COLUMNS),
        # Of each frame.
        ("frame_consistency", pa.list_(pa.float32())),
        ("clip_model", pa.string()),
        ("clip_fingerprint", pa.string()),
        ("xclip_model", pa.string()),
        ("xclip_fingerprint", pa.string()),
        # To find near-duplicates by: of unit length.
        ("features", pa.list_(pa.float16())),
    ]
)


@dataclass(frozen=True)
class Scorers:
    clip: ClipScorer
    xclip: XClipScorer | None

    @property
    def names(self) -> dict[str, str]:
        """Which checkpoints the scores are by."""
        names = {"clip_model": self.clip.location, "clip_fingerprint": self.clip.fingerprint}
        if self.xclip is not None:
            names |= {
                "xclip_model": self.xclip.location,
                "xclip_fingerprint": self.xclip.fingerprint,
            }
        return names


def fingerprint_scorers(clip_model: str, xclip_model: str | None) -> str:
    """Return a hash of what determines the scores: how they are taken, and the checkpoints."""
    checkpoints = [
        location and fingerprint_folder(find_scorer(location), ("",))
        for location in (clip_model, xclip_model)
    ]
    return hashlib.sha256(json.dumps([FORMAT_VERSION, *checkpoints]).encode()).hexdigest()


@torch.no_grad()
def score_clip(
    frames: np.ndarray, sketch: np.ndarray, prompts: list[str], scorers: Scorers
) -> dict[str, Any]:
    """Score frames uint8 (F, H, W, 3) of a sketch (H, W, 3), a prompt for each segment."""
    features: Tensor = scorers.clip.embed_frames(np.concatenate([sketch[None], frames]))
    consistency = features[1:] @ features[0]
    return {
        **asdict(score_pixels(frames, sketch)),
        **asdict(score_flow(frames)),
        "s2v_consistency": float(consistency.mean()),
        "frame_consistency": consistency.tolist(),
        "t2v_alignment": scorers.clip.align(features[1:], prompts),
        "xclip_alignment": scorers.xclip and scorers.xclip.align(frames, prompts),
        "features": summarize(features[1:]),
        **scorers.names,
    }


def scores_name(index: int) -> str:
    return f"scores/{index:05d}.parquet"


def scored_shards(folder: Folder) -> list[int]:
    """Return the indices of the shards that have scores, from one listing."""
    names = folder.list("scores")
    return sorted(int(name[:-8]) for name in names if re.fullmatch(r"\d{5,}\.parquet", name))


def write_scores(
    folder: Folder, index: int, rows: list[dict[str, Any]], fingerprint: str, tar_sha256: str
) -> None:
    """Put a shard's scores in place, whole."""
    metadata = {
        "scorers": fingerprint,
        "tar_sha256": tar_sha256,
        "failed": str(sum(row.get("error") is not None for row in rows)),
    }
    table = pa.Table.from_pylist(rows, schema=SCORES_SCHEMA.with_metadata(metadata))
    parquet = io.BytesIO()
    pq.write_table(table, parquet, compression="zstd")
    folder.publish(scores_name(index), parquet.getvalue())


@dataclass(frozen=True)
class ScoreFacts:
    """What the footer of a file of scores says."""

    index: int
    scorers: str
    """Fingerprint of the checkpoints."""
    tar_sha256: str
    """Of the shard that was scored."""
    num_rows: int
    failed: int


def read_score_facts(folder: Folder, index: int) -> ScoreFacts:
    with folder.filesystem.open_input_file(folder.join(scores_name(index))) as file:
        footer = pq.read_metadata(file)
    found = {name.decode(): value.decode() for name, value in footer.metadata.items()}
    return ScoreFacts(
        index=index,
        scorers=found["scorers"],
        tar_sha256=found["tar_sha256"],
        num_rows=footer.num_rows,
        failed=int(found["failed"]),
    )


def read_scores(folder: Folder, index: int, columns: list[str] | None = None) -> pa.Table:
    with folder.filesystem.open_input_file(folder.join(scores_name(index))) as file:
        return pq.read_table(file, columns=columns)

"""Read a corpus back: its good clips, one after another, whole."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flipsketch.corpus.plan import Plan, read_plan
from flipsketch.corpus.sample import Sample, unpack_whole_sample
from flipsketch.corpus.shard import read_metadata, read_shards, tar_name
from flipsketch.media.clip import decode_filmstrip
from flipsketch.storage.folder import Folder, open_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CorpusClip:
    sketch: np.ndarray | None
    """As the method saw it, uint8 (H, W, 3); None in corpora of format 3 and earlier."""
    prompt: str
    frames: np.ndarray
    """uint8 (F, H, W, 3)."""
    svg: bytes | None
    """The frames as one SVG that plays, of a method that moves strokes; else None."""
    row: dict[str, Any]
    """Its row of the metadata."""


def read_corpus(location: str | Path) -> Iterator[CorpusClip]:
    """Return an iterator over the good clips of a corpus, or of training shards: shard by shard, in
    each in the manifest's order.

    Only one clip is in memory at a time. Files of the folder that are no shards of its plan are
    left out, with a warning.

    Args:
        location: folder of the run, a path or a URI.

    Raises:
        ValueError: there is no corpus in the folder.
    """
    folder = open_folder(str(location))
    plan = read_plan(folder)
    if plan is None:
        raise ValueError(
            f"{folder}: has no run.json, so it is not a corpus; give the folder that a job wrote, "
            f"not one inside it"
        )
    # Apart from the generator, so that a wrong folder is an error here and not at the first clip.
    return iterate_clips(folder, plan)


def iterate_clips(folder: Folder, plan: Plan) -> Iterator[CorpusClip]:
    shards, doubts = read_shards(folder, plan)
    for doubt in doubts:
        log.warning("%s: %s", folder, doubt)
    for index, facts in sorted(shards.items()):
        if not facts.ok:
            continue
        rows = read_metadata(folder, index).to_pylist()
        name = tar_name(index, plan.tars)
        with folder.open(name) as tar:
            for row in rows:
                if row["status"] == "ok":
                    content = tar.read_at(row["tar_length"], row["tar_offset"])
                    svg_sha256 = row.get("svg_sha256")
                    tar_path = f"{folder}/{name}"
                    sample = unpack_whole_sample(row["key"], content, tar_path, svg_sha256)
                    yield decode_clip(row, sample)


def decode_clip(row: dict[str, Any], sample: Sample) -> CorpusClip:
    return CorpusClip(
        sketch=None if sample.sketch is None else decode_filmstrip(sample.sketch, 1)[0],
        prompt=sample.txt.decode(),
        frames=decode_filmstrip(sample.png, row["num_frames"]),
        svg=sample.svg,
        row=row,
    )

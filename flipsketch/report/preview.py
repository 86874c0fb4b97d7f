"""A picture of a corpus: for each chosen clip its sketch, its frames and its prompt."""

import logging
import random
from collections.abc import Collection
from typing import Any

import numpy as np
from PIL import Image

from flipsketch.corpus.manifest import parse_rows
from flipsketch.corpus.plan import Plan, manifest_of, read_plan
from flipsketch.corpus.shard import read_metadata, read_sample, read_shards
from flipsketch.media.clip import decode_filmstrip, encode_gif
from flipsketch.media.contact_sheet import CELL, draw_strip, stack
from flipsketch.media.sketch import check_sketch, load_sketch
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.location import locate_below
from flipsketch.storage.output_file import write_file
from flipsketch.storage.sources import Sources

log = logging.getLogger(__name__)

GIF_SIZE = 256  # at least


def draw_preview(
    corpus: str,
    *,
    num_clips: int = 12,
    seed: int = 0,
    ids: Collection[str] = (),
    sources: Sources | None = None,
    gifs: str | None = None,
) -> Image.Image:
    """Return a picture of some clips; write a GIF of each of them if asked for.

    Args:
        num_clips: clips to show, chosen at random with `seed`.
        ids: rows to show instead.
        sources: reads the sketches; of the manifest that the corpus notes, unless it has one.
        gifs: folder of the GIFs.

    Raises:
        ValueError: the folder has no such clips.
    """
    folder = open_folder(corpus)
    plan = read_plan(folder)
    if plan is None:
        raise ValueError(f"{folder}: no run.json, so not the folder of a corpus")
    chosen = choose_clips(folder, plan, ids, num_clips, seed)
    # Training shards are drawn from animations, which are no sketches.
    sources, sketches = sources or Sources(), dict[str, str | bytes]()
    if plan.kind.makes_clips:
        sources = sources.of_manifest(manifest_of(folder, plan))
        sketches = find_sketches(sources.manifest, {row["id"] for _, row in chosen})
    strips = []
    for shard, row in chosen:
        sample = read_sample(folder, shard, row, plan.tars)
        frames = decode_filmstrip(sample.png, row["num_frames"])
        size = max(CELL, row["height"])
        sketch = read_sketch(sketches.get(row["id"]), sources, size, row.get("sketch_sha256"))
        strips.append(draw_strip(sketch, frames, row.get("prompts") or [row["prompt"]]))
        if gifs is not None:
            gif = locate_below(gifs, f"{row['key']}.gif")
            write_file(gif, encode_gif(enlarge(frames)))
            log.info("%s: %s", gif, row["id"])
    return stack(strips)


def choose_clips(
    folder: Folder, plan: Plan, ids: Collection[str], num_clips: int, seed: int
) -> list[tuple[int, dict[str, Any]]]:
    """Return (shard, row) of the clips to show, in the corpus's order."""
    columns = ["id", "key", "status", "num_frames", "height", "tar_offset", "tar_length"]
    columns += ["prompts", "sketch_sha256"] if plan.kind.makes_clips else ["prompt"]
    clips = [
        (shard, row)
        for shard in sorted(read_shards(folder, plan)[0])
        for row in read_metadata(folder, shard, columns).to_pylist()
        if row["status"] == "ok" and (not ids or row["id"] in ids)
    ]
    missing = set(ids) - {row["id"] for _, row in clips}
    if missing or not clips:
        wanted = f"of id {min(missing)!r}" if missing else "yet"
        raise ValueError(
            f"{folder}: has no clip {wanted}; see the status and error of its metadata"
        )
    if ids or len(clips) <= num_clips:
        return clips
    picks = random.Random(seed).sample(range(len(clips)), num_clips)
    return [clips[pick] for pick in sorted(picks)]


def find_sketches(manifest: str, ids: set[str]) -> dict[str, str | bytes]:
    """Return the sketches of some rows; those of a missing manifest are left out."""
    found: dict[str, str | bytes] = {}
    try:
        for row in parse_rows(manifest):
            if row.id in ids:
                found.setdefault(row.id, row.sketch)
    except (OSError, ValueError) as error:
        log.warning("no sketches shown: %s; pass --manifest if it has moved", error)
    return found


def read_sketch(
    source: str | bytes | None, sources: Sources, size: int, sha256: str | None
) -> np.ndarray | None:
    """Return a sketch as it was when its clip was made, None if it is missing or has changed."""
    if source is None:
        return None
    try:
        content = sources.read(source)
        check_sketch(content, sha256)
        return load_sketch(content, size)
    except (OSError, ValueError) as error:
        log.warning("sketch not shown: %s", error)
        return None


def enlarge(frames: np.ndarray) -> np.ndarray:
    """Return small frames (F, H, W, 3) so large that a person sees what is on them."""
    times = max(1, -(-GIF_SIZE // frames.shape[1]))
    return frames.repeat(times, axis=1).repeat(times, axis=2)

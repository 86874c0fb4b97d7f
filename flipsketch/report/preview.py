"""A picture of a corpus: for each chosen clip its sketch, its frames and its prompt."""

import logging
import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from flipsketch.corpus.manifest import parse_rows
from flipsketch.corpus.plan import manifest_of
from flipsketch.corpus.shard import metadata_name, read_sample, read_shards
from flipsketch.media.clip import decode_filmstrip, encode_gif
from flipsketch.media.config import SketchConfig
from flipsketch.media.contact_sheet import CELL, draw_strip, stack
from flipsketch.media.sketch import check_sketch, load_sketch
from flipsketch.report.side_by_side import Corpus, check_pair, open_corpora
from flipsketch.storage.location import locate_below
from flipsketch.storage.output_file import write_file
from flipsketch.storage.parquet import read_known_columns
from flipsketch.storage.sources import Sources
from flipsketch.storage.text import MAX_CONTENT, one_line, quote_briefly

log = logging.getLogger(__name__)

GIF_SIZE = 256  # at least


def draw_preview(
    *corpora: str,
    num_clips: int = 12,
    seed: int = 0,
    ids: Collection[str] = (),
    sources: Sources | None = None,
    gifs: str | None = None,
) -> Image.Image:
    """Return a picture of some clips; write a GIF of each of them if asked for.

    Args:
        corpora: of one manifest, whose clips of a row are shown together, under their names.
        num_clips: clips to show, chosen at random with `seed`.
        ids: rows to show instead.
        sources: reads the sketches; of the manifest that the corpus notes, unless it has one.
        gifs: folder of the GIFs.

    Raises:
        ValueError: a folder has no such clips.
    """
    opened = open_corpora(*corpora)
    first = opened[0]
    chosen = choose_clips(opened, ids, num_clips, seed)
    # Training shards are drawn from animations, which are no sketches.
    sources, sketches = sources or Sources(), dict[str, str | bytes]()
    if first.plan.kind.makes_clips:
        sources = sources.of_manifest(manifest_of(first.folder, first.plan))
        sketches = find_sketches(sources.manifest, {clips[0].row["id"] for clips in chosen})
    strips = []
    for clips in chosen:
        row = clips[0].row
        size = max(CELL, row["height"])
        sketch = read_sketch(sketches.get(row["id"]), sources, size, row)
        prompts = row.get("prompts") or [row["prompt"]]
        films = [read_frames(corpus, clip) for corpus, clip in zip(opened, clips, strict=True)]
        for corpus, frames in zip(opened, films, strict=True):
            named = [f"{corpus.label}: {prompts[0]}", *prompts[1:]] if len(opened) > 1 else prompts
            strips.append(draw_strip(sketch, frames, named))
            # Once for all of its clips.
            sketch = None
        if gifs is not None:
            gif = locate_below(gifs, f"{row['key']}.gif")
            write_file(gif, encode_gif(join_films(films)))
            log.info("%s: %s", gif, one_line(row["id"], MAX_CONTENT))
    return stack(strips)


@dataclass(frozen=True)
class ShownClip:
    shard: int
    row: dict[str, Any]


def choose_clips(
    corpora: list[Corpus], ids: Collection[str], num_clips: int, seed: int
) -> list[list[ShownClip]]:
    """Return the clips to show, of each row one for each corpus, in the first corpus's order."""
    first, *others = (list_clips(corpus) for corpus in corpora)
    by_id = [{clip.row["id"]: clip for clip in clips} for clips in others]
    for corpus, known in zip(corpora, ({clip.row["id"] for clip in first}, *by_id), strict=True):
        missing = set(ids) - set(known)
        if missing or not known:
            wanted = f"of id {quote_briefly(min(missing))}" if missing else "yet"
            raise ValueError(
                f"{corpus.folder}: has no clip {wanted}; see the status and error of its metadata"
            )
    clips = [
        [clip, *(known[clip.row["id"]] for known in by_id)]
        for clip in first
        if (not ids or clip.row["id"] in ids) and all(clip.row["id"] in known for known in by_id)
    ]
    if not clips:
        raise ValueError(
            f"{corpora[0].folder} and {corpora[1].folder}: have no row with a clip in both; only "
            f"corpora of one manifest can be shown side by side"
        )
    for one, *rest in clips:
        for corpus, other in zip(corpora[1:], rest, strict=True):
            check_pair(one.row, other.row, corpus.folder)
    if ids or len(clips) <= num_clips:
        return clips
    picks = random.Random(seed).sample(range(len(clips)), num_clips)
    return [clips[pick] for pick in sorted(picks)]


def list_clips(corpus: Corpus) -> list[ShownClip]:
    columns = ["id", "key", "status", "num_frames", "height", "tar_offset", "tar_length"]
    columns += ["prompt", "prompts", "sketch_sha256"]
    columns += ["paper", "fit", "sketch_notes"]
    return [
        ShownClip(shard, row)
        for shard in sorted(read_shards(corpus.folder, corpus.plan)[0])
        for row in read_known_columns(corpus.folder, metadata_name(shard), columns).to_pylist()
        if row["status"] == "ok"
    ]


def read_frames(corpus: Corpus, clip: ShownClip) -> np.ndarray:
    sample = read_sample(corpus.folder, clip.shard, clip.row, corpus.plan.tars)
    return decode_filmstrip(sample.png, clip.row["num_frames"])


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
    source: str | bytes | None, sources: Sources, size: int, row: dict[str, Any]
) -> np.ndarray | None:
    """Return a sketch as it was when its clip was made, None if it is missing or has changed.

    Args:
        row: the clip's, of the metadata.
    """
    if source is None:
        return None
    try:
        content = sources.read(source)
        check_sketch(content, row.get("sketch_sha256"))
        return load_sketch(content, size, config=SketchConfig.of_row(row))
    except (OSError, ValueError) as error:
        log.warning("sketch not shown: %s", error)
        return None


def join_films(films: list[np.ndarray]) -> np.ndarray:
    """Return films (F, H, W, 3) as one, beside each other and so large that a person sees what is
    on them; the longest has all of its frames, and the others last as long."""
    num_frames, size = max(map(len, films)), max(GIF_SIZE, *(film.shape[1] for film in films))
    shown = [enlarge(film, size)[np.arange(num_frames) * len(film) // num_frames] for film in films]
    height = max(film.shape[1] for film in shown)
    return np.concatenate([pad_below(film, height) for film in shown], axis=2)


def enlarge(frames: np.ndarray, size: int) -> np.ndarray:
    """Return frames (F, H, W, 3) at least so high, each pixel as large as the others."""
    times = -(-size // frames.shape[1])
    return frames.repeat(times, axis=1).repeat(times, axis=2)


def pad_below(frames: np.ndarray, height: int) -> np.ndarray:
    missing = height - frames.shape[1]
    return np.pad(frames, ((0, 0), (0, missing), (0, 0), (0, 0)), constant_values=255)

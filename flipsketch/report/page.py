"""The report page of a corpus: facts, reasons for failures, scores, and a gallery of playing clips.

It is one self-contained HTML file, so that it opens anywhere, without a network.
"""

import base64
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flipsketch.corpus.notes import count_notes, describe_notes
from flipsketch.corpus.passport import licenses_of
from flipsketch.corpus.plan import Plan, manifest_of
from flipsketch.corpus.reasons import FailedRow, group_failures
from flipsketch.corpus.restrictions import PartLicense, describe_licenses
from flipsketch.corpus.shard import read_metadata, read_sample, read_shards
from flipsketch.corpus.terms_table import sum_up
from flipsketch.media.clip import decode_filmstrip
from flipsketch.report.preview import find_sketches, read_sketch
from flipsketch.report.side_by_side import Corpus, check_pair
from flipsketch.report.template import fill_template
from flipsketch.scoring.scores import SCORES
from flipsketch.scoring.store import read_scores, scored_shards, scores_name
from flipsketch.storage.folder import Folder
from flipsketch.storage.sources import Sources

TEMPLATE = Path(__file__).with_name("page.html")
SIDE = 96  # most pixels of a frame's height on the page
GREYS = 4
BINS = 24
# Larger clips of strokes play from pixels, of which many more fit on a page.
MAX_SVG_BYTES = 100_000
REASONS_SHOWN = 50
SHOWN_OF_ROW = (
    *("id", "manifest_row", "key", "prompts", "sketch", "sketch_sha256", "seed", "status"),
    *("error", "num_frames", "tar_offset", "tar_length", "paper", "fit", "sketch_notes"),
)
# Scores shown under every clip, besides the one that the gallery is sorted by.
SHOWN = ("s2v_consistency", "t2v_alignment", "motion")
MEGABYTE = 1_000_000


@dataclass
class Entry:
    """A row of the corpus, and its scores if it has any."""

    shard: int
    row: dict[str, Any]
    scores: dict[str, Any] | None = None
    licenses: tuple[PartLicense, ...] = ()
    """Of the parts of the clip."""


def build_page(
    corpora: list[Corpus],
    *,
    sources: Sources | None = None,
    num_clips: int = 2000,
    max_megabytes: float = 19.0,
    seed: int = 0,
) -> str:
    """Return the HTML.

    Args:
        corpora: what the page is about, and others of its manifest whose clips are shown beside.
        sources: reads the sketches; of the manifest that the corpus notes, unless it has one.
        num_clips: most rows in the gallery, chosen at random with `seed`.
        max_megabytes: size of the page at which no more clips are added.
    """
    folder, plan = corpora[0].folder, corpora[0].plan
    entries = read_entries(folder, plan)
    others = [Other(corpus, read_entries(corpus.folder, corpus.plan)) for corpus in corpora[1:]]
    scored = [entry.scores for entry in entries if entry.scores is not None]
    names = [name for name in SCORES if any(scores.get(name) is not None for scores in scored)]
    picked = random.Random(seed).sample(range(len(entries)), min(num_clips, len(entries)))
    groups = group_failures(
        FailedRow(row["manifest_row"] + 1, row["id"], row["sketch"], row["error"])
        for row in (entry.row for entry in entries)
        if row["status"] != "ok"
    )
    data: dict[str, Any] = {
        "title": f"Sketch animations: {folder.path.rpartition('/')[2]}",
        "facts": list_facts(plan, entries)
        + [("Beside it", f"{corpus.label} ({corpus.folder})") for corpus in corpora[1:]],
        "labels": [corpus.label for corpus in corpora],
        "failures": [(group.with_example, group.num_rows) for group in groups[:REASONS_SHOWN]],
        "settings": json.dumps(plan.settings, indent=1, sort_keys=True),
        "histograms": [make_histogram(name, scored) for name in names],
        "scores": names,
        "shown": [names.index(name) for name in SHOWN if name in names],
    }
    room = max_megabytes * MEGABYTE - len(fill_template(TEMPLATE, data).encode())
    sources = (sources or Sources()).of_manifest(manifest_of(folder, plan))
    gallery = Gallery(folder, others, sources, names, room)
    # In random order until it is full, so that all parts of the corpus are represented.
    gallery.add([entries[place] for place in picked])
    shown = sorted(zip(picked, gallery.clips, strict=False), key=itemgetter(0))
    data["sampling"] = f"{len(shown):,} of the corpus's {len(entries):,} rows are shown."
    return fill_template(
        TEMPLATE, {**data, "sketches": gallery.sketches, "clips": [clip for _, clip in shown]}
    )


def read_entries(folder: Folder, plan: Plan) -> list[Entry]:
    """Return each row of the manifest as its newest shard has it, with its scores, if any."""
    found: dict[int, Entry] = {}
    known_licenses: dict[tuple[PartLicense, ...], tuple[PartLicense, ...]] = {}
    scored = set(scored_shards(folder))
    for index in sorted(read_shards(folder, plan)[0]):
        by_key = read_shard_scores(folder, index) if index in scored else {}
        for row in read_metadata(folder, index).to_pylist():
            # Without an evaluation, the metadata have the pixel scores of the animate job.
            known = by_key.get(row["key"], row)
            own = {name: known.get(name) for name in SCORES} if row["status"] == "ok" else None
            kept = {name: row[name] for name in SHOWN_OF_ROW if name in row}
            # Many rows have the same, which is kept once.
            licenses = tuple(licenses_of(row, plan).items())
            licenses = known_licenses.setdefault(licenses, licenses)
            found[row["manifest_row"]] = Entry(index, kept, own, licenses)
    return [found[place] for place in sorted(found)]


def read_shard_scores(folder: Folder, index: int) -> dict[str, dict[str, Any]]:
    """Return the scores of a shard's clips by key, without clips that could not be scored."""
    try:
        scores = read_scores(folder, index, ["key", "error", *SCORES])
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}/{scores_name(index)}: not readable ({error}); run jobs/evaluate.py to "
            f"make it again"
        ) from error
    return {row["key"]: row for row in scores.to_pylist() if row["error"] is None}


def list_facts(plan: Plan, entries: list[Entry]) -> list[tuple[str, str]]:
    num_ok = sum(entry.row["status"] == "ok" for entry in entries)
    num_scored = sum(
        entry.scores is not None and entry.scores["s2v_consistency"] is not None
        for entry in entries
    )
    facts = [
        ("Clips", f"{num_ok:,}"),
        ("Failed rows", f"{len(entries) - num_ok:,}"),
        ("Clips scored by CLIP", f"{num_scored:,}"),
        ("Rows planned", f"{plan.num_rows:,}"),
        ("Method", plan.method),
        ("License", plan.licence),
        ("License of the model", plan.model_licence),
        *list_terms(entries),
    ]
    if notes := count_notes(entry.row.get("sketch_notes") for entry in entries):
        facts.append(("Sketches", describe_notes(notes)))
    named = {"Model": "model", "Adapter": "lora", "Chosen from": "corpus"}
    return facts + [
        (title, str(plan.log[name])) for title, name in named.items() if plan.log.get(name)
    ]


def list_terms(entries: list[Entry]) -> list[tuple[str, str]]:
    """Return the licenses of the clips part by part, and what they come to."""
    good = [entry.licenses for entry in entries if entry.row["status"] == "ok"]
    licenses = [*dict.fromkeys(chain(*dict.fromkeys(good)))]
    if not licenses:
        return []
    return [("Licenses", describe_licenses(licenses)), ("All together", sum_up(licenses))]


def make_histogram(name: str, scored: list[dict[str, Any]]) -> dict[str, Any]:
    values = np.array([row[name] for row in scored if row[name] is not None], float)
    least, most = float(values.min()), float(values.max())
    # Of values that are equal but for rounding no bins can be told apart.
    is_wide = most - least > max(1e-9 * max(abs(least), abs(most)), 1e-300)
    counts, _ = np.histogram(values, BINS, (least, most if is_wide else least + 1))
    return {
        "name": name,
        "least": least,
        "most": most,
        "mean": float(values.mean()),
        "counts": counts.tolist(),
    }


class Other:
    """A corpus whose clips are shown beside those of the page's own."""

    def __init__(self, corpus: Corpus, entries: list[Entry]) -> None:
        self.folder = corpus.folder
        self.entries = {entry.row["id"]: entry for entry in entries}

    def find(self, row: dict[str, Any]) -> Entry | None:
        """Raises ValueError: the row of this id is of another sketch or prompt."""
        if (entry := self.entries.get(row["id"])) and row["status"] == entry.row["status"] == "ok":
            check_pair(row, entry.row, self.folder)
        return entry


@dataclass
class Gallery:
    """The rows on the page, added until its room is used up."""

    folder: Folder
    others: list[Other]
    sources: Sources
    names: list[str]
    """Names of the scores, in order."""
    room: float
    """Most bytes that clips and sketches may take."""
    clips: list[dict[str, Any]] = field(default_factory=list)
    sketches: list[str] = field(default_factory=list)

    def add(self, entries: list[Entry]) -> None:
        ids = {entry.row["id"] for entry in entries}
        named = find_sketches(self.sources.manifest, ids)
        places: dict[str, int] = {}
        num_bytes = 0
        for entry, clip in zip(entries, self.describe(entries), strict=True):
            digest = entry.row["sketch_sha256"]
            has_film = any(shown["film"] for shown in (clip, *clip["others"]))
            if has_film and digest not in places:
                sketch = read_sketch(named.get(entry.row["id"]), self.sources, SIDE, entry.row)
                if sketch is not None:
                    places[digest] = len(self.sketches)
                    self.sketches.append(encode_small(sketch[None]))
                    num_bytes += len(self.sketches[-1])
            clip["sketch"] = places.get(digest)
            num_bytes += len(json.dumps(clip))
            if num_bytes > self.room:
                break
            self.clips.append(clip)

    def describe(self, entries: list[Entry]) -> Iterator[dict[str, Any]]:
        for entry in entries:
            row = entry.row
            beside = [(other.folder, other.find(row)) for other in self.others]
            yield {
                "id": row["id"],
                "key": row["key"],
                "prompt": " / ".join(row["prompts"] or []),
                "seed": str(row["seed"]),
                "status": row["status"],
                "error": row["error"],
                "notes": "; ".join(row.get("sketch_notes") or []),
                **self.describe_clip(self.folder, entry),
                "others": [self.describe_clip(*found) for found in beside],
            }

    def describe_clip(self, folder: Folder, entry: Entry | None) -> dict[str, Any]:
        """Return frames and scores of a row's clip, without those that it lacks."""
        if entry is None or entry.row["status"] != "ok":
            return {"frames": None, "scores": None, "film": None, "svg": None}
        row, scores = entry.row, entry.scores
        sample = read_sample(folder, entry.shard, row)
        is_small = sample.svg is not None and len(sample.svg) <= MAX_SVG_BYTES
        return {
            "frames": row["num_frames"],
            "scores": scores and [round_score(scores[name]) for name in self.names],
            "film": encode_small(decode_filmstrip(sample.png, row["num_frames"])),
            "svg": base64.b64encode(sample.svg).decode() if sample.svg and is_small else None,
        }


def round_score(value: float | bool | None) -> float | bool | None:
    return value if value is None or isinstance(value, bool) else float(f"{value:.6g}")


def encode_small(frames: np.ndarray) -> str:
    """Return frames (F, H, W, 3) as a base64 PNG, scaled down and with few greys or colours."""
    height, width = frames.shape[1:3]
    if height > SIDE:
        size = (round(width * SIDE / height), SIDE)
        images = [Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames]
        frames = np.stack([np.asarray(image) for image in images])
    is_grey = (frames.max(axis=-1) - frames.min(axis=-1)).max() < 16
    strip = Image.fromarray(frames.reshape(-1, *frames.shape[2:]))
    if not is_grey:
        return base64.b64encode(encode_palette(strip.quantize(32))).decode()
    levels = np.asarray(strip.convert("L")).astype(int) * GREYS // 256
    image = Image.fromarray(levels.astype(np.uint8), "P")
    image.putpalette([channel for level in range(GREYS) for channel in (level * 85,) * 3])
    return base64.b64encode(encode_palette(image)).decode()


def encode_palette(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()

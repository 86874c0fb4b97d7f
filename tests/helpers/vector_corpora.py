"""Corpora as Live-Sketch makes them, written by hand: samples with an animated SVG."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import ROW_DIGEST, ROW_SCHEMA, write_shard
from flipsketch.media.clip import Clip
from flipsketch.storage.folder import open_folder
from flipsketch.svg.animated import write_animated_svg
from tests.helpers.animations import frame

OWN_COLUMNS = [("method", pa.string()), ("optimization_steps", pa.int32())]
SCHEMA = pa.schema([*ROW_SCHEMA, ("svg_sha256", pa.string()), *OWN_COLUMNS])
SAMPLE_SCHEMA = pa.schema([("id", pa.string()), ("optimization_steps", pa.int32())])
ROWS_PER_SHARD = 2
STEPS = 40


def svg_frames(number: int, num_frames: int = 4) -> list[bytes]:
    """The frames of the row of that number, which no other row has."""
    return [frame(number + index, lines=2) for index in range(num_frames)]


def plan_vector_corpus(num_rows: int, method: str = "livesketch") -> Plan:
    settings = {
        **ANIMATE.settings,
        "method": method,
        "num_rows": num_rows,
        "rows_per_shard": ROWS_PER_SHARD,
        "manifest_fingerprint": "m",
        "model_licence": "cc-by-nc-4.0",
    }
    return Plan(settings, log={"licence": "cc0-1.0"})


def write_vector_corpus(
    location: str,
    ids: list[str],
    *,
    failed: tuple[int, ...] = (),
    without_svg: tuple[int, ...] = (),
    shards: int | None = None,
) -> str:
    """Write a corpus with a row for each id, the given ones failed or without their SVG; of its
    shards all, or the first ones."""
    folder, plan = open_folder(location), plan_vector_corpus(len(ids))
    begin_run(folder, plan)
    for index in range(plan.num_shards if shards is None else shards):
        write_vector_shard(location, index, ids, failed, without_svg)
    return location


def change_first_svg(tar: Path) -> None:
    """Change a byte of the first SVG in a tar, which stays a tar and an SVG."""
    content = tar.read_bytes()
    place = content.index(b"M", content.index(b"<path", content.index(b"<svg")))
    tar.write_bytes(content[:place] + b"L" + content[place + 1 :])


def write_vector_shard(
    location: str,
    index: int,
    ids: list[str],
    failed: tuple[int, ...] = (),
    without_svg: tuple[int, ...] = (),
) -> None:
    rows, samples = [], []
    plan = plan_vector_corpus(len(ids))
    for number in plan.parts[0].rows_in(index):
        row = {
            "id": ids[number],
            "manifest_row": number,
            "key": Row(index=number, id=ids[number]).key,
            "prompt": f"it moves, way {number}",
            "status": "failed" if number in failed else "ok",
            "error": "no strokes" if number in failed else None,
            "method": "livesketch",
            "optimization_steps": STEPS,
            ROW_DIGEST: bytes([number]) * 32,
        }
        rows.append(row)
        if row["status"] == "ok":
            white = np.full((4, 8, 8, 3), 255, np.uint8)
            clip = Clip(row["key"], row["prompt"], white)
            sample = encode_sample(clip, white[0], row, SAMPLE_SCHEMA)
            svg = None if number in without_svg else write_animated_svg(svg_frames(number))
            row["svg_sha256"] = svg and hashlib.sha256(svg).hexdigest()
            samples.append(replace(sample, svg=svg))
    write_shard(open_folder(location), plan, index, rows, samples, SCHEMA)

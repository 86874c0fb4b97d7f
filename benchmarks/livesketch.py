#!/usr/bin/env python
"""Print what Live-Sketch makes of a manifest by several settings, beside FlipSketch and the still
sketch.

Every setting animates the same rows with the same seeds, in this process, without Ray. For the
scores all clips have the model's size and are thresholded alike, and all are compared with the
sketch that FlipSketch is given. Clips that are made are kept in the output folder, with sheets to
look at, and the same command resumes. Time is the process's on one thread,
so that other programs on the machine count for little.

    python benchmarks/livesketch.py --output out/livesketch --num-rows 8
"""

import json
import math
import re
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from flipsketch.corpus.row import Row
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.optimize import animate_vectors
from flipsketch.livesketch.vector import VectorSketch, draw_vector, read_vector
from flipsketch.media.clip import binarize_frames
from flipsketch.media.contact_sheet import draw_strip, encode_png, stack
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import model_defaults
from flipsketch.method.request import ClipRequest, Conditioning
from flipsketch.method.sampler import animate_pixels, finish_frames
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.video_model import DTYPES, load_model
from flipsketch.scoring.clip_model import ClipScorer
from flipsketch.scoring.evaluation import Scorers, score_clip
from flipsketch.storage.sources import Sources

# What a clip has to move at least to go any way, in sides of the square a frame.
LEAST_FLOW = 0.005
# Of the words for what goes up or down; `up and down` is neither.
RISING = r"up|upwards|rises?|rising|climbs?|climbing|takes? off|taking off|lifts? off|lifting off"
FALLING = r"down|downwards|falls?|falling|drops?|dropping|sinks?|sinking|descends?|descending"
SHEET_SIZE = 192
STRIPS_A_SHEET = 16


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    output: Path
    """Folder of the results: clips by setting, sheets of them, and table.md."""
    settings: Path = Path(__file__).with_name("livesketch.toml")
    """TOML file with a table [[setting]] for each setting, in the order in which they run."""
    manifest: str = "data/manifests/heldout.parquet"
    num_rows: int | None = None
    """First rows of the manifest that every setting animates, for a first look."""
    model: str = "doodle"
    clip_model: str = "doodle-clip"
    batch_size: int = 8
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: str = "cpu"


@dataclass(frozen=True)
class Setting:
    name: str
    method: Literal["livesketch", "flipsketch", "still"] = "livesketch"
    num_rows: int | None = None
    """First rows alone, of a setting that takes long."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of LiveSketchConfig, or of SamplingConfig."""


@dataclass(frozen=True, eq=False)
class Clip:
    frames: np.ndarray
    """uint8 (F, H, W, 3), of the model's size."""
    seconds: float
    points: np.ndarray | None = None
    """(F, P, 2), of a clip of strokes."""


class Benchmark:
    def __init__(self, config: BenchmarkConfig) -> None:
        self.config = config
        self.model = load_model(config.model, device=config.device, dtype=DTYPES[config.dtype])
        self.sampling = replace(model_defaults(config.model), align_steps=0)
        self.scorers = Scorers(ClipScorer(config.clip_model), None)
        self.rows = list(read_rows(config.manifest, summarize_manifest(config.manifest)))
        self.rows = self.rows[: config.num_rows]
        sources = Sources(config.manifest)
        self.sketches = {row.id: read_vector(sources.read(row.sketch)) for row in self.rows}

    def run(self, setting: Setting) -> dict[str, Any]:
        """Return a setting's line of the table."""
        rows = self.rows[: setting.num_rows]
        folder = self.config.output / setting.name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        missing = [row for row in rows if not clip_file(folder, row).exists()]
        for start in range(0, len(missing), self.config.batch_size):
            batch = missing[start : start + self.config.batch_size]
            for row, clip in zip(batch, self.animate(setting, batch), strict=True):
                write_clip(clip_file(folder, row), clip)
        clips = [read_clip(clip_file(folder, row)) for row in rows]
        scores = [self.score(row, clip) for row, clip in zip(rows, clips, strict=True)]
        self.write_sheets(folder, rows, clips, scores)
        return {"setting": setting.name, "clips": len(rows)} | {
            name: describe([score[name] for score in scores if score[name] is not None])
            for name in scores[0]
        }

    def animate(self, setting: Setting, rows: Sequence[Row]) -> list[Clip]:
        started = time.process_time()
        sketches = [self.sketches[row.id] for row in rows]
        if setting.method == "livesketch":
            config = LiveSketchConfig(**setting.options)
            conditionings = [Conditioning(row.prompts[0], self.sampling) for row in rows]
            seeds = [row.seed for row in rows]
            moved = animate_vectors(self.model, sketches, conditionings, seeds, config)
            seconds = (time.process_time() - started) / len(rows)
            return [
                Clip(draw(sketch, points, self.model.size), seconds, points)
                for sketch, points in zip(sketches, moved, strict=True)
            ]
        if setting.method == "still":
            num_frames = self.sampling.num_frames
            stills = [np.stack([sketch.points] * num_frames) for sketch in sketches]
            return [
                Clip(draw(sketch, points, self.model.size), 0.0, points)
                for sketch, points in zip(sketches, stills, strict=True)
            ]
        sampling = replace(self.sampling, **setting.options)
        requests = [ClipRequest(self.pixels(row), row.prompts, row.seed, sampling) for row in rows]
        pixels = animate_pixels(self.model, requests)
        seconds = (time.process_time() - started) / len(rows)
        return [Clip(finish_frames(clip, sampling), seconds) for clip in pixels]

    def pixels(self, row: Row) -> np.ndarray:
        """Return the sketch as FlipSketch takes it."""
        content = Sources(self.config.manifest).read(row.sketch)
        return load_sketch(content, self.model.size, darken=self.sampling.darken_sketch)

    def score(self, row: Row, clip: Clip) -> dict[str, float | None]:
        is_vector = clip.points is not None
        frames = binarize_frames(clip.frames, self.sampling.ink_threshold)
        scores = score_clip(frames, self.pixels(row), list(row.prompts), self.scorers)
        flow = np.array([scores["flow_x"], scores["flow_y"]])
        way = named_way(row.prompts[0])
        return {
            "consistency": scores["s2v_consistency"],
            "alignment": scores["t2v_alignment"],
            "motion": scores["motion"],
            "goes the way": None if way is None else float(flow @ way > LEAST_FLOW),
            "stretch": stretch(self.sketches[row.id], clip.points) if is_vector else None,
            "jerk": jerk(clip.points) if is_vector else None,
            "seconds": clip.seconds,
        }

    def write_sheets(
        self, folder: Path, rows: list[Row], clips: list[Clip], scores: list[dict[str, Any]]
    ) -> None:
        strips = []
        for row, clip, score in zip(rows, clips, scores, strict=True):
            frames = clip.frames
            if clip.points is not None:
                frames = draw(self.sketches[row.id], clip.points, SHEET_SIZE)
            said = ", ".join(f"{name} {value:.3f}" for name, value in score.items() if value)
            strips.append(draw_strip(None, frames, [f"{row.id}: {row.prompts[0]}", said]))
        for start in range(0, len(strips), STRIPS_A_SHEET):
            sheet = stack(strips[start : start + STRIPS_A_SHEET])
            (folder / f"sheet-{start // STRIPS_A_SHEET}.png").write_bytes(encode_png(sheet))


def draw(sketch: VectorSketch, points: np.ndarray, size: int) -> np.ndarray:
    return np.stack([draw_vector(sketch, frame, size, min_line_width=1.0) for frame in points])


def named_way(prompt: str) -> tuple[int, int] | None:
    """Return the direction that a prompt names, x and y, or None.

    `from right to left` is left: the last of these words counts. Words for up and down count where
    neither side is named, but for `up and down`, which is both.
    """
    if sides := re.findall(r"\b(left|right)\b", prompt):
        return (-1, 0) if sides[-1] == "left" else (1, 0)
    prompt = prompt.replace("up and down", "")
    if re.search(rf"\b({RISING})\b", prompt):
        return (0, -1)
    return (0, 1) if re.search(rf"\b({FALLING})\b", prompt) else None


def stretch(sketch: VectorSketch, points: np.ndarray) -> float:
    """Return the mean change of length of the control polygons' sides, as a share of all length."""
    rows = np.concatenate([shape.segments for shape in sketch.shapes])
    lengths = np.linalg.norm(np.diff(points[:, rows], axis=2), axis=-1)
    return float(np.abs(lengths[1:] - lengths[0]).mean(axis=0).sum() / lengths[0].sum())


def jerk(points: np.ndarray) -> float:
    """Return the mean third difference of points (F, P, 2) in time, in sides of the square."""
    return float(np.linalg.norm(np.diff(points, 3, axis=0), axis=-1).mean())


def describe(values: list[float]) -> tuple[float, float, int] | None:
    """Return mean, standard error and number of values."""
    if not values:
        return None
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), float(error), len(values)


def clip_file(folder: Path, row: Row) -> Path:
    return folder / f"{row.id}.npz"


def write_clip(path: Path, clip: Clip) -> None:
    known = {name: value for name, value in vars(clip).items() if value is not None}
    np.savez_compressed(path, **known)


def read_clip(path: Path) -> Clip:
    with np.load(path) as kept:
        return Clip(kept["frames"], float(kept["seconds"]), kept.get("points"))


def read_settings(path: Path) -> Iterator[Setting]:
    for entry in tomllib.loads(path.read_text())["setting"]:
        known = {name: entry.pop(name) for name in ("name", "method", "num_rows") if name in entry}
        yield Setting(**known, options=entry)


def to_markdown(lines: list[dict[str, Any]]) -> str:
    names = [name for name in lines[0] if name != "setting"]
    table = ["| setting | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for line in lines:
        cells = [line["setting"]]
        for name in names:
            value = line[name]
            if name == "clips" or value is None:
                cells.append("-" if value is None else str(value))
            elif name == "goes the way":
                cells.append(f"{round(value[0] * value[2])} of {value[2]}")
            elif name == "seconds":
                cells.append(f"{value[0]:.1f}")
            else:
                cells.append(f"{value[0]:.4f} ± {value[1]:.4f}")
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table) + "\n"


def main(config: BenchmarkConfig) -> None:
    quiet_libraries()
    torch.set_num_threads(1)
    benchmark = Benchmark(config)
    lines: list[dict[str, Any]] = []
    for setting in read_settings(config.settings):
        lines.append(benchmark.run(setting))
        table = to_markdown(lines)
        (config.output / "table.md").write_text(table)
        (config.output / "table.json").write_text(json.dumps(lines, indent=1))
        print(table.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))

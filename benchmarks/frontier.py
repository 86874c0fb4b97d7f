#!/usr/bin/env python
"""Print what the cheaper ways to sample give and cost: quality against time, on the embedded model.

Every variant animates the same rows with the same seeds, in this process, without Ray. Differences
are paired, clip by clip, with the variant that its own stands beside: exact, with alignment or
without. Finished variants are kept, and a rerun goes on after them. Time is the process's on one
thread, so that other programs on the machine count for little.

    python benchmarks/frontier.py --output out/frontier --num-rows 8
"""

import json
import math
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from diffusers import UNet3DConditionModel
from torch import Tensor

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from flipsketch.corpus.row import Row
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig, model_defaults
from flipsketch.method.methods import METHODS
from flipsketch.method.request import ClipRequest
from flipsketch.models.kernels import PLAIN
from flipsketch.models.loading import Loading
from flipsketch.models.quiet import quiet_libraries
from flipsketch.scoring.clip_model import ClipScorer
from flipsketch.scoring.evaluation import Scorers, score_clip
from flipsketch.scoring.ink import ink, ink_iou
from flipsketch.storage.sources import Sources

SCORES = ("s2v_consistency", "t2v_alignment", "motion")
AGREEMENT = ("ink_iou", "clip_cosine")


@dataclass(frozen=True, kw_only=True)
class FrontierConfig:
    output: Path
    """Folder of the results: results.jsonl, table.md, and the clips of the exact variants."""
    variants: Path = Path(__file__).with_name("frontier.toml")
    """TOML file with a table [[variant]] for each variant, in the order in which they run."""
    manifest: str = "data/manifests/heldout.parquet"
    num_rows: int | None = None
    """First rows of the manifest that every variant animates, for a first look."""
    model: str = "doodle"
    lora: str | None = None
    clip_model: str = "doodle-clip"
    batch_size: int = 4
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: str = "cpu"


@dataclass(frozen=True)
class Variant:
    name: str
    beside: str
    """Name of the variant that it is compared with."""
    settings: dict[str, Any]
    num_rows: int | None


@dataclass(frozen=True, eq=False)
class Clip:
    """What is kept of a clip to compare another with."""

    inks: np.ndarray
    """bool (F, H, W)"""
    features: Tensor
    """Unit vectors (F, D)."""
    scores: dict[str, float]


@dataclass
class Counts:
    """UNet frames evaluated, without gradients, with them, and of the outermost blocks alone."""

    whole: int = 0
    with_gradients: int = 0
    shallow: int = 0


@contextmanager
def counting_frames(unet: UNet3DConditionModel) -> Iterator[Counts]:
    counts = Counts()

    def note(network: UNet3DConditionModel, args: tuple[Tensor, ...]) -> None:
        frames = args[0].shape[0] * args[0].shape[2]
        if torch.is_grad_enabled():
            counts.with_gradients += frames
        elif network is unet:
            counts.whole += frames
        else:
            counts.shallow += frames

    hook = unet.register_forward_pre_hook(note)
    try:
        yield counts
    finally:
        hook.remove()


@dataclass
class Frontier:
    config: FrontierConfig
    kept: dict[str, list[Clip]] = field(default_factory=dict)
    """Clips of the variants that others are compared with."""

    def __post_init__(self) -> None:
        config = self.config
        animator = METHODS["flipsketch"].animator_class
        # Its adapter is the model's own by default.
        loading = Loading(
            model=config.model,
            lora=config.lora,
            device=config.device,
            dtype=config.dtype,
            kernels=PLAIN,
        )
        self.method = animator(loading)
        self.scorers = Scorers(ClipScorer(config.clip_model), None)
        self.rows = list(read_rows(config.manifest, summarize_manifest(config.manifest)))
        self.rows = self.rows[: config.num_rows]

    def make(self, variant: Variant) -> dict[str, Any]:
        """Return a variant's line: its scores and their errors, its differences and its cost."""
        sampling = replace(model_defaults(self.config.model), **variant.settings)
        rows = self.rows[: variant.num_rows]
        started = time.process_time()
        with counting_frames(self.method.unet) as counts:
            animated = list(self.animate(rows, sampling))
        seconds = (time.process_time() - started) / len(rows)
        clips = self.score(rows, animated)
        if variant.beside == variant.name:
            self.kept[variant.name] = clips
            np.savez_compressed(self.frames_file(variant.name), np.stack(animated))
        elif variant.beside not in self.kept:
            # Made by an earlier command.
            frames = np.load(self.frames_file(variant.beside))["arr_0"]
            self.kept[variant.beside] = self.score(self.rows[: len(frames)], frames)
        beside = self.kept[variant.beside][: len(clips)]
        line: dict[str, Any] = {
            "variant": variant.name,
            "beside": variant.beside,
            "settings": variant.settings,
            "clips": len(clips),
            "seconds": seconds,
            "unet_frames": counts.whole / len(rows),
            "unet_frames_with_gradients": counts.with_gradients / len(rows),
            "unet_frames_shallow": counts.shallow / len(rows),
        }
        for name in SCORES:
            scores = np.array([clip.scores[name] for clip in clips])
            exact = np.array([clip.scores[name] for clip in beside])
            line |= {name: describe(scores), f"{name}_difference": describe(scores - exact)}
        agreement = np.array(
            [agree(clip, other) for clip, other in zip(clips, beside, strict=True)]
        )
        return line | {name: describe(agreement[:, i]) for i, name in enumerate(AGREEMENT)}

    def animate(self, rows: list[Row], sampling: SamplingConfig) -> Iterator[np.ndarray]:
        size = self.config.batch_size
        for start in range(0, len(rows), size):
            requests = [
                ClipRequest(self.sketch(row), row.prompts, row.seed, sampling)
                for row in rows[start : start + size]
            ]
            for clip in self.method.animate(requests):
                yield clip.draw(sampling).frames

    def sketch(self, row: Row) -> np.ndarray:
        darken = model_defaults(self.config.model).darken_sketch
        content = Sources(self.config.manifest).read(row.sketch)
        return load_sketch(content, self.method.size, darken=darken)

    def score(self, rows: list[Row], animated: Sequence[np.ndarray]) -> list[Clip]:
        clips = []
        for row, frames in zip(rows, animated, strict=True):
            scores = score_clip(frames, self.sketch(row), list(row.prompts), self.scorers)
            features = self.scorers.clip.embed_frames(frames)
            clips.append(Clip(ink(frames), features, {name: scores[name] for name in SCORES}))
        return clips

    def frames_file(self, name: str) -> Path:
        return self.config.output / f"{name.replace(' ', '-')}.npz"


def agree(clip: Clip, other: Clip) -> tuple[float, float]:
    """Return how far two clips agree, frame by frame: the mean IoU of their ink, and the mean
    cosine of their CLIP features; frame 0 is left out, as it is the sketch."""
    ious = [
        ink_iou(one, another) for one, another in zip(clip.inks[1:], other.inks[1:], strict=True)
    ]
    cosines = (clip.features[1:] * other.features[1:]).sum(dim=-1)
    return float(np.mean(ious)), float(cosines.mean())


def describe(values: np.ndarray) -> tuple[float, float]:
    """Return mean and standard error."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(error)


def read_variants(path: Path) -> list[Variant]:
    """Return the variants of a TOML file; the settings stand beside the names.

    Raises:
        ValueError: one is compared with another that is not there, or comes later.
    """
    variants: list[Variant] = []
    for entry in tomllib.loads(path.read_text())["variant"]:
        name, beside = entry.pop("name"), entry.pop("beside")
        variants.append(Variant(name, beside, entry, entry.pop("num_rows", None)))
        if beside not in {variant.name for variant in variants}:
            raise ValueError(f"{path}: {name!r} stands beside {beside!r}, which is not before it")
    return variants


def read_lines(path: Path) -> dict[str, dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["variant"]: line for line in map(json.loads, lines)}


def to_markdown(lines: list[dict[str, Any]]) -> str:
    """Return the table: means and standard errors, and below each its difference from exact."""
    table = [
        "| variant | clips | CPU s/clip | of exact | UNet frames | "
        "S2V consistency | T2V alignment | motion | ink IoU | CLIP cosine |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    seconds = {line["variant"]: line["seconds"] for line in lines}
    for line in lines:
        is_base = line["beside"] == line["variant"]
        shares = f"{line['seconds'] / seconds[line['beside']]:.2f}"
        frames = f"{line['unet_frames']:.0f}"
        if line["unet_frames_with_gradients"]:
            frames += f" + {line['unet_frames_with_gradients']:.0f} with gradients"
        if line["unet_frames_shallow"]:
            frames += f" + {line['unet_frames_shallow']:.0f} shallow"
        cells = [line["variant"], str(line["clips"]), f"{line['seconds']:.2f}", shares, frames]
        for name in SCORES:
            mean, error = line[name] if is_base else line[f"{name}_difference"]
            cells.append(f"{mean:{'' if is_base else '+'}.4f} ± {error:.4f}")
        for name in AGREEMENT:
            mean, error = line[name]
            cells.append("" if is_base else f"{mean:.3f} ± {error:.3f}")
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table) + "\n"


def main(config: FrontierConfig) -> None:
    quiet_libraries()
    torch.set_num_threads(1)
    config.output.mkdir(parents=True, exist_ok=True)
    results = config.output / "results.jsonl"
    lines = read_lines(results)
    frontier = Frontier(config)
    for variant in read_variants(config.variants):
        if variant.name in lines:
            continue
        lines[variant.name] = frontier.make(variant)
        with results.open("a") as file:
            file.write(json.dumps(lines[variant.name]) + "\n")
        table = to_markdown(list(lines.values()))
        (config.output / "table.md").write_text(table)
        print(table.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main(tyro.cli(FrontierConfig, description=__doc__))

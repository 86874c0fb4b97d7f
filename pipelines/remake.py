"""An audit: random clips of a run are made again, from its plan and its rows alone, and compared
with those that were committed. Nothing is written into the run's folder."""

import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from shlex import quote
from typing import Any

import numpy as np
import torch

from flipsketch.animations.reader import AnimationReader, RasterConfig, rasterize_animation
from flipsketch.corpus.kinds import CURATE, RASTERIZE
from flipsketch.corpus.manifest import read_rows
from flipsketch.corpus.plan import Plan, manifest_of
from flipsketch.corpus.row import Row
from flipsketch.corpus.shard import read_metadata, read_sample, read_shards
from flipsketch.media.clip import decode_filmstrip
from flipsketch.method.config import LATER_FIELDS, SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.models.kernels import read_kernels
from flipsketch.models.loading import Loading
from flipsketch.models.motion_adapters import choose_motion_adapter, fingerprint_motion
from flipsketch.models.pinning import noted_place
from flipsketch.models.registry import NO_LORA, find_model, fingerprint_folder
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import describe_error
from flipsketch.svg.render import import_cairo
from pipelines.evaluate import find_manifest
from pipelines.execution.attempts import Attempts
from pipelines.execution.process import library_versions
from pipelines.execution.sources import SourcesConfig
from pipelines.makers.batches import split_batches
from pipelines.makers.clip_columns import row_schema
from pipelines.makers.clip_settings import read_livesketch
from pipelines.makers.clips import AnimationMaker, ClipMakerConfig
from pipelines.makers.outcome import RowOutcome
from pipelines.makers.row_settings import row_sampling

# Grey levels, of 255, by which clips of another device or other versions may differ on average;
# such clips differ in whole strokes, for thresholds turn the last digits into black and white.
TOLERANCE = 5.0

Chosen = list[tuple[int, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class RemakeConfig:
    num_clips: int
    seed: int | None = None
    """Of the choice; None for another one each time."""
    manifest: str | None = None
    """Where the rows are now, if they have moved; the animations, of training shards."""
    model: str | None = None
    lora: str | None = None
    motion_adapter: str | None = None
    sources: SourcesConfig


@dataclass(frozen=True)
class Remade:
    id: str
    shard: int
    verdict: str
    """same, within the tolerance, differs, or not made."""
    detail: str

    @property
    def is_good(self) -> bool:
        return self.verdict in ("same", "within the tolerance")


def remake(folder: Folder, plan: Plan, config: RemakeConfig, as_json: bool) -> int:
    """Make some clips again and print how they compare; return 1 if any differs, else 0.

    Raises:
        ValueError: the run's clips cannot be made here, or not of these rows and weights.
    """
    if plan.kind is CURATE:
        raise ValueError(
            f"{folder}: its clips are copies, whose tars --verify compares; audit the corpus that "
            f"they were chosen from: jobs/status.py --corpus {quote(str(plan.log.get('corpus')))} "
            f"--remake {config.num_clips}"
        )
    seed = random.SystemRandom().randrange(10**6) if config.seed is None else config.seed
    chosen, num_ok = choose_clips(folder, plan, config.num_clips, seed)
    device = find_device(plan)
    is_exact = device == plan.log.get("device") and has_same_versions(plan)
    make = draw_again if plan.kind is RASTERIZE else animate_again
    found = [
        compare(folder, plan, *one, frames, is_exact=is_exact)
        for one, frames in zip(chosen, make(folder, plan, config, chosen, device), strict=True)
    ]
    num_good = sum(one.is_good for one in found)
    how = (
        "exactly: the device and the versions are those of the run"
        if is_exact
        else f"within {TOLERANCE:g} of 255 on average: the device or the versions are others"
    )
    if as_json:
        clips = [vars(one) for one in found]
        print(json.dumps({"seed": seed, "exact": is_exact, "clips": clips}, indent=1))
    else:
        print(f"remake: {len(found)} of {num_ok} clips, chosen by --seed {seed}; compared {how}")
        for one in found:
            print(f"{one.verdict}: {one.id} in shard {one.shard:05d}{one.detail}")
        print(f"remade: {num_good} of {len(found)} clips are as committed")
    return 0 if num_good == len(found) else 1


def choose_clips(folder: Folder, plan: Plan, count: int, seed: int) -> tuple[Chosen, int]:
    """Return the shard and row of some committed clips, and how many there are."""
    shards, _ = read_shards(folder, plan)
    indices = sorted(shards)
    ends = np.cumsum([shards[index].ok for index in indices])
    num_ok = int(ends[-1]) if len(ends) else 0
    if num_ok == 0:
        raise ValueError(f"{folder}: has no clips yet, so none can be made again")
    chosen: Chosen = []
    for place in sorted(random.Random(seed).sample(range(num_ok), min(count, num_ok))):
        number = int(np.searchsorted(ends, place, "right"))
        rows = read_metadata(folder, indices[number]).to_pylist()
        good = [row for row in rows if row["status"] == "ok"]
        chosen.append((indices[number], good[place - int(ends[number])]))
    return chosen, num_ok


def find_device(plan: Plan) -> str | None:
    """Return the run's kind of device, or the CPU if there is none here; animations need none."""
    noted = plan.log.get("device")
    return "cpu" if noted == "cuda" and not torch.cuda.is_available() else noted


def has_same_versions(plan: Plan) -> bool:
    noted = dict(plan.log.get("versions") or {})
    # The interpreter computes no pixel.
    noted.pop("python", None)
    if plan.kind is RASTERIZE:
        return noted == {"cairo": import_cairo().cairo_version_string()}
    return noted == library_versions(*noted)


def animate_again(
    folder: Folder, plan: Plan, config: RemakeConfig, chosen: Chosen, device: str | None
) -> Iterator[np.ndarray | str]:
    """Yield the frames of each clip, or why it has none."""
    manifest = config.manifest or manifest_of(folder, plan)
    summary = find_manifest(manifest, folder, plan)
    sampling = read_sampling(folder, plan)
    loading = Loading(
        **find_weights(plan, config),
        device=device or "cpu",
        dtype=plan.dtype,
        kernels=read_kernels(plan.kernels),
        vae_slicing=plan.vae_slicing,
    )
    rows_of = {index: plan.part_of(index).rows_in(index) for index, _ in chosen}
    wanted = np.zeros(summary.num_rows, bool)
    for positions in rows_of.values():
        wanted[positions] = True
    rows = {row.index: row for row in read_rows(manifest, summary, wanted)}
    torch.set_num_threads(plan.threads)
    with tempfile.TemporaryDirectory() as scratch:
        maker = AnimationMaker(
            ClipMakerConfig(
                loading=loading,
                sources=config.sources.of(manifest),
                sampling=sampling,
                livesketch=read_livesketch(plan),
            ),
            plan=plan,
            folder=open_folder(scratch),
            schema=row_schema(summary.extra_schema, plan.settings),
        )
        for index, clip in chosen:
            shard = [rows[position] for position in rows_of[index].tolist()]
            yield animate_row(maker, index, shard, rows[clip["manifest_row"]], clip)


def animate_row(
    maker: AnimationMaker, index: int, shard: list[Row], row: Row, clip: dict[str, Any]
) -> np.ndarray | str:
    """Return one row's frames, or why it has none; the rest of its batch is taken by copies."""
    samplings = {
        one.index: row_sampling(one, maker.config.sampling, maker.plan.method) for one in shard
    }
    batches = split_batches(shard, samplings, maker.plan.batch_size)
    batch = next(batch for batch in batches if row in batch)
    sampling = samplings[row.index]
    with Attempts(maker.folder, index) as attempts:
        columns = maker.describe(row, sampling, attempts)
        read = maker.read_row(row, sampling, columns, attempts)
        if isinstance(read, RowOutcome):
            return str(read.error)
        if read.columns["sketch_sha256"] != clip["sketch_sha256"]:
            return f"{row.sketch!r:.200}: the sketch is another one now; restore it"
        clips, raised = maker.animate_rows(batch, [row], {row.index: read}, attempts)
        if raised is not None:
            return describe_error(raised)
        try:
            return clips[row.index].draw(sampling).frames
        except (ValueError, MemoryError) as error:
            return describe_error(error)


def read_sampling(folder: Folder, plan: Plan) -> SamplingConfig:
    """Return the sampling settings of a plan; raise ValueError if it lacks one."""
    names = [field.name for field in fields(SamplingConfig) if field.name in plan.settings]
    needed = {field.name for field in fields(SamplingConfig)} - {*LATER_FIELDS}
    if missing := sorted(needed - {*names}):
        raise ValueError(
            f"{folder}: its plan has no {missing[0]}, since an earlier version wrote it; make its "
            f"clips again with that version"
        )
    return SamplingConfig(**{name: plan.settings[name] for name in names})


def find_weights(plan: Plan, config: RemakeConfig) -> dict[str, Any]:
    """Return the places of a run's model, adapter and motion adapter, as `Loading` has them.

    Raises:
        ValueError: one of them is not here, or has other weights.
    """
    if plan.method not in METHODS:
        raise ValueError(f"the method {plan.method!r} is none of {', '.join(METHODS)}")
    method = METHODS[plan.method]
    if config.lora not in (None, NO_LORA) and not plan.settings.get("lora_fingerprint"):
        raise ValueError(f"{config.lora}: the clips were made without an adapter; leave out --lora")
    names = ("model", "lora", "motion_adapter")
    places = {name: getattr(config, name) or noted_place(plan.log, name) for name in names}
    if not places["model"]:
        raise ValueError("run.json does not say where the model is; pass --model")
    parts = method.list_parts(places["model"])
    folder = find_model(places["model"], parts)
    found = {"model": fingerprint_folder(folder, parts)}
    if plan.settings.get("lora_fingerprint"):
        found["lora"] = method.fingerprint_lora(places["lora"] or NO_LORA)
    else:
        places["lora"] = NO_LORA
    if method.takes_video_model:
        motion_adapter = choose_motion_adapter(folder, places["motion_adapter"])
        if motion_adapter is not None:
            found["motion"] = fingerprint_motion(motion_adapter)
    for name, fingerprint in found.items():
        if fingerprint != plan.settings.get(f"{name}_fingerprint"):
            flag = "motion-adapter" if name == "motion" else name
            raise ValueError(
                f"{places.get(flag.replace('-', '_'))}: is not the {flag.replace('-', ' ')} that "
                f"the clips were made with, by its fingerprint; pass --{flag} with where that is "
                f"now"
            )
    return places


def draw_again(
    folder: Folder, plan: Plan, config: RemakeConfig, chosen: Chosen, device: str | None
) -> Iterator[np.ndarray | str]:
    """Yield the frames of each animation, or why it has none."""
    if config.model or config.lora or config.motion_adapter:
        raise ValueError(
            "training shards are drawn without a model; leave out --model, --lora and "
            "--motion-adapter"
        )
    names = [field.name for field in fields(RasterConfig) if field.name in plan.settings]
    raster = RasterConfig(**{name: plan.settings[name] for name in names})
    root = config.manifest or plan.log.get("animations")
    if not root:
        raise ValueError("run.json does not say where the animations are; pass --manifest")
    reader = AnimationReader(root, raster, config.sources.allow_source)
    for _, row in chosen:
        try:
            yield rasterize_animation(reader.read(row["animation"]), raster)
        # Readers of archives and of SVG raise anything at all.
        except Exception as error:
            yield describe_error(error)


def compare(
    folder: Folder,
    plan: Plan,
    index: int,
    row: dict[str, Any],
    frames: np.ndarray | str,
    *,
    is_exact: bool,
) -> Remade:
    """Return how a clip that was made again compares with the one that was committed."""
    if isinstance(frames, str):
        return Remade(row["id"], index, "not made", f": {frames}")
    sample = read_sample(folder, index, row, plan.tars)
    before = decode_filmstrip(sample.png, row["num_frames"])
    if before.shape != frames.shape:
        detail = f": {frames.shape} frames, height, width and colours, was {before.shape}"
        return Remade(row["id"], index, "differs", detail)
    difference = np.abs(before.astype(int) - frames)
    if not difference.any():
        return Remade(row["id"], index, "same", "")
    mean = float(difference.mean())
    detail = f": pixels differ by {mean:.3f} of 255 on average, {int(difference.max())} at most"
    is_close = not is_exact and mean <= TOLERANCE
    return Remade(row["id"], index, "within the tolerance" if is_close else "differs", detail)

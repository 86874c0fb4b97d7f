"""What a run would make and cost, from the manifest and the folders alone: nothing is loaded."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, read_metadata, read_shards
from flipsketch.method.config import SamplingConfig
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count, one_line
from pipelines.sharding.planning import ROWS_PER_SHARD, choose_rows_per_shard

# Of 256 pixels, as ModelScope T2V has them; a filmstrip of real sketches has 0.06 bytes a pixel,
# its tar, JSON and Parquet about 6,000 more.
USUAL_SIZE = 256
BYTES_PER_PIXEL, BYTES_PER_CLIP = 0.06, 6000
# ModelScope T2V: one frame of its UNet, and what a GPU of 2022 or a CPU's thread makes of it.
TFLOP_PER_FRAME = 0.305
PARAMETER_BYTES = 4 * 1_411_000_000
# To read a sketch, repeat it and write it, at 256 pixels.
STILL_S = 0.05
TFLOP_PER_S = {"cuda": 150.0, "cpu": 0.02}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the user asks for; None is what the job would choose itself."""

    model: Path
    method: str
    sampling: SamplingConfig
    batch_size: int
    rows_per_shard: int | None
    workers: int | None
    device: str | None


def print_dry_run(
    manifest: ManifestSummary, folder: Folder, plan: Plan | None, workload: Workload
) -> None:
    """Print rows, shards, bad rows, and estimates of bytes and time.

    Args:
        plan: of the run in the folder that would be resumed or extended.
    """
    import torch

    device = workload.device or ("cuda" if torch.cuda.is_available() else "cpu")
    num_devices = torch.cuda.device_count() if device == "cuda" else os.cpu_count()
    workers = workload.workers or num_devices or 1
    rows_per_shard = workload.rows_per_shard
    if rows_per_shard is None and plan is not None:
        rows_per_shard = plan.rows_per_shard
    elif rows_per_shard is None:
        rows_per_shard = choose_rows_per_shard(
            manifest.num_rows, workers, ROWS_PER_SHARD, workload.batch_size
        )
    shards = list(read_shards(folder, plan)[0].values()) if plan is not None else []
    num_shards = -(-manifest.num_rows // rows_per_shard)
    if plan is not None:
        num_new = max(0, manifest.num_rows - plan.num_rows)
        num_shards = plan.num_shards + -(-num_new // rows_per_shard)
    num_good = manifest.num_rows - manifest.num_bad - len(manifest.repeats)
    num_made = sum(facts.ok + facts.failed - facts.superseded for facts in shards)
    num_left = max(0, manifest.num_rows - num_made)
    print(f"rows:   {manifest.num_rows:,}")
    print(f"shards: {num_shards:,} of up to {count(rows_per_shard, 'row')}")
    print(f"bad:    {count(manifest.num_bad, 'row')} that cannot be made, whatever their sketches")
    print(f"        {count(len(manifest.repeats), 'row')} with an id that an earlier row has")
    for reason in manifest.bad_examples:
        print(f"        {one_line(reason)}")
    if plan is not None:
        print(f"done:   {num_made:,} rows in {len(shards):,} shards of the existing run")
    if any(facts.ok for facts in shards):
        clip_bytes, clip_s = measure(folder, shards)
        source = "measured on the existing shards"
    else:
        clip_bytes, clip_s = estimate(workload.model, workload.sampling, device)
        source = (
            f"guessed from the model's size, at {TFLOP_PER_S[device]:g} TFLOP/s a worker: by a "
            f"factor of 3 or more; a finished shard tells better"
        )
        if workload.method == "still":
            clip_s, source = STILL_S, "guessed, as no model runs"
    print(f"bytes:  {format_bytes(num_good * clip_bytes)} in all")
    print(
        f"time:   {format_s(num_left / manifest.num_rows * num_good * clip_s / workers)} on "
        f"{count(workers, 'worker')} ({device}), without loading, {source}"
    )


def measure(folder: Folder, shards: list[ShardFacts]) -> tuple[float, float]:
    """Return the bytes and seconds of a clip, as seen in committed shards."""
    num_ok = sum(facts.ok for facts in shards)
    some = [facts for facts in shards if facts.ok][-16:]
    seconds = [
        pc.mean(read_metadata(folder, facts.index, ["seconds"])["seconds"]) for facts in some
    ]
    clip_s = sum(value.as_py() for value in seconds) / len(some)
    return sum(facts.tar_bytes for facts in shards) / num_ok, clip_s


def estimate(model: Path, sampling: SamplingConfig, device: str) -> tuple[float, float]:
    """Return guesses of the bytes and seconds of a clip."""
    from flipsketch.method.costs import SHALLOW_SHARE, count_frames, count_shallow_frames

    size, factor, unet_bytes = USUAL_SIZE, 8, PARAMETER_BYTES
    if (model / "unet" / "config.json").is_file() and (model / "vae" / "config.json").is_file():
        unet = json.loads((model / "unet" / "config.json").read_text())
        vae = json.loads((model / "vae" / "config.json").read_text())
        factor = 2 ** (len(vae["block_out_channels"]) - 1)
        size = unet["sample_size"] * factor
        unet_bytes = sum(path.stat().st_size for path in (model / "unet").glob("*.safetensors"))
    clip_bytes = BYTES_PER_PIXEL * size**2 * sampling.num_frames + BYTES_PER_CLIP
    latents = (size / factor) ** 2 / (USUAL_SIZE / 8) ** 2
    frames, with_gradients = count_frames(sampling)
    # The weights are frozen: a pass backwards takes little more than one forwards.
    passes = frames + 2 * with_gradients - (1 - SHALLOW_SHARE) * count_shallow_frames(sampling)
    tflop = passes * TFLOP_PER_FRAME * latents * unet_bytes / PARAMETER_BYTES
    return clip_bytes, tflop / TFLOP_PER_S[device]


def format_bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def format_s(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"

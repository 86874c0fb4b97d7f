"""What a run would make and cost, from the manifest, the folders and the model's shapes: no weights
are loaded."""

import os

import pyarrow.compute as pc

from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, read_metadata, read_shards
from flipsketch.method.methods import METHODS
from flipsketch.method.request import count_frames
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count, one_line
from pipelines.sharding.estimates import Sizes, read_sizes, spread_out
from pipelines.sharding.needs import Needs, Workload, describe_kind, find_needs, mean
from pipelines.sharding.planning import ROWS_PER_SHARD, choose_rows_per_shard

UNITS = {"cuda": "GPU", "cpu": "worker"}
# A filmstrip of real sketches has 0.06 bytes a pixel, its tar, JSON and Parquet about 6,000 more.
BYTES_PER_PIXEL, BYTES_PER_CLIP = 0.06, 6000
# A frame as SVG, of drawings of 30 curves; of 100 it has five times as many.
BYTES_PER_SVG_FRAME = 2000
USUAL_SIZE = 256  # pixels, of ModelScope T2V
# What a GPU of 2022 makes of the traced operations, which is a guess, and one thread of a CPU: it
# took 9.5 s for the 0.87 TFLOP of a clip of doodle without alignment.
TFLOP_PER_S = {"cuda": 150.0, "cpu": 0.09}
# To read a sketch, repeat it and write it, at 256 pixels.
STILL_S = 0.05


def print_dry_run(
    manifest: ManifestSummary, folder: Folder, plan: Plan | None, workload: Workload
) -> None:
    """Print rows, shards, bad rows, and estimates of memory, bytes and time.

    Args:
        plan: of the run in the folder that would be resumed or extended.

    Raises:
        ValueError: not even one clip fits, or memory of GPUs is given for CPUs.
    """
    import torch

    device = workload.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if workload.gpu_memory_gb is not None and device == "cpu":
        raise ValueError(
            "--gpu-memory-gb is of GPUs, and this is planned for CPUs; add --device cuda, or leave "
            "it out"
        )
    if workload.offload and device == "cpu":
        raise ValueError(
            "--offload is for GPUs, and this is planned for CPUs; add --device cuda, or leave it "
            "out"
        )
    num_devices = torch.cuda.device_count() if device == "cuda" else os.cpu_count()
    workers = workload.workers or num_devices or 1
    needs = find_needs(workload, plan, device, workers)
    rows_per_shard = workload.rows_per_shard
    if rows_per_shard is None and plan is not None:
        rows_per_shard = plan.rows_per_shard
    elif rows_per_shard is None:
        rows_per_shard = choose_rows_per_shard(
            manifest.num_rows, workers, ROWS_PER_SHARD, needs.fit.batch_size
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
        print(f"done:   {num_made:,} rows in {count(len(shards), 'shard')} of the existing run")
    if workload.num_own:
        print(
            f"own:    {count(workload.num_own, 'row')} with num_frames, align or prompts of their "
            f"own; the batch is for {' and '.join(map(describe_kind, workload.costliest))}, bytes "
            f"and time are of all rows"
        )
    of = workload.name if workload.model else "ModelScope T2V, since the model is not here"
    for line in needs.lines(rows_per_shard, of):
        print(line)
    clip_s: float | None
    if any(facts.ok for facts in shards):
        sizes, clip_s = measure(folder, shards)
        num_bytes = sizes.total(manifest.num_rows, num_good, num_shards).mean
        source = "measured on the existing shards"
    else:
        num_frames = mean(
            workload, lambda config, prompts: count_frames(prompts, config.num_frames)
        )
        frame_bytes = BYTES_PER_PIXEL * workload.size**2
        if METHODS[workload.method].moves_strokes:
            frame_bytes += BYTES_PER_SVG_FRAME
        clip_bytes = frame_bytes * num_frames + BYTES_PER_CLIP
        num_bytes = num_good * clip_bytes
        clip_s, source = guess_seconds(needs, workload.method, device)
    print(f"bytes:  {format_bytes(num_bytes)} in all, tars and Parquet")
    if clip_s is None:
        print(f"time:   {source}")
        return
    seconds = num_left / manifest.num_rows * num_good * clip_s
    print(
        f"time:   {format_s(seconds / workers)} on {count(workers, 'worker')} ({device}), "
        f"{clip_s:.3g} s a clip and {seconds / 3600:,.2f} {UNITS[device]} hours, without loading, "
        f"{source}"
    )


def guess_seconds(needs: Needs, method: str, device: str) -> tuple[float | None, str]:
    """Return the seconds of a clip, None if there is no telling, and what that rests on."""
    if needs.tflop is None and method != "still":
        return None, f"there is no estimate for the method {method} before a shard is finished"
    if needs.tflop is None:
        return STILL_S, "guessed, as no model runs"
    rate = TFLOP_PER_S[device]
    return needs.tflop / rate, (
        f"guessed from {needs.tflop:.3g} TFLOP a clip, traced, at {rate:g} TFLOP/s a worker: by a "
        f"factor of 3 or more; a finished shard tells better"
    )


def measure(folder: Folder, shards: list[ShardFacts]) -> tuple[Sizes, float]:
    """Return what clips take in bytes and seconds, as seen in committed shards."""
    some = spread_out([facts for facts in shards if facts.ok])
    seconds = [
        pc.mean(read_metadata(folder, facts.index, ["seconds"])["seconds"]) for facts in some
    ]
    return read_sizes(folder, some), sum(value.as_py() for value in seconds) / len(some)


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

"""What a run would make and cost, from the manifest, the folders and the model's shapes: no weights
are loaded."""

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, read_metadata, read_shards
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import CPU_BATCH_SIZE, USABLE_SHARE, Fit, fit_all
from flipsketch.method.methods import METHODS
from flipsketch.method.request import count_frames
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import count, one_line
from pipelines.sharding.estimates import Sizes, read_sizes, spread_out
from pipelines.sharding.planning import ROWS_PER_SHARD, choose_rows_per_shard

if TYPE_CHECKING:
    from flipsketch.method.costs import ClipCosts
    from flipsketch.models.kernels import Kernels

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
# GB of GPUs that are common, and the one to plan for where none is here and none is named.
USUAL_GPUS_GB, USUAL_GPU_GB = (16, 24, 40, 80, 141), 80


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the user asks for; None is what the job would choose itself."""

    model: Path | None
    """None where its folder is not here."""
    motion_adapter: Path | None = None
    """That it needs, if it does."""
    method: str
    size: int
    """Height and width of the clips."""
    kinds: list[tuple[SamplingConfig, int, int]]
    """Of rows: settings, number of prompts and number of rows."""
    sampling: SamplingConfig
    """The job's own."""
    livesketch: LiveSketchConfig
    """The job's own, for the method of that name."""
    costliest: tuple[SamplingConfig, ...]
    """Settings of the rows that take most memory."""
    num_own: int
    """Rows with settings of their own."""
    batch_size: int | None
    rows_per_shard: int | None
    workers: int | None
    device: str | None
    dtype: str | None
    kernels: str | None
    checkpoint_gradients: bool
    gpu_memory_gb: float | None
    offload: bool = False
    vae_slicing: bool = False


@dataclass(frozen=True)
class Needs:
    """What the workload takes, by tracing."""

    fit: Fit
    tflop: float | None = None
    """Of a clip, on average; None where the method cannot be traced."""
    traced: "ClipCosts | None" = None
    """Of the rows that take most."""
    dtype: str = ""
    where: str = ""
    """Whose memory the batch is for."""
    gpus: str = ""
    """What fits other GPUs, where that is of interest."""

    def lines(self, rows_per_shard: int, of: str) -> list[str]:
        """Return what to print.

        Args:
            of: whose shapes were traced.
        """
        if (traced := self.traced) is None:
            return []
        batch_size = min(self.fit.batch_size, rows_per_shard)
        checkpointed = ", with gradients checkpointed" if self.fit.checkpoint_gradients else ""
        lines = [
            f"batch:  {count(batch_size, 'clip')} in {self.dtype}{checkpointed}, for {self.where}",
            f"memory: {traced.peak_bytes(batch_size) / 1e9:.3g} GB a worker: weights "
            f"{traced.weights_bytes / 1e9:.3g}, each clip {traced.row_bytes / 1e9:.3g}, the VAE "
            f"{traced.vae_bytes(batch_size) / 1e9:.3g}; traced from the shapes of {of}",
        ]
        return [*lines, f"        clips of a batch by GPU: {self.gpus}"] if self.gpus else lines


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
    of = workload.model.name if workload.model else "ModelScope T2V, since the model is not here"
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


def find_needs(workload: Workload, plan: Plan | None, device: str, workers: int) -> Needs:
    """Find out which batches a worker would have, what they take and what a clip costs.

    Raises:
        ValueError: not even one clip fits.
    """
    import torch

    from flipsketch.method.costs import TracedCosts
    from flipsketch.models.kernels import FAST, PLAIN, default_kernels, read_kernels
    from flipsketch.models.video_model import DTYPES

    method = METHODS[workload.method]
    num_rows = plan.batch_size if plan else workload.batch_size or CPU_BATCH_SIZE
    if not (method.shares_passes or method.moves_strokes):
        return Needs(Fit(num_rows, workload.checkpoint_gradients))
    dtype = plan.dtype if plan else workload.dtype
    dtype = dtype or ("bfloat16" if device == "cuda" else "float32")
    kernels = {"fast": FAST, "plain": PLAIN, None: default_kernels(device)}[workload.kernels]
    kernels = read_kernels(plan.kernels) if plan else kernels
    if method.moves_strokes:
        return find_vector_needs(workload, Fit(num_rows, False), dtype, kernels)

    @functools.cache
    def trace(sampling: SamplingConfig) -> TracedCosts:
        return TracedCosts(
            workload.model,
            workload.method,
            sampling,
            DTYPES[dtype],
            kernels,
            workload.motion_adapter,
        )

    def find_fit(memory: float, batch_size: int | None) -> Fit:
        usable, checkpoint = int(USABLE_SHARE * memory), workload.checkpoint_gradients
        return fit_all(
            lambda sampling: trace(sampling).find_fit(usable, batch_size, checkpoint),
            workload.costliest,
            workload.sampling,
        )

    batch_size = plan.batch_size if plan else workload.batch_size
    if device == "cuda":
        gpu_gb = workload.gpu_memory_gb or USUAL_GPU_GB
        if torch.cuda.is_available() and workload.gpu_memory_gb is None:
            cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
            gpu_gb = min(card.total_memory for card in cards) / 1e9
        memory = gpu_gb * 1e9
        fit = find_fit(memory, batch_size)
        where = f"a GPU with {gpu_gb:.3g} GB"
    else:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = total / workers
        fit = find_fit(memory, batch_size)
        fit = replace(fit, batch_size=batch_size or min(fit.batch_size, CPU_BATCH_SIZE))
        where = f"{total / 1e9:.0f} GB for {count(workers, 'worker')}"
    costliest, too_large = [], []
    for sampling in workload.costliest:
        traced = trace(sampling)(fit.checkpoint_gradients)
        if traced.peak_bytes(fit.batch_size) <= memory:
            costliest.append(traced)
        else:
            too_large.append(describe_kind(sampling))
    if too_large:
        where = f"{where}, where rows of {' or '.join(too_large)} do not fit and would fail"
        costliest = costliest or [trace(workload.sampling)(fit.checkpoint_gradients)]
    return Needs(
        fit,
        mean_tflop(workload, lambda sampling: trace(sampling)(fit.checkpoint_gradients).tflop),
        max(costliest, key=lambda traced: traced.peak_bytes(fit.batch_size)),
        dtype,
        where,
        describe_gpus(find_fit) if device == "cuda" and batch_size is None else "",
    )


def find_vector_needs(workload: Workload, fit: Fit, dtype: str, kernels: "Kernels") -> Needs:
    """Find out what Live-Sketch takes with a batch that is not chosen by it."""
    from flipsketch.livesketch.costs import trace_costs
    from flipsketch.models.inspection import inspect_model, lay_out_modelscope
    from flipsketch.models.video_model import DTYPES

    networks = (
        inspect_model(workload.model, motion_adapter=workload.motion_adapter)
        if workload.model
        else lay_out_modelscope()
    )
    longest = max((config for config, _, _ in workload.kinds), key=lambda kind: kind.num_frames)
    traced = trace_costs(networks, longest, workload.livesketch, DTYPES[dtype], kernels)
    each = traced.tflop / longest.num_frames
    tflop = mean(workload, lambda config, prompts: prompts * config.num_frames * each)
    return Needs(fit, tflop, traced, dtype, "a worker of any memory")


def describe_gpus(find_fit: Callable[[float, int | None], Fit]) -> str:
    """Return what would fit common GPUs."""
    found = []
    for size in USUAL_GPUS_GB:
        with suppress(ValueError):
            found.append(f"{size} GB {find_fit(size * 1e9, None).batch_size}")
    return ", ".join(found)


def describe_kind(sampling: SamplingConfig) -> str:
    alignment = "with alignment" if sampling.num_align_steps else "without alignment"
    return f"{sampling.num_frames} frames {alignment}"


def mean(workload: Workload, value: Callable[[SamplingConfig, int], float]) -> float:
    """Return the mean over the rows of what their settings and number of prompts say."""
    num_rows = sum(rows for _, _, rows in workload.kinds)
    return sum(rows * value(config, n) for config, n, rows in workload.kinds) / num_rows


def mean_tflop(workload: Workload, tflop: Callable[[SamplingConfig], float]) -> float:
    """Return what a clip takes on average. Of clips with alignment and of those without, the
    longest are traced, and others are taken to cost as much for each frame."""
    longest: dict[bool, SamplingConfig] = {}
    for config, _, _ in sorted(workload.kinds, key=lambda kind: kind[0].num_frames):
        longest[config.num_align_steps > 0] = config
    each = {key: tflop(config) / config.num_frames for key, config in longest.items()}
    return mean(
        workload,
        lambda config, prompts: prompts * config.num_frames * each[config.num_align_steps > 0],
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

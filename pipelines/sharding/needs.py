"""What the rows of a run take of a worker: which batches fit, in how much memory, and which flags
let a smaller GPU do. Told from the model's shapes, without its weights."""

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flipsketch.corpus.plan import Plan
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import (
    CPU_BATCH_SIZE,
    NO_SAVINGS,
    SAVINGS,
    USABLE_SHARE,
    VIDEO_SAVINGS,
    Fit,
    Savings,
    fit_all,
)
from flipsketch.method.methods import METHODS
from flipsketch.method.video_config import VideoConfig
from flipsketch.models.loading import Loading
from flipsketch.storage.text import count

if TYPE_CHECKING:
    from flipsketch.method.costs import ClipCosts, TracedCosts

# GB of GPUs that are common, and the one to plan for where none is here and none is named.
USUAL_GPUS_GB, USUAL_GPU_GB = (6, 8, 12, 16, 24, 40, 80, 141), 80


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What the user asks for; None is what the job would choose itself."""

    model: Path | None
    """None where its folder is not here."""
    name: str = ""
    """What the model is called."""
    motion_adapter: Path | None = None
    """Folder of the one that a model of pictures is animated with."""
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
    video: VideoConfig = field(default_factory=VideoConfig)
    """What an image-to-video model is asked for."""


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
    gpus: tuple[str, ...] = ()
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
        memory = f"{traced.peak_bytes(batch_size) / 1e9:.3g} GB a worker"
        if traced.offload:
            memory = (
                f"{memory} and {traced.weights_bytes / 1e9:.3g} GB of the host, where parts wait"
            )
        parts = ", ".join(
            f"{part} {num_bytes / 1e9:.3g}" for part, num_bytes in traced.weights.items()
        )
        passes = f"each clip {traced.row_bytes / 1e9:.3g}"
        if traced.one_by_one:
            passes = f"a pass {traced.row_bytes / 1e9:.3g} (by a rule)"
        elif traced.row_bytes > traced.pass_bytes:
            passes = f"{passes} in alignment, {traced.pass_bytes / 1e9:.3g} in other passes"
        lines = [
            f"batch:  {count(batch_size, 'clip')} in {self.dtype}{checkpointed}, for {self.where}",
            f"memory: {memory}: weights {traced.weights_bytes / 1e9:.3g} ({parts}), {passes}, the "
            f"VAE {traced.vae_bytes(batch_size) / 1e9:.3g}; traced from the shapes of {of}",
        ]
        return lines + [f"        {line}" for line in self.gpus]


def find_needs(workload: Workload, plan: Plan | None, device: str, workers: int) -> Needs:
    """Find out which batches a worker would have, what they take and what a clip costs.

    Raises:
        ValueError: not even one clip fits.
    """
    from flipsketch.method.costs import TracedCosts

    method = METHODS[workload.method]
    num_rows = plan.batch_size if plan else workload.batch_size or method.batch_size
    loading = find_loading(workload, plan, device)
    if method.makes_videos and workload.model is not None:
        return find_video_needs(workload, num_rows, loading, find_memory(workload, device, workers))
    if not (method.shares_passes or method.moves_strokes):
        return Needs(Fit(num_rows, workload.checkpoint_gradients))
    if method.moves_strokes:
        return find_vector_needs(workload, Fit(num_rows, False), loading)

    @functools.cache
    def trace(sampling: SamplingConfig) -> TracedCosts:
        return TracedCosts(workload.model, loading, workload.method, sampling)

    def find_fit(memory: float, batch_size: int | None, savings: Savings = NO_SAVINGS) -> Fit:
        usable, checkpoint = int(USABLE_SHARE * memory), workload.checkpoint_gradients
        return fit_all(
            lambda sampling: trace(sampling).find_fit(usable, batch_size, checkpoint, savings),
            workload.costliest,
            workload.sampling,
        )

    batch_size = plan.batch_size if plan else workload.batch_size
    memory, where = find_memory(workload, device, workers)
    fit = find_fit(memory, batch_size)
    if device == "cpu":
        fit = replace(fit, batch_size=batch_size or min(fit.batch_size, CPU_BATCH_SIZE))
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
        mean_tflop(
            workload, lambda sampling: trace(sampling)(fit.checkpoint_gradients).tflop or 0.0
        ),
        max(costliest, key=lambda traced: traced.peak_bytes(fit.batch_size)),
        loading.dtype,
        where,
        describe_gpus(find_fit, [trace(sampling) for sampling in workload.costliest])
        if device == "cuda" and batch_size is None
        else (),
    )


def find_memory(workload: Workload, device: str, workers: int) -> tuple[float, str]:
    """Return the bytes that a worker has, and whose they are."""
    import torch

    if device == "cpu":
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return total / workers, f"{total / 1e9:.0f} GB for {count(workers, 'worker')}"
    gpu_gb = workload.gpu_memory_gb or USUAL_GPU_GB
    if torch.cuda.is_available() and workload.gpu_memory_gb is None:
        cards = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        gpu_gb = min(card.total_memory for card in cards) / 1e9
    return gpu_gb * 1e9, f"a GPU with {gpu_gb:.3g} GB"


def find_loading(workload: Workload, plan: Plan | None, device: str) -> Loading:
    """Return what a worker would load, and how; `Workload.model` tells what of."""
    from flipsketch.models.kernels import FAST, PLAIN, default_kernels, read_kernels

    dtype = plan.dtype if plan else workload.dtype
    kernels = {"fast": FAST, "plain": PLAIN, None: default_kernels(device)}[workload.kernels]
    return Loading(
        model=workload.model or "",
        motion_adapter=str(workload.motion_adapter) if workload.motion_adapter else None,
        device=device,
        dtype=dtype or ("bfloat16" if device == "cuda" else "float32"),
        kernels=read_kernels(plan.kernels) if plan else kernels,
        offload=workload.offload,
        vae_slicing=workload.vae_slicing,
    )


def find_vector_needs(workload: Workload, fit: Fit, loading: Loading) -> Needs:
    """Find out what Live-Sketch takes with a batch that is not chosen by it."""
    from flipsketch.livesketch.costs import trace_costs
    from flipsketch.models.inspection import lay_out_model, lay_out_modelscope

    networks = lay_out_modelscope()
    if workload.model:
        networks = lay_out_model(workload.model, workload.motion_adapter)
    assert loading.kernels is not None
    longest = max((config for config, _, _ in workload.kinds), key=lambda kind: kind.num_frames)
    traced = trace_costs(
        networks, longest, workload.livesketch, loading.torch_dtype, loading.kernels
    ).with_savings(Savings.of(loading))
    each = (traced.tflop or 0.0) / longest.num_frames
    tflop = mean(workload, lambda config, prompts: prompts * config.num_frames * each)
    return Needs(fit, tflop, traced, loading.dtype, "a worker of any memory")


def find_video_needs(
    workload: Workload, batch_size: int, loading: Loading, memory: tuple[float, str]
) -> Needs:
    """Find out what an image-to-video model takes, which makes one clip after the other."""
    from flipsketch.method.video_costs import estimate_video_costs

    assert workload.model is not None
    pipeline = METHODS[workload.method].read_pipeline(workload.model)
    video = workload.video.settle(pipeline)
    costs = estimate_video_costs(workload.model, pipeline, video, loading)
    num_bytes, where = memory
    if costs.peak_bytes(1) > num_bytes:
        where = f"{where}, which is too small"
    fits: list[str] = []
    least = float("inf")
    for savings in (NO_SAVINGS, *VIDEO_SAVINGS):
        peak = costs.with_savings(savings).peak_bytes(1)
        # Flags that save a fiftieth are not worth it.
        if peak < 0.98 * least:
            flags = describe_flags(savings, checkpointed=False)
            fits.append(f"{peak / USABLE_SHARE / 1e9:.3g} GB{flags}")
            least = peak
    gpus = (f"the smallest GPU that does has {', '.join(fits)}",) if loading.device != "cpu" else ()
    return Needs(Fit(batch_size, False), None, costs, loading.dtype, where, gpus)


def describe_gpus(
    find_fit: Callable[[float, int | None, Savings], Fit], kinds: "Sequence[TracedCosts]"
) -> tuple[str, ...]:
    """Return what would fit common GPUs, with flags where they are needed, and how small one may be
    at the least.

    Args:
        kinds: of rows, those that take most.
    """
    found = []
    for size in USUAL_GPUS_GB:
        for savings in (NO_SAVINGS, *SAVINGS):
            with suppress(ValueError):
                fit = find_fit(size * 1e9, None, savings)
                flags = describe_flags(savings, fit.checkpoint_gradients)
                found.append(f"{size} GB {fit.batch_size}{flags}")
                break
    aligned = [traced.sampling.num_align_steps > 0 for traced in kinds]
    costs = [traced(is_aligned) for traced, is_aligned in zip(kinds, aligned, strict=True)]
    peaks = {
        savings: max(each.with_savings(savings).peak_bytes(1) for each in costs)
        for savings in (NO_SAVINGS, *SAVINGS)
    }
    least = min(peaks.values())
    # Flags that save a fiftieth are not worth it.
    savings = next(each for each, peak in peaks.items() if peak <= 1.02 * least)
    smallest, flags = peaks[savings] / USABLE_SHARE / 1e9, describe_flags(savings, any(aligned))
    return (
        f"clips of a batch by GPU: {', '.join(found) or 'none of the usual ones'}",
        f"the smallest that does has {smallest:.3g} GB{flags}",
    )


def describe_flags(savings: Savings, checkpointed: bool) -> str:
    flags = ["--checkpoint-gradients"] * checkpointed + savings.list_flags()
    return f" with {' '.join(flags)}" if flags else ""


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

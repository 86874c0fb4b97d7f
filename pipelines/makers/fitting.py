"""What is chosen for a run so that it fits its workers: precision, clips of a batch, checkpointing.

On GPUs it is measured on the smallest of them, in a process with a worker's device; on CPUs memory
is seldom short, and traced where it might be.
"""

import functools
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from flipsketch.corpus.plan import Plan
from flipsketch.method.config import SamplingConfig
from flipsketch.method.costs import TracedCosts
from flipsketch.method.fitting import (
    CPU_BATCH_SIZE,
    USABLE_SHARE,
    Fit,
    Savings,
    find_fit,
    fit_all,
    usable_bytes,
)
from flipsketch.method.measuring import measure_peak
from flipsketch.method.methods import METHODS
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.loading import Loading
from flipsketch.models.motion_adapters import choose_motion_adapter
from flipsketch.models.places import find_on_hub
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.registry import weights_bytes
from pipelines.execution.trial import ANSWER_S, call_on_workers
from pipelines.execution.work import Resources

log = logging.getLogger(__name__)

# Of a model's weights, memory in which some clips fit whatever they take: activations of a clip
# with gradients are at the most some times as large.
AMPLE = 50
# To fetch a model of some gigabytes over a slow connection.
FETCH_S = 6 * 3600


@dataclass(frozen=True)
class Card:
    """A GPU, as a process that has it to itself finds it."""

    name: str
    total_bytes: int
    free_bytes: int
    has_bfloat16: bool

    def __str__(self) -> str:
        return f"{self.name} with {self.total_bytes / 1e9:.0f} GB"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a worker would run."""

    loading: Loading
    """But for its dtype."""
    method: str
    sampling: SamplingConfig
    """The job's own."""
    samplings: tuple[SamplingConfig, ...]
    """Those of the rows that take most."""
    graphs: bool
    batch_size: int | None
    """None: as many clips as fit."""
    checkpoint_gradients: bool
    dtype: str | None = None
    usable_bytes: int = 0


def choose_fit(
    trial: Trial,
    before: Plan | None,
    model_folder: Path,
    resources: Resources,
    gpu_memory_gb: float | None,
) -> tuple[str, Fit]:
    """Return the dtype, the rows of a batch and whether gradients are checkpointed: as asked, as
    the run began, or else as they fit the workers with the rows that take most.

    Args:
        gpu_memory_gb: by default what the smallest GPU has.

    Raises:
        ValueError: not even one row fits.
    """
    on_gpus = resources.device == "cuda"
    if gpu_memory_gb is not None and not on_gpus:
        raise ValueError("--gpu-memory-gb is of GPUs, and the workers have none; leave it out")
    if trial.loading.offload and not on_gpus:
        raise ValueError("--offload is for GPUs, and the workers have none; leave it out")
    if before is not None:
        # Found out when it began; a GPU that is smaller fails rows, with the remedies.
        checkpoint = bool(before.log.get("checkpoint_gradients"))
        return before.dtype, Fit(before.batch_size, trial.checkpoint_gradients or checkpoint)
    if not METHODS[trial.method].shares_passes:
        dtype = trial.dtype or ("bfloat16" if on_gpus else "float32")
        batch_size = trial.batch_size or METHODS[trial.method].batch_size
        return dtype, Fit(batch_size, trial.checkpoint_gradients)
    if on_gpus:
        return fit_on_gpus(trial, resources, gpu_memory_gb)
    return trial.dtype or "float32", fit_on_cpus(trial, model_folder, resources.memory_bytes)


def find_card() -> Card:
    properties = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Card(properties.name, total, free, has_bfloat16)


def fit_on_gpus(trial: Trial, resources: Resources, gpu_memory_gb: float | None) -> tuple[str, Fit]:
    """Find out what fits all GPUs of the workers, and in which dtype: by default bfloat16 if all
    compute in it, else float16.

    Args:
        trial: without the bytes that may be used.
        gpu_memory_gb: by default what the smallest GPU has.

    Raises:
        ValueError: not even one clip fits.
    """
    cards = call_on_workers(find_card, resources)
    node, card = min(cards.items(), key=lambda item: (item[1].total_bytes, item[0]))
    dtype = trial.dtype
    if dtype is None:
        has_bfloat16 = all(each.has_bfloat16 for each in cards.values())
        dtype = "bfloat16" if has_bfloat16 else "float16"
    usable = usable_bytes(card.total_bytes, card.free_bytes)
    if gpu_memory_gb is not None:
        usable = min(usable, int(USABLE_SHARE * gpu_memory_gb * 1e9))
    log.info("finding out what fits %s, %.1f GB of which may be used", card, usable / 1e9)
    trial = replace(trial, dtype=dtype, usable_bytes=usable)
    # A node that has not fetched its model yet does that first.
    limit_s = FETCH_S if find_on_hub(trial.loading.model) else ANSWER_S
    fit = call_on_workers(functools.partial(fit_here, trial), resources, [node], limit_s)[node]
    if isinstance(fit, str):
        raise ValueError(f"{card}: {fit}")
    return dtype, fit


def fit_on_cpus(trial: Trial, model_folder: Path, memory_bytes: int | None) -> Fit:
    """Find out what fits a worker's memory, by tracing.

    Args:
        memory_bytes: of a worker; None if it is not known.

    Raises:
        ValueError: not even one clip fits.
    """
    as_asked = Fit(trial.batch_size or CPU_BATCH_SIZE, trial.checkpoint_gradients)
    motion_adapter = choose_motion_adapter(model_folder, trial.loading.motion_adapter)
    num_bytes = weights_bytes(model_folder, motion_adapter)
    if memory_bytes is None or memory_bytes > AMPLE * num_bytes:
        return as_asked
    loading = replace(
        trial.loading,
        dtype=trial.dtype or "float32",
        motion_adapter=str(motion_adapter) if motion_adapter else None,
    )
    usable = int(USABLE_SHARE * memory_bytes)

    def find(sampling: SamplingConfig) -> Fit:
        costs = TracedCosts(model_folder, loading, trial.method, sampling)
        return costs.find_fit(usable, trial.batch_size, trial.checkpoint_gradients)

    fit = fit_all(find, trial.samplings, trial.sampling)
    return replace(fit, batch_size=trial.batch_size or min(fit.batch_size, CPU_BATCH_SIZE))


def fit_here(trial: Trial) -> Fit | str:
    """Load the model on this process's device and find out what fits; else return why nothing
    does."""
    quiet_libraries()
    assert trial.dtype is not None
    animator_class = METHODS[trial.method].animator_class
    flags = Savings.of(trial.loading).list_flags()
    remedies = [flag for flag in ("--offload", "--vae-slicing") if flag not in flags]
    try:
        animator = animator_class(replace(trial.loading, dtype=trial.dtype))

        def measure(sampling: SamplingConfig, checkpoint: bool, batch_size: int) -> int | None:
            assert animator.unet is not None
            with checkpoint_gradients(animator.unet, checkpoint):
                return measure_peak(animator, sampling, batch_size, graphs=trial.graphs)

        def find(sampling: SamplingConfig) -> Fit:
            return find_fit(
                functools.partial(measure, sampling),
                trial.usable_bytes,
                sampling,
                batch_size=trial.batch_size,
                checkpoint=trial.checkpoint_gradients,
                find_remedies=lambda: remedies,
            )

        return fit_all(find, trial.samplings, trial.sampling)
    except torch.OutOfMemoryError:
        offload = "" if trial.loading.offload else "--offload, "
        return f"the model does not fit its memory; give {offload}--dtype bfloat16 or another GPU"
    except ValueError as error:
        return str(error)

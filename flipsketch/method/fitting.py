"""How many clips fit into a device's memory at once: told from the peaks of small batches."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from math import inf

from flipsketch.method.config import SamplingConfig
from flipsketch.models.loading import Loading
from flipsketch.storage.text import count

# From 8 clips on a pass has enough work for a GPU; above 32 there is nothing left to gain.
# On a CPU a larger batch is no faster, and corpora were begun with this one.
CPU_BATCH_SIZE = 4
BATCH_SIZES = (1, 2, 4, 8, 12, 16, 24, 32)
# What is seen of a short schedule is not all: graphs of further shapes, workspaces and gaps between
# blocks come to it, and a worker that runs out of memory hours later costs more than some rows.
USABLE_SHARE = 0.8


@dataclass(frozen=True)
class Savings:
    """Flags that let a smaller device do."""

    offload: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    """Of image-to-video models."""

    @staticmethod
    def of(loading: Loading) -> "Savings":
        return Savings(loading.offload, loading.vae_slicing)

    def list_flags(self) -> list[str]:
        names = [field.name for field in fields(self) if getattr(self, field.name)]
        return [f"--{name.replace('_', '-')}" for name in names]


NO_SAVINGS = Savings()
# In the order of what they cost: last digits; CUDA graphs and seconds of each batch.
SAVINGS = (Savings(vae_slicing=True), Savings(offload=True), Savings(True, True))
# Tiles leave seams.
VIDEO_SAVINGS = (*SAVINGS, Savings(vae_tiling=True), Savings(offload=True, vae_tiling=True))


def usable_bytes(total: int, free: int) -> int:
    """Return what a worker may take of a GPU.

    Args:
        free: before the worker takes any. CUDA itself needs some, so that cards of one type give
            the same answer whatever is free by chance; less than nine tenths is another program.
    """
    return int(USABLE_SHARE * (total if free >= 0.9 * total else free))


def choose_batch_size(peak_bytes: Callable[[int], int | None], usable: int) -> int | None:
    """Return the largest of `BATCH_SIZES` that fits, None if not even one clip does.

    Args:
        peak_bytes: of a batch of so many clips; None if memory ran out. It is asked for 1 and 2
            clips, and then for those sizes, from above, that should fit by these.
    """
    one = peak_bytes(1)
    if one is None or one > usable:
        return None
    two = peak_bytes(2)
    if two is None or two > usable:
        return 1
    each = max(two - one, 1)
    for batch_size in reversed(BATCH_SIZES[2:]):
        if two + (batch_size - 2) * each <= usable:
            peak = peak_bytes(batch_size)
            if peak is not None and peak <= usable:
                return batch_size
    return 2


@dataclass(frozen=True)
class Fit:
    """What fits."""

    batch_size: int
    checkpoint_gradients: bool
    """It changes no clip, so it is chosen where not even one fits without."""


def fit_all(
    fit: Callable[[SamplingConfig], Fit], samplings: Iterable[SamplingConfig], job: SamplingConfig
) -> Fit:
    """Return what fits rows of several kinds, from what fits each. Rows of a kind that does not fit
    at all will fail, and no other row: the job's own kind is taken in their place.

    Raises:
        ValueError: the job's own kind does not fit.
    """
    known = []
    for sampling in samplings:
        try:
            known.append(fit(sampling))
        except ValueError:
            known.append(fit(job))
    return Fit(min(fit.batch_size for fit in known), any(fit.checkpoint_gradients for fit in known))


def find_fit(
    peak_bytes: Callable[[bool, int], int | None],
    usable: int,
    sampling: SamplingConfig,
    *,
    batch_size: int | None = None,
    checkpoint: bool = False,
    find_remedies: Callable[[], list[str]] | None = None,
) -> Fit:
    """Return the largest batch that fits, or whether a given one needs checkpointing.

    Args:
        peak_bytes: with gradients checkpointed or not, of a batch of so many clips, as of
            `choose_batch_size`.
        find_remedies: names flags that would help, besides those known here.

    Raises:
        ValueError: nothing fits; the message says what would help.
    """
    may_checkpoint = not checkpoint and sampling.num_align_steps > 0
    for checkpointed in (checkpoint, True) if may_checkpoint else (checkpoint,):
        peak_of = functools.partial(peak_bytes, checkpointed)
        if batch_size is None:
            found = choose_batch_size(peak_of, usable)
        else:
            # One that was asked for may take more than the usual share.
            found = batch_size if (peak_of(batch_size) or inf) <= usable / USABLE_SHARE else None
        if found is not None:
            return Fit(found, checkpointed)
    needed = peak_of(batch_size or 1)
    takes = "takes more than there is" if needed is None else f"takes {needed / 1e9:.3g} GB"
    if batch_size is None:
        there_is = f"a worker may use {usable / 1e9:.3g} GB (a fifth of its memory is kept free)"
    else:
        there_is = f"a worker has {usable / USABLE_SHARE / 1e9:.3g} GB"
    remedies = [] if find_remedies is None else find_remedies()
    remedies.append("fewer --num-frames")
    if sampling.num_align_steps:
        remedies.append("--align-steps 0")
    remedies.append("a GPU with more memory")
    if (batch_size or 1) > 1:
        remedies.insert(0, "a smaller --batch-size")
    raise ValueError(
        f"a batch of {count(batch_size or 1, 'clip')} of {sampling.num_frames} frames {takes}, and "
        f"{there_is}{', even with gradients checkpointed' if checkpointed else ''}; give "
        f"{', '.join(remedies[:-1])} or {remedies[-1]}"
    )

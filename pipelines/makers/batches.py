"""Rows that are animated together, and what is to be said of a batch that does not fit."""

from collections.abc import Sequence

import torch

from flipsketch.corpus.row import Row
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import batch_settings
from flipsketch.storage.text import one_line


def is_out_of_memory(error: BaseException) -> bool:
    is_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return is_cpu or isinstance(error, torch.OutOfMemoryError | MemoryError)


def describe_out_of_memory(
    error: BaseException,
    batch_size: int,
    sampling: SamplingConfig,
    savings: Sequence[str],
    smaller: str = "",
) -> str:
    """Return why a batch failed, and what of the remedies is left.

    Args:
        savings: flags that would save memory and change no pixel.
        smaller: what would save memory and make other clips, besides a smaller batch.
    """
    remedies = [f"with --retry-failed {flag}, which changes no pixel" for flag in savings]
    if batch_size > 1:
        smaller = smaller or "a smaller --batch-size"
    if smaller:
        remedies.append(f"into another folder with {smaller}")
    return (
        f"memory ran out on a batch of {batch_size} clips of {sampling.num_frames} frames "
        f"({one_line(str(error)).partition('. ')[0]}); run again "
        f"{', or '.join(remedies) or 'on a device with more memory, or with fewer frames'}"
    )


def split_batches(
    rows: list[Row], samplings: dict[int, SamplingConfig], batch_size: int
) -> list[list[Row]]:
    """Split rows into batches whose settings and number of segments allow it, in the order in which
    the manifest first has each kind. Which rows turn out bad does not matter to it."""
    kinds: dict[tuple[SamplingConfig, int], list[Row]] = {}
    for row in rows:
        kind = (batch_settings(samplings[row.index]), len(row.prompts))
        kinds.setdefault(kind, []).append(row)
    return [
        alike[start : start + batch_size]
        for alike in kinds.values()
        for start in range(0, len(alike), batch_size)
    ]

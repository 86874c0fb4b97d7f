"""Near-duplicates among clips, by the cosine of their features."""

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024


def find_duplicates(features: np.ndarray, threshold: float) -> np.ndarray:
    """Return for each clip the first kept clip that it is like, or -1; those are what is kept.

    Takes time that grows with the square of the number of clips.

    Args:
        features: unit vectors (N, D).
        threshold: cosine from which two clips count as alike.
    """
    originals = np.full(len(features), -1)
    kept = torch.zeros(0, dtype=torch.long)
    vectors = torch.from_numpy(features)
    for start in range(0, len(features), BLOCK):
        block = vectors[start : start + BLOCK].float()
        known = first_alike(block, vectors, kept, threshold)
        alike = block @ block.T >= threshold
        for place in range(len(block)):
            if known[place] >= 0:
                originals[start + place] = known[place]
                continue
            before = torch.nonzero(alike[place, :place]).flatten().tolist()
            own = [start + other for other in before if originals[start + other] < 0]
            if own:
                originals[start + place] = own[0]
        new = np.flatnonzero(originals[start : start + BLOCK] < 0) + start
        kept = torch.cat([kept, torch.from_numpy(new)])
    return originals


def first_alike(block: Tensor, vectors: Tensor, kept: Tensor, threshold: float) -> list[int]:
    """Return for each clip of a block the first of the kept ones that it is like, or -1."""
    found = torch.full((len(block),), -1)
    for part in kept.split(16 * BLOCK) if len(kept) else ():
        alike = block @ vectors[part].float().T >= threshold
        first = part[alike.int().argmax(dim=1)]
        found = torch.where((found < 0) & alike.any(dim=1), first, found)
    return found.tolist()

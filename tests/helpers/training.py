"""Samples for a trainer that are made rather than read."""

from typing import Any

import torch

PROMPTS = ("a cat jumps", "a bird flies", "", "a mug shakes")


class MadeLatents:
    """Latents of clips by position, some of which may be damaged."""

    def __init__(
        self, side: int, *, not_finite: int | None = None, unreadable: int | None = None
    ) -> None:
        self.side, self.not_finite, self.unreadable = side, not_finite, unreadable

    def __getitem__(self, position: int) -> dict[str, Any]:
        if position == self.unreadable:
            raise ValueError(f"clip {position} is damaged")
        random = torch.Generator().manual_seed(position)
        latents = torch.randn(4, 3, self.side, self.side, generator=random)
        if position == self.not_finite:
            latents[0, 0] = torch.inf
        return {"latents": latents, "prompt": PROMPTS[position % len(PROMPTS)]}

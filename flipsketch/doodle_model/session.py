"""Where and how long one process works on a stage of the embedded model."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Session:
    device: str
    deadline: float
    """A time of `time.monotonic()`; the first rank's clock counts."""
    rank: int = 0
    """Number of this process among those that share each batch."""
    num_ranks: int = 1

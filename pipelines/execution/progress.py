"""One progress bar at a terminal, with log lines above it."""

import sys
from typing import Self

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm


class ProgressBar:
    """A line with a rate and an ETA; nothing where stderr is no terminal, as in a log."""

    def __init__(self, total: int, *, unit: str, initial: int = 0, smoothing: float = 0.3) -> None:
        """
        Args:
            smoothing: of the rate, from 0 (the mean over all) to 1 (the latest).
        """
        self.redirect = logging_redirect_tqdm()
        self.bar = tqdm(
            total=total,
            initial=initial,
            unit=unit,
            smoothing=smoothing,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def __enter__(self) -> Self:
        self.redirect.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        self.redirect.__exit__(None, None, None)

    @property
    def is_shown(self) -> bool:
        return not self.bar.disable

    def show(self, num_done: int, note: str = "") -> None:
        """Set how much is done, which may be less than before, and what stands behind it."""
        if self.is_shown:
            self.bar.n = num_done
            self.bar.set_postfix_str(note)


def format_interval(seconds: float) -> str:
    return tqdm.format_interval(seconds)

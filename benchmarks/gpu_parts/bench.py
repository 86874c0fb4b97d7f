"""Measuring within a budget: what does not fit is skipped, and what fails has its error."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from measuring import median_seconds, read_peak, reset_peak

from flipsketch.models.video_model import VideoModel
from gpu_parts.rows import SKIPPED, Row, Rows
from gpu_parts.scale import Scale

# Assumed of a row before which nothing like it was measured.
UNKNOWN_S = 10.0
# How many times as fast is more than noise.
WORTHWHILE = 1.02


@dataclass
class Bench:
    model: VideoModel
    scale: Scale
    rows: Rows
    until: float
    """When the budget ends, in seconds since the epoch."""

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.until - time.time()

    def row(
        self,
        table: str,
        case: str,
        facts: Row,
        measure: Callable[[], Row | list[Row]],
        expected_s: float = UNKNOWN_S,
    ) -> None:
        """Measure a case, unless it stands in the table already or there is no time for it.

        Args:
            facts: columns that are known beforehand.
            measure: returns the others, or those of several rows.
            expected_s: how long this is expected to take.
        """
        if self.rows.has(table, case):
            return
        known = {"table": table, "case": case, **facts}
        if self.left < expected_s:
            why = f"{SKIPPED}: takes about {expected_s:.0f} s, {max(0, self.left):.0f} s are left"
            self.rows.add([{**known, "took_s": 0.0, "outcome": why}])
            return
        self.rows.begin({**known, "expected_s": expected_s})
        started, outcome, measured = time.perf_counter(), "ok", [Row()]
        try:
            found = measure()
            measured = found if isinstance(found, list) else [found]
        except Exception as error:  # a row's failure is its own
            outcome = explain(error)
        took_s = round(time.perf_counter() - started, 2)
        self.rows.add([{**known, **row, "took_s": took_s, "outcome": outcome} for row in measured])
        self.rows.end()
        # Not in the handler, where the error holds on to the tensors of all that it came through.
        self.free()

    def free(self) -> None:
        """Return what a case has allocated.

        Raises:
            RuntimeError: its error has left this process without a usable GPU; `gpu.py` goes on in
                another.
        """
        if self.device.type == "cuda":
            gc.collect()
            torch.cuda.synchronize()
            torch.cuda.empty_cache()

    def median_seconds(self, run: Callable[[], object]) -> float:
        return median_seconds(run, self.device, self.scale.repeat_s, self.scale.repeats)

    @contextmanager
    def peak(self) -> Iterator[Row]:
        """Yield a row that has, at the end, the most memory that was in use."""
        row: Row = {}
        reset_peak(self.device)
        yield row
        row["peak_gib"] = round(read_peak(self.device) / 2**30, 2)
        if self.device.type == "cuda":
            # What the allocator keeps, fragments included.
            row["reserved_gib"] = round(torch.cuda.max_memory_reserved() / 2**30, 2)


def explain(error: Exception) -> str:
    kind = "out of memory" if isinstance(error, torch.OutOfMemoryError) else type(error).__name__
    return f"{kind}: {' '.join(str(error).split())}"[:300]

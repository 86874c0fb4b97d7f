"""How training goes, for a person: one line at a terminal, a line now and then in a log."""

import logging
import sys
import time

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from flipsketch.training.trainer import StepReport

log = logging.getLogger(__name__)

LOG_EVERY_S = 10.0


class TrainingProgress:
    def __init__(self, num_done: int, num_steps: int, clips_per_step: int) -> None:
        self.num_steps, self.clips_per_step = num_steps, clips_per_step
        self.redirect = logging_redirect_tqdm()
        self.bar = tqdm(
            total=num_steps,
            initial=num_done,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        # Where the rate is counted from; the first report says where a restarted run goes on.
        self.since: tuple[float, int] | None = None
        self.logged_at = time.monotonic()

    def __enter__(self) -> "TrainingProgress":
        self.redirect.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if not self.bar.disable:
            self.bar.close()
        self.redirect.__exit__(None, None, None)

    def report(self, report: StepReport) -> None:
        """Note how far training is; after a death it may be less far than before."""
        now = time.monotonic()
        if self.since is None or report.step <= self.since[1]:
            self.since = (now, report.step)
        started, first = self.since
        clips_per_s = (report.step - first) * self.clips_per_step / max(1e-9, now - started)
        if not self.bar.disable:
            self.bar.n = report.step
            self.bar.set_postfix_str(f"loss {report.loss:.4f}, {clips_per_s:.1f} clips/s")
        elif now - self.logged_at >= LOG_EVERY_S or report.step == self.num_steps:
            self.logged_at = now
            left = (self.num_steps - report.step) * self.clips_per_step
            rate = ""
            if clips_per_s:
                remaining = tqdm.format_interval(left / clips_per_s)
                rate = f", {clips_per_s:.1f} clips/s, {remaining} left"
            log.info("step %d of %d, loss %.4f%s", report.step, self.num_steps, report.loss, rate)

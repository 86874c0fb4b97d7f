"""How training goes, for a person: one line at a terminal, a line now and then in a log."""

import logging
import time

from flipsketch.training.reports import StepReport
from pipelines.execution.progress import ProgressBar, format_interval

log = logging.getLogger(__name__)

LOG_EVERY_S = 10.0


class TrainingProgress(ProgressBar):
    def __init__(self, num_done: int, num_steps: int, clips_per_step: int) -> None:
        super().__init__(num_steps, unit="step", initial=num_done)
        self.num_steps, self.clips_per_step = num_steps, clips_per_step
        # Where the rate is counted from; the first report says where a restarted run resumes.
        self.since: tuple[float, int] | None = None
        self.logged_at = time.monotonic()

    def report(self, report: StepReport) -> None:
        """Note how far training is; after a death it may be less far than before."""
        now = time.monotonic()
        if self.since is None or report.step <= self.since[1]:
            self.since = (now, report.step)
        started, first = self.since
        clips_per_s = (report.step - first) * self.clips_per_step / max(1e-9, now - started)
        if self.is_shown:
            self.show(report.step, f"loss {report.loss:.4f}, {clips_per_s:.1f} clips/s")
        elif now - self.logged_at >= LOG_EVERY_S or report.step == self.num_steps:
            self.logged_at = now
            left = (self.num_steps - report.step) * self.clips_per_step
            rate = ""
            if clips_per_s:
                remaining = format_interval(left / clips_per_s)
                rate = f", {clips_per_s:.1f} clips/s, {remaining} left"
            log.info("step %d of %d, loss %.4f%s", report.step, self.num_steps, report.loss, rate)

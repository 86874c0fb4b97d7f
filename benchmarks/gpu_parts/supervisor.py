"""A process that measures, and another in its place when a row takes it down."""

import subprocess
import time
from pathlib import Path

from gpu_parts.rows import Rows

# A row whose time was misjudged by more than this has hung, unless it is a short one.
PATIENCE, LEAST_PATIENCE_S = 5.0, 60.0
# For the row that is being measured when the budget ends.
GRACE_S = 20.0
POLL_S = 0.2


def supervise(command: list[str], folder: Path, until: float) -> int:
    """Run a command that writes rows to a folder, again after each row that ends its process.

    Such a row stands among the others with the reason. Returns the exit code.
    """
    while True:
        before = Rows(folder)
        before.end()
        process = subprocess.Popen(command)
        try:
            killed = watch(process, before, until)
        finally:
            process.kill()
            process.wait()
        if process.returncode == 0:
            return 0
        after = Rows(folder)
        if (row := after.begun()) is not None:
            why = killed or f"the process ended by {name_exit(process.returncode)}"
            took_s = round(time.time() - row.pop("begun"), 2)
            del row["expected_s"]
            after.add([{**row, "took_s": took_s, "outcome": f"failed: {why}"}])
        after.end()
        if time.time() > until:
            return 0
        if len(after.rows) == len(before.rows):
            # It does not get as far as a row.
            return process.returncode


def watch(process: subprocess.Popen[bytes], rows: Rows, until: float) -> str:
    """Wait for a process; kill one that hangs, and say why."""
    while process.poll() is None:
        now, row = time.time(), rows.begun()
        if now > until + GRACE_S:
            process.kill()
            return "it was still being measured at the end of the budget"
        if row is not None:
            patience_s = max(LEAST_PATIENCE_S, PATIENCE * row["expected_s"])
            if now - row["begun"] > patience_s:
                process.kill()
                return f"it took longer than {patience_s:.0f} s"
        time.sleep(POLL_S)
    return ""


def name_exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

"""What every process of a job sets up before it does anything else."""

import logging
import sys
from importlib.metadata import version
from typing import Any


class StderrHandler(logging.StreamHandler):
    """Writes to what `sys.stderr` is at the time, which notebooks and tests replace."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        pass


def log_to_stderr() -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    if not any(isinstance(handler, StderrHandler) for handler in root.handlers):
        handler = StderrHandler()
        line = "%(asctime)s %(levelname)s %(message)s"
        handler.setFormatter(logging.Formatter(line, datefmt="%H:%M:%S"))
        root.addHandler(handler)


def library_versions(*names: str) -> dict[str, str]:
    """Return the versions of installed libraries, without importing them."""
    return {name: version(name) for name in names}

"""What every process of a job sets up before it does anything else."""

import logging
import os
import shlex
import sys
from importlib.metadata import version
from typing import Any

from flipsketch.storage.credentials import hide_credentials
from flipsketch.storage.text import one_line

# No paths: files are each machine's own.
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
ENDPOINTS = (
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    "AWS_EC2_METADATA_DISABLED",
)
HUB_TOKEN, HUB = "HF_TOKEN", ("HF_ENDPOINT", "HF_HUB_OFFLINE")
MAX_LOG_CHARS = 4_000


class StderrHandler(logging.StreamHandler):
    """Writes to what `sys.stderr` is at the time, which notebooks and tests replace."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        pass


class LineFormatter(logging.Formatter):
    """One line for each message, without what a terminal would act on: ids, paths and prompts are
    other people's."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message, MAX_LOG_CHARS)
        return super().formatMessage(record)


def log_to_stderr() -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    if not any(isinstance(handler, StderrHandler) for handler in root.handlers):
        handler = StderrHandler()
        line = "%(asctime)s %(levelname)s %(message)s"
        handler.setFormatter(LineFormatter(line, datefmt="%H:%M:%S"))
        root.addHandler(handler)


def store_variables() -> dict[str, str]:
    """Return the variables of the environment that say how S3 and the Hugging Face Hub are reached,
    and as whom."""
    names = (*KEYS, *ENDPOINTS, HUB_TOKEN)
    return {name: os.environ[name] for name in names if os.environ.get(name)} | hub_variables()


def hub_variables() -> dict[str, str]:
    """Return the variables that say where the Hub is, and none that are secret."""
    return {name: os.environ[name] for name in HUB if os.environ.get(name)}


def take_over(variables: dict[str, str]) -> None:
    """Put another process's `store_variables` in place of this one's."""
    if KEYS[0] in variables:
        # A token goes with its key alone.
        for name in KEYS:
            os.environ.pop(name, None)
    os.environ.update(variables)


def command_line() -> str:
    """Return the process's command line as plans note it, quoted for a shell."""
    return shlex.join(map(hide_credentials, sys.argv))


def library_versions(*names: str) -> dict[str, str]:
    """Return the versions of installed libraries, without importing them."""
    return {name: version(name) for name in names}

"""What every job's command line has in common."""

import logging
import signal
import sys
from collections.abc import Callable
from typing import Any

from flipsketch.cli import parse
from flipsketch.models.video_model import quiet_libraries
from pipelines.execution.process import log_to_stderr

log = logging.getLogger(__name__)


def run(pipeline: Callable[[Any], int], config_class: type, description: str | None) -> int:
    """Parse the command line into the config, run the pipeline, return the exit code.

    What people give us and cannot be used (ValueError, OSError) ends in a line on stderr and 2;
    bugs keep their traceback.
    """
    log_to_stderr()
    quiet_libraries()
    # `ray job stop` and `kill` end a job as Ctrl-C does, also one that a shell started in the
    # background, where Ctrl-C is ignored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return pipeline(parse(config_class, description))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        log.warning("interrupted; the same command goes on")
        return 130

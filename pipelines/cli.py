"""What every job's command line has in common."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flipsketch.cli import CANNOT_BE_DONE, INTERRUPTED, parse, report_error
from flipsketch.models.quiet import quiet_libraries
from flipsketch.openmp import let_idle_threads_sleep
from flipsketch.storage.waiting import calls_hang, end_process
from pipelines.execution.process import log_to_stderr
from pipelines.execution.work import JobError

log = logging.getLogger(__name__)


def run(
    pipeline: Callable[[Any], int],
    config_class: type,
    description: str | None,
    args: Sequence[str] | None = None,
) -> int:
    """Parse the command line into the config, run the pipeline, return the exit code.

    What keeps the job from being done ends in a line on stderr and 2; bugs keep their traceback.

    Args:
        args: flags to parse in place of the process's own, for a job called from Python.
    """
    code = parse_and_run(pipeline, config_class, description, args)
    if args is None and calls_hang():
        end_process(code)
    return code


def parse_and_run(
    pipeline: Callable[[Any], int],
    config_class: type,
    description: str | None,
    args: Sequence[str] | None,
) -> int:
    log_to_stderr()
    quiet_libraries()
    let_idle_threads_sleep()
    config = None
    try:
        config = parse(config_class, description, args=args)
        with interrupted_by_sigterm():
            return pipeline(config)
    except JobError as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_BE_DONE
    except KeyboardInterrupt:
        log.warning("interrupted; rerun the same command to resume")
        return INTERRUPTED
    except BaseException as error:
        if isinstance(error, SystemExit) and config is None:
            # How the parser ends after --help (0) and after a wrong flag (2).
            return int(error.code or 0)
        return report_error(error)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let `ray job stop` and `kill` end a job as Ctrl-C does, also one that a shell started in the
    background, where Ctrl-C is ignored."""
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread alone.
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler), sys.unraisablehook
    sys.unraisablehook = repeat_lost_interrupt
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before[0])
        sys.unraisablehook = before[1]


def repeat_lost_interrupt(unraisable: Any) -> None:
    """Interrupt once more, a moment later, where Python drops a KeyboardInterrupt: one that falls
    into a destructor or the callback of a weak reference, as one in fifty did."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal_me = [threading.get_ident(), signal.SIGTERM]
        threading.Timer(0.01, signal.pthread_kill, signal_me).start()
    else:
        sys.__unraisablehook__(unraisable)

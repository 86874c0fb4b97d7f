"""Calls that may never come back: of a mount whose server is gone, or of a server that is silent.

Such a call can be interrupted neither by a signal nor by an exception. It is made in a thread of
its own, which is left behind when the time is up.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, NoReturn, TypeVar

Result = TypeVar("Result")

# Threads left behind in one process: each may hold a connection and the memory of an answer.
MAX_LEFT_BEHIND = 32


class Call(Generic[Result]):
    """A call in a thread of its own."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self.function = function
        self.ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()
            left_behind.discard(self)

    def leave_behind(self) -> None:
        left_behind.add(self)
        if self.ended.is_set():
            left_behind.discard(self)


left_behind: set[Call] = set()


def call_in_time(function: Callable[[], Result], limit_s: float | None, what: str) -> Result:
    """Return what a function returns, or raise what it raises; Ctrl-C and SIGTERM get through while
    it runs, whatever it waits for.

    Args:
        limit_s: seconds after which it is left behind; None waits as long as it takes.
        what: what is done, for the error: "s3://bucket/cat.svg: reading".

    Raises:
        TimeoutError: it has not come back in time, or too many earlier calls never have.
    """
    if len(left_behind) >= MAX_LEFT_BEHIND:
        raise TimeoutError(
            f"{what}: not tried, since {len(left_behind)} earlier calls still wait for a disk or "
            f"server; see that it answers, then rerun the same command"
        )
    call = Call(function)
    thread = threading.Thread(target=call.run, name=f"call-{what}", daemon=True)
    try:
        thread.start()
        in_time = call.ended.wait(limit_s)
    except BaseException:
        call.leave_behind()
        raise
    if not in_time:
        call.leave_behind()
        raise TimeoutError(
            f"{what} took longer than the {limit_s:g} s allowed; see that the disk or server "
            f"answers"
        )
    if call.error is not None:
        raise call.error
    return call.result


def calls_hang() -> bool:
    """Tell whether calls were left behind that have not come back since."""
    return bool(left_behind)


def end_process(code: int) -> NoReturn:
    """End the process without the clean-up in which pyarrow waits for calls that hang."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Nobody may be reading any more.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)

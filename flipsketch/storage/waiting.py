"""Calls that may never come back: of a mount whose server is gone, or of a server that is silent.

Such a call can be interrupted neither by a signal nor by an exception. It is made in another
thread, which is left behind when the time is up.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, NoReturn, TypeVar

Result = TypeVar("Result")

# Threads left behind for one store: each may hold a connection and the memory of an answer.
MAX_LEFT_BEHIND = 16
MAX_DAYS = 30


def check_seconds(name: str, value: float) -> None:
    """Raise ValueError for a time that is none, or that timers do not take: NaN, or an age."""
    if not 0 < value <= MAX_DAYS * 86400:
        raise ValueError(
            f"{name} must be more than 0 and at most {MAX_DAYS * 86400} seconds ({MAX_DAYS} days), "
            f"got {value}"
        )


class Call(Generic[Result]):
    """A call that another thread makes."""

    def __init__(self, function: Callable[[], Result], store: str) -> None:
        self.function, self.store = function, store
        self.ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def make(self) -> None:
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error

    def leave_behind(self) -> None:
        left_behind.add(self)
        if self.ended.is_set():
            left_behind.discard(self)


class Caller:
    """A thread that makes one call after the other: to start one for each takes as long as to read
    a small file."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Call] = SimpleQueue()
        threading.Thread(target=self.run, name="caller", daemon=True).start()

    def run(self) -> None:
        while True:
            call = self.calls.get()
            call.make()
            under_way.discard(call)
            idle.append(self)
            call.ended.set()
            left_behind.discard(call)
            del call


under_way: set[Call] = set()
left_behind: set[Call] = set()
idle: list[Caller] = []
# Threads stay with the process that forks.
os.register_at_fork(after_in_child=idle.clear)
os.register_at_fork(after_in_child=under_way.clear)


def call_in_time(
    function: Callable[[], Result], limit_s: float | None, what: str, *, store: str = ""
) -> Result:
    """Return what a function returns, or raise what it raises; Ctrl-C and SIGTERM get through while
    it runs, whatever it waits for.

    Args:
        limit_s: seconds after which it is left behind; None waits as long as it takes.
        what: what is done, for the error: "s3://bucket/cat.svg: reading".
        store: the folder or server that it waits for.

    Raises:
        TimeoutError: it has not come back in time, or too many earlier calls to this store have
            not.
    """
    num_waiting = sum(call.store == store for call in list(left_behind))
    if num_waiting >= MAX_LEFT_BEHIND:
        raise TimeoutError(
            f"{what} was not tried, since {num_waiting} earlier calls still wait for the disk or "
            f"server; see that it answers"
        )
    call = Call(function, store)
    under_way.add(call)
    try:
        next_caller().calls.put(call)
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


def next_caller() -> Caller:
    try:
        return idle.pop()
    except IndexError:
        return Caller()


def calls_hang() -> bool:
    """Tell whether calls have not come back: left behind, or made by a thread that still waits."""
    return bool(under_way)


def end_process(code: int) -> NoReturn:
    """End the process without the clean-up in which pyarrow waits for calls that hang."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Nobody may be reading any more.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)

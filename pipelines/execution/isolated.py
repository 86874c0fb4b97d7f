"""Calling a function for each of many things in processes of their own: one that dies or hangs
costs what it was at, and nothing else."""

import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from pipelines.execution.work import JobError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Memory may have run out for another's sake.
MAX_DEATHS = 2
# To import what the function needs, from a slow disk.
START_S = 300.0
# Between the end of a process's connection and its own.
DEATH_S = 5.0
# Results that wait for an earlier one, so that they come in order: seconds of work beside an item
# that hangs.
MAX_AHEAD = 2048


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """What stands in for the result of an item that cost its process."""

    item: Item
    reason: str


def call_isolated(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_processes: int,
    limit_s: float,
) -> Generator[Result | Lost[Item], None, None]:
    """Yield what a function returns for each item, in order; all processes are gone when the
    iteration ends, is given up or interrupted.

    Args:
        call: picklable, as are items and results.
        limit_s: seconds that an item may take.

    Raises:
        JobError: processes end before they begin.
    """
    crew = Crew(call, iter(enumerate(items)), limit_s)
    try:
        yield from crew.run(num_processes)
    finally:
        crew.end()


class Process:
    """One of the processes, and the item that it is at."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        # Not forked: the threads of this process may hold locks, and a fork would keep the other
        # processes' pipes open.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, call), daemon=True)
        # It would let Ctrl-C through when it starts.
        resource_tracker.ensure_running()
        # A terminal sends Ctrl-C to all of its processes; this one ends the others itself.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.item: tuple[int, Any] | None = None
        self.is_ready = False
        self.deadline = time.monotonic() + START_S

    def give(self, item: tuple[int, Any], limit_s: float) -> None:
        self.item, self.deadline = item, time.monotonic() + limit_s
        # If it is dead, that shows when its answer is read.
        with suppress(OSError):
            self.connection.send(item[1])

    @property
    def is_at_work(self) -> bool:
        return self.item is not None or not self.is_ready

    def describe_death(self) -> str:
        self.process.join(DEATH_S)
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def serve(connection: Connection, call: Callable[[Any], Any]) -> None:
    """Answer until the other process has closed the connection, or is dead."""
    connection.send(None)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        connection.send(call(item))


class Crew(Generic[Item, Result]):
    """The processes, and what they have finished."""

    def __init__(
        self,
        call: Callable[[Item], Result],
        items: Iterator[tuple[int, Item]],
        limit_s: float,
    ) -> None:
        self.call, self.items, self.limit_s = call, items, limit_s
        self.processes: list[Process] = []
        self.again: list[tuple[int, Item]] = []
        """Taken, and at no process: that which they were at is dead."""
        self.deaths: Counter[int] = Counter()
        self.finished: dict[int, Result | Lost[Item]] = {}
        self.num_taken = self.num_yielded = 0
        self.is_all_taken = False

    def run(self, num_processes: int) -> Iterator[Result | Lost[Item]]:
        # No more processes than items.
        self.again = [*islice(self.items, num_processes)][::-1]
        self.num_taken, self.is_all_taken = len(self.again), len(self.again) < num_processes
        self.processes = [Process(self.call) for _ in self.again]
        while True:
            self.hand_out()
            while self.num_yielded in self.finished:
                yield self.finished.pop(self.num_yielded)
                self.num_yielded += 1
                self.hand_out()
            if self.is_all_taken and self.num_yielded == self.num_taken:
                return
            self.wait()

    def hand_out(self) -> None:
        for process in self.processes:
            if process.is_at_work:
                continue
            if (item := self.take()) is None:
                return
            process.give(item, self.limit_s)

    def take(self) -> tuple[int, Item] | None:
        if self.again:
            return self.again.pop()
        if self.num_taken - self.num_yielded >= MAX_AHEAD:
            return None
        item = next(self.items, None)
        self.is_all_taken = item is None
        self.num_taken += not self.is_all_taken
        return item

    def wait(self) -> None:
        """Wait until something happens to a process, and see to it."""
        at_work = [process for process in self.processes if process.is_at_work]
        first = min(process.deadline for process in at_work)
        left_s = max(0.0, first - time.monotonic())
        heard = wait([process.connection for process in at_work], left_s)
        for process in at_work:
            if process.connection in heard:
                self.hear(process)
            elif time.monotonic() > process.deadline:
                self.give_up(process, f"took longer than {self.limit_s:g} s")

    def hear(self, process: Process) -> None:
        try:
            answer = process.connection.recv()
        except (EOFError, OSError):
            self.see_to_death(process)
            return
        if process.item is None:
            process.is_ready = True
            return
        self.finished[process.item[0]] = answer
        process.item = None

    def see_to_death(self, process: Process) -> None:
        how = process.describe_death()
        if process.item is not None and self.deaths[process.item[0]] + 1 < MAX_DEATHS:
            self.deaths[process.item[0]] += 1
            self.again.append(process.item)
            self.replace(process)
            return
        self.give_up(
            process,
            f"ended its process {MAX_DEATHS} times ({how}): memory ran out, or a library crashed",
        )

    def give_up(self, process: Process, reason: str) -> None:
        if process.item is None:
            raise JobError(
                f"a process could not be started ({process.describe_death()}); what it printed "
                f"stands above, and the system's log may say more"
            )
        index, item = process.item
        self.finished[index] = Lost(item, reason)
        self.replace(process)

    def replace(self, process: Process) -> None:
        process.end()
        self.processes[self.processes.index(process)] = Process(self.call)

    def end(self) -> None:
        for process in self.processes:
            process.end()

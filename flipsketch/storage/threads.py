"""Many reads at once, in threads that hold up neither Ctrl-C nor the end of the process."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Footers are small and may be far: in an object store the waiting is what takes the time.
NUM_THREADS = 32


class Readers:
    """Threads that make calls in the order in which they are submitted.

    Unlike those of a ThreadPoolExecutor nobody waits for them: a call may be one to a server that
    is silent.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.num_started = 0
        self.jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, read: Callable[[Item], Result], item: Item) -> "Future[Result]":
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(read(item))
            except BaseException as error:
                future.set_exception(error)

        self.jobs.put(run)
        if self.num_started < self.number:
            self.num_started += 1
            Thread(target=self.work, daemon=True).start()
        return future

    def work(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()

    def close(self) -> None:
        """Drop what has not begun, and let the threads end when they are done."""
        while True:
            try:
                self.jobs.get_nowait()
            except Empty:
                break
        for _ in range(self.num_started):
            self.jobs.put(None)

    def __enter__(self) -> "Readers":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def in_threads(read: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Return what a function returns for each item, in their order; raise what it raises first."""
    with Readers(NUM_THREADS) as readers:
        futures = [readers.submit(read, item) for item in items]
        return [future.result() for future in futures]

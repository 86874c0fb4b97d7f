"""Actors on Ray that make shards, and the driver's side of it.

A maker is a class whose instances have `make_shard(index, rows, report)`. It commits its shard
itself, so no clip ever travels. The driver hands each actor one shard at a time, and one more to
read ahead, and replaces actors that die. (Ray Data would retry a row that kills its process for
ever, could not say which shard it was, and would load the models again for each wave of blocks.)
"""

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError

from flipsketch.corpus.row import Row
from flipsketch.openmp import let_idle_threads_sleep
from flipsketch.storage.text import one_line
from pipelines.execution.ahead import make_in_line
from pipelines.execution.tally import reach_stores, start_heartbeat, start_tally
from pipelines.execution.work import Maker, Report, Resources, Shard, StagedMaker

log = logging.getLogger(__name__)

# A row that kills its process does so four times; so many such rows in a row are no accident.
MAX_DEATHS_IN_A_ROW = 20
MAX_DEATHS_WHILE_LOADING = 3
# Subject, with the shard's index, of what an actor reports that exits with its shard made.
MADE = "made"


@dataclass(eq=False)
class Worker:
    actor: Any
    room: int = 0
    """Shards that it can have under way: none while it loads its maker, two if it reads ahead."""
    num_shards: int = 0
    """Shards that it has under way."""


class ActorPool:
    """The driver's side: which actor makes what, which died, and whether the run has stalled."""

    def __init__(
        self,
        resources: Resources,
        maker: Callable[[], Maker],
        report: Report,
        stall_timeout_s: float,
    ) -> None:
        self.resources, self.report, self.stall_timeout_s = resources, report, stall_timeout_s
        self.tally = start_tally()
        self.maker = ray.put(maker)
        # Bounds of our own stand in for Ray's retries: only the driver knows which shard it was.
        self.remote_actor = ray.remote(
            num_cpus=resources.num_cpus,
            num_gpus=resources.num_gpus,
            max_restarts=0,
            max_task_retries=0,
            # One shard that is made, and one that is read ahead.
            max_concurrency=2,
        )(ShardActor)
        self.workers: list[Worker] = []
        self.at_work: dict[Any, tuple[Worker, Shard | None]] = {}
        """What each call is about: a shard, or None of one that loads a maker."""
        self.waiting: list[Shard] = []
        """Shards that no worker has, the next one last."""
        self.deaths_in_a_row = self.deaths_while_loading = 0
        self.most_ok: dict[int, int] = {}
        """Good rows of each shard under way, in the attempt that had most."""
        self.made_last: dict[int, Any] = {}
        """What actors made that have exited since."""
        self.last_sign_of_life = time.monotonic()

    def run(self, shards: Iterator[Shard]) -> Iterator[Any]:
        for _ in range(self.resources.workers):
            self.start_worker()
        while True:
            self.hand_out(shards)
            is_making = any(shard is not None for _, shard in self.at_work.values())
            if not is_making and any(worker.room for worker in self.workers):
                return
            ready, _ = ray.wait(list(self.at_work), timeout=1.0)
            self.poll_reports()
            for done in ready:
                worker, shard = self.at_work.pop(done)
                if shard is not None:
                    worker.num_shards -= 1
                try:
                    made = ray.get(done)
                except RayActorError as error:
                    self.poll_reports()
                    if shard is not None and shard[0] in self.made_last:
                        self.mark_progress()
                        self.replace(worker)
                        yield self.made_last.pop(shard[0])
                    else:
                        self.replace_dead(worker, shard, error)
                    continue
                except RayTaskError as error:
                    if shard is None and len(self.workers) > 1:
                        log.error("an actor cannot begin and is dropped: %s", error.cause)
                        self.workers.remove(worker)
                        continue
                    raise error.cause from None
                if shard is None:
                    log.info("an actor is ready")
                    worker.room = made
                    # That it loads says nothing of what it dies of later.
                    self.deaths_while_loading = 0
                    self.last_sign_of_life = time.monotonic()
                else:
                    self.mark_progress()
                    self.most_ok.pop(shard[0], None)
                    yield made
            self.raise_if_stalled()

    def hand_out(self, shards: Iterator[Shard]) -> None:
        """Give each worker a shard, and those that read ahead one more, unless so few are left that
        each had better go to whoever has nothing to do."""
        for taken in range(max((worker.room for worker in self.workers), default=0)):
            for worker in self.workers:
                if worker.num_shards > taken or worker.room <= taken:
                    continue
                num_wanted = 1 + (len(self.workers) if taken else 0)
                while len(self.waiting) < num_wanted and (shard := next(shards, None)):
                    self.waiting.insert(0, shard)
                if len(self.waiting) < num_wanted:
                    return
                shard = self.waiting.pop()
                worker.num_shards += 1
                self.at_work[worker.actor.make_shard.remote(*shard)] = (worker, shard)

    def start_worker(self) -> None:
        worker = Worker(self.remote_actor.remote(self.tally))
        self.workers.append(worker)
        self.at_work[worker.actor.load.remote(self.maker)] = (worker, None)

    def replace(self, worker: Worker) -> None:
        """Start another in place of one that has exited; it may have had two shards."""
        if worker in self.workers:
            self.workers.remove(worker)
            self.start_worker()

    def replace_dead(self, worker: Worker, shard: Shard | None, error: RayActorError) -> None:
        """Give a dead actor's shard to the next one that is free, and start another."""
        cause = one_line(str(error), 300)
        if isinstance(error, ActorUnavailableError):
            ray.kill(worker.actor)  # out of reach; if it lives on, it must not continue its shard
        if shard is not None:
            self.waiting.append(shard)
            log.warning("an actor died in shard %05d, which is started again: %s", shard[0], cause)
        if worker not in self.workers:
            # With two shards it is heard of twice.
            return
        self.workers.remove(worker)
        self.deaths_in_a_row += 1
        if shard is None:
            self.deaths_while_loading += 1
            log.warning("an actor died while it loaded the model: %s", cause)
        # A node may go with all its actors at once.
        if self.deaths_in_a_row >= max(MAX_DEATHS_IN_A_ROW, 2 * self.resources.workers):
            raise ChildProcessError(
                f"actors died {self.deaths_in_a_row} times in a row without a single good row in "
                f"between, the last time because of this: {cause}; committed shards are kept"
            )
        if self.deaths_while_loading < MAX_DEATHS_WHILE_LOADING:
            self.start_worker()
        elif not self.workers:
            raise ChildProcessError(
                f"every actor died while it loaded the model, the last one because of this: "
                f"{cause}; if memory ran out, give fewer --workers; committed shards are kept"
            )

    def poll_reports(self) -> None:
        try:
            is_alive, reports = ray.get(self.tally.poll.remote(), timeout=10)
        except RayError:
            return  # busy, or gone with its node: then the driver's node is gone too
        if is_alive:
            self.last_sign_of_life = time.monotonic()
        for subject, value in reports.items():
            if isinstance(subject, tuple):
                self.made_last[subject[1]] = value
                continue
            index, (num_ok, num_failed) = subject, value
            # Rows that an earlier attempt had made as well are no progress.
            if num_ok > self.most_ok.get(index, 0):
                self.most_ok[index] = num_ok
                self.mark_progress()
            self.report(index, num_ok, num_failed)

    def mark_progress(self) -> None:
        self.deaths_in_a_row = self.deaths_while_loading = 0
        self.last_sign_of_life = time.monotonic()

    def raise_if_stalled(self) -> None:
        """Living actors report every few seconds, however slow their shard is."""
        if time.monotonic() - self.last_sign_of_life > self.stall_timeout_s:
            raise TimeoutError(
                f"no actor reported for {self.stall_timeout_s:.0f} s; "
                f"{self.resources.workers} were requested with {self.resources.ask} each, the Ray "
                f"cluster has "
                f"{ray.available_resources()} free of {ray.cluster_resources()}; check whether "
                f"it is busy with other jobs or has lost nodes; committed shards are kept"
            )

    def close(self) -> None:
        """End all actors: none must write after the driver has gone."""
        for worker in self.workers:
            ray.kill(worker.actor)
        ray.kill(self.tally)


class ShardActor:
    """A maker in a separate process."""

    def __init__(self, tally: Any) -> None:
        # Before the maker brings PyTorch with it.
        let_idle_threads_sleep()
        if threading.current_thread() is threading.main_thread():
            # Ray would raise SystemExit, into the middle of a row that is not to blame.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.tally, self.lock = tally, threading.Lock()
        reach_stores(tally)
        start_heartbeat(tally)

    def load(self, maker: Callable[[], Maker]) -> int:
        """Return how many shards the actor can have under way."""
        self.maker = maker()
        self.shards, self.made = SimpleQueue[Shard](), deque[Future[Any]]()
        # One for all shards: libraries on a GPU prepare themselves anew for each thread.
        threading.Thread(target=self.make_shards, name="shards", daemon=True).start()
        return 2 if isinstance(self.maker, StagedMaker) else 1

    def make_shards(self) -> None:
        try:
            for made in make_in_line(self.maker, iter(self.shards.get, None), self.report):
                self.made.popleft().set_result(made)
        except BaseException as error:
            for waiting in self.made:
                waiting.set_exception(error)

    def make_shard(self, index: int, rows: list[Row]) -> Any:
        waiting: Future[Any] = Future()
        with self.lock:
            self.made.append(waiting)
            self.shards.put((index, rows))
        made = waiting.result()
        # A row may have called ray.actor.exit_actor: then what is returned now is lost.
        if ray._private.worker.global_worker.core_worker.get_current_actor_should_exit():
            ray.get(self.tally.report.remote((MADE, index), made))
        return made

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        self.tally.report.remote(index, (num_ok, num_failed))

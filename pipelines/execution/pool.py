"""Actors on Ray that make shards, and the driver's side of it.

A maker is a class whose instances have `make_shard(index, rows, report)`. It commits its shard
itself, so no clip ever travels. The driver hands each actor one shard at a time and replaces actors
that die. (Ray Data would retry a row that kills its process for ever, could not say which shard it
was, and would load the models again for each wave of blocks.)
"""

import logging
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from flipsketch.corpus.row import Row
from pipelines.execution.work import Maker, Report, Resources, Shard

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
# A row that kills its process does so four times; so many such rows in a row are no accident.
MAX_DEATHS_IN_A_ROW = 20
MAX_DEATHS_WHILE_LOADING = 3


@dataclass(eq=False)
class Worker:
    actor: Any
    shard: Shard | None = None
    """What it makes; None while it loads its maker, and when it has nothing to do."""


class ActorPool:
    """The driver's side: who makes what, who died, and whether anything moves at all."""

    def __init__(
        self,
        resources: Resources,
        maker: Callable[[], Maker],
        report: Report,
        stall_timeout_s: float,
    ) -> None:
        self.resources, self.report, self.stall_timeout_s = resources, report, stall_timeout_s
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.tally = ray.remote(num_cpus=0, scheduling_strategy=here)(Tally).remote()
        self.maker = ray.put(maker)
        # Bounds of our own stand in for Ray's retries: only the driver knows which shard it was.
        self.remote_actor = ray.remote(
            num_cpus=resources.num_cpus,
            num_gpus=resources.num_gpus,
            max_restarts=0,
            max_task_retries=0,
        )(ShardActor)
        self.at_work: dict[Any, Worker] = {}
        self.idle: list[Worker] = []
        self.again: list[Shard] = []
        self.deaths_in_a_row = self.deaths_while_loading = 0
        self.last_news = time.monotonic()

    def run(self, shards: Iterator[Shard]) -> Iterator[int]:
        for _ in range(self.resources.workers):
            self.hire()
        while True:
            while self.idle and (shard := self.again.pop() if self.again else next(shards, None)):
                worker = self.idle.pop()
                worker.shard = shard
                self.at_work[worker.actor.make_shard.remote(*shard)] = worker
            if not any(worker.shard for worker in self.at_work.values()) and self.idle:
                return
            ready, _ = ray.wait(list(self.at_work), timeout=1.0)
            self.take_news()
            for done in ready:
                worker = self.at_work.pop(done)
                try:
                    ray.get(done)
                except RayActorError as error:
                    self.replace_dead(worker, error)
                    continue
                except RayTaskError as error:
                    if worker.shard is None and (self.idle or self.at_work):
                        log.error("an actor cannot begin and is let go: %s", error.cause)
                        continue
                    raise error.cause from None
                self.note_life()
                if worker.shard is None:
                    log.info("an actor is ready")
                else:
                    yield worker.shard[0]
                    worker.shard = None
                self.idle.append(worker)
            self.refuse_standstill()

    def hire(self) -> None:
        actor = self.remote_actor.remote(self.tally)
        self.at_work[actor.load.remote(self.maker)] = Worker(actor)

    def replace_dead(self, worker: Worker, error: RayActorError) -> None:
        """Give a dead actor's shard to the next one that is free, and hire another."""
        cause = textwrap.shorten(str(error), 300)
        self.deaths_in_a_row += 1
        if isinstance(error, ActorUnavailableError):
            ray.kill(worker.actor)  # out of reach; if it lives on, it must not go on with its shard
        if worker.shard is None:
            self.deaths_while_loading += 1
            log.warning("an actor died while it loaded the model: %s", cause)
        else:
            self.again.append(worker.shard)
            log.warning(
                "an actor died in shard %05d, which is begun again: %s", worker.shard[0], cause
            )
        if self.deaths_in_a_row >= MAX_DEATHS_IN_A_ROW:
            raise ChildProcessError(
                f"actors died {self.deaths_in_a_row} times in a row without a single good row in "
                f"between, the last of this: {cause}; what is committed stays"
            )
        if self.deaths_while_loading < MAX_DEATHS_WHILE_LOADING:
            self.hire()
        elif not self.idle and not self.at_work:
            raise ChildProcessError(
                f"every actor died while it loaded the model, the last of this: {cause}; if memory "
                f"ran out, give fewer --workers; what is committed stays"
            )

    def take_news(self) -> None:
        try:
            heard, news = ray.get(self.tally.take_news.remote(), timeout=10)
        except RayError:
            return  # busy, or gone with its node: then the driver's node is gone too
        if heard:
            self.last_news = time.monotonic()
        for index, (num_ok, num_failed) in news.items():
            if num_ok:
                self.note_life()
            self.report(index, num_ok, num_failed)

    def note_life(self) -> None:
        self.deaths_in_a_row = self.deaths_while_loading = 0
        self.last_news = time.monotonic()

    def refuse_standstill(self) -> None:
        """Living actors are heard of every few seconds, however slow their shard is."""
        if time.monotonic() - self.last_news > self.stall_timeout_s:
            raise TimeoutError(
                f"no actor was heard of for {self.stall_timeout_s:.0f} s; {self.resources.workers} "
                f"were asked for with {self.resources.ask} each, the Ray cluster has "
                f"{ray.available_resources()} free of {ray.cluster_resources()}; is it busy with "
                f"other jobs, or did its nodes go? What is committed stays"
            )

    def close(self) -> None:
        """End all actors: none must write after the driver has gone."""
        for worker in [*self.idle, *self.at_work.values()]:
            ray.kill(worker.actor)
        ray.kill(self.tally)


class ShardActor:
    """A maker in a process of its own."""

    def __init__(self, tally: Any) -> None:
        self.tally = tally
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self) -> None:
        while True:
            self.tally.beat.remote()
            time.sleep(HEARTBEAT_S)

    def load(self, maker: Callable[[], Maker]) -> None:
        self.maker = maker()

    def make_shard(self, index: int, rows: list[Row]) -> None:
        self.maker.make_shard(index, rows, self.report)

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        self.tally.report.remote(index, num_ok, num_failed)


class Tally:
    """Rows finished in each shard, where all actors can tell and the driver can ask."""

    def __init__(self) -> None:
        self.heard = False
        self.news: dict[int, tuple[int, int]] = {}

    def beat(self) -> None:
        self.heard = True

    def report(self, index: int, num_ok: int, num_failed: int) -> None:
        self.heard, self.news[index] = True, (num_ok, num_failed)

    def take_news(self) -> tuple[bool, dict[int, tuple[int, int]]]:
        """Return whether anybody spoke since the last call, and what was reported."""
        heard, news = self.heard, self.news
        self.heard, self.news = False, {}
        return heard, news

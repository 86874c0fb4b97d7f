#!/usr/bin/env python
"""Kill everything that can be killed, rerun the same command, and count what is lost.

An actor, the driver, a whole Ray node: SIGKILL at random moments (seeded) and at each step of a
commit; and the local executor, in children that are forked off after the imports. After each kill
every file that can be seen is compared with that of an uninterrupted run. On a local disk, or on an
S3 server on this machine.

    python benchmarks/kills.py
    python benchmarks/kills.py --roles local --local-kills 50
    python benchmarks/kills.py --store s3 --local-kills 200
"""

import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

import psutil
import pyarrow.parquet as pq
import ray
import tyro
from ray.cluster_utils import Cluster

from benchmarks.killing import (
    DISK_STEPS,
    STORE_STEPS,
    end_all,
    is_actor,
    kill,
    kill_at,
    mute,
    start_ray,
    wait,
)
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from flipsketch.storage.location import split_query
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.execution.config import ExecutorConfig
from tests.helpers.corpora import (
    SKETCHES,
    exit_code,
    good_rows,
    make_manifest,
    read_rows,
    read_tars,
    same_corpus,
    start_child,
)
from tests.helpers.s3 import BUCKET, CREDENTIALS, S3Server

# The least work that makes a clip: what is tried here is all around it.
SAMPLING = SamplingConfig(
    num_frames=2, num_inference_steps=1, guidance_scale=1.0, align_steps=0, compose_steps=0
)
REFUSED = 99  # as children end that raise an error
Role = Literal["local", "driver", "actor", "node", "steps", "actor-steps", "together"]


@dataclass(frozen=True, kw_only=True)
class KillConfig:
    # Nodes last: after them this process has threads, and forks of it would not.
    roles: tuple[Role, ...] = (
        *("steps", "together", "local"),
        *("actor-steps", "actor", "driver", "node"),
    )
    """What to kill; 'steps' is the local executor and 'actor-steps' an actor at each step;
    'together' kills nothing, but starts a second driver beside one that runs."""
    store: Literal["disk", "s3"] = "disk"
    """Where the corpora are made."""
    kills: int = 20
    """Number of kills of actors, of drivers and of nodes, each."""
    local_kills: int = 500
    rows: int = 24
    """Rows of the manifest, two in each shard."""
    ray_rows: int = 960
    """For runs on Ray, which take half a minute to begin."""
    driver_s: float = 40
    """A driver on Ray is killed before it is so old; its first row takes some 15 s."""
    seed: int = 0


@dataclass
class Outcome:
    role: str
    """What was killed, as the table says it."""
    kills: int = 0
    runs: int = 0
    """Corpora that were completed in spite of the kills."""
    lost: int = 0
    """Rows that are not in the corpus, or have failed."""
    doubled: int = 0
    """Samples beyond the first of a key."""
    half: int = 0
    """Files seen after a kill that are not, byte for byte, those of the uninterrupted run."""
    unequal: int = 0
    """Corpora that differ from the uninterrupted one."""


def main(config: KillConfig) -> None:
    logging.disable(logging.WARNING)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch, serve(config) as server:
        matrix = KillMatrix(Path(scratch), config, server)
        print("| killed | kills | corpora | lost | doubled | half files seen | unequal |")
        print("|---|---|---|---|---|---|---|", flush=True)
        bad = 0
        for role in config.roles:
            outcome = getattr(matrix, f"kill_{role.replace('-', '_')}")()
            print(
                f"| {outcome.role} | {outcome.kills} | {outcome.runs} | {outcome.lost} "
                f"| {outcome.doubled} | {outcome.half} | {outcome.unequal} |",
                flush=True,
            )
            bad += outcome.lost + outcome.doubled + outcome.half + outcome.unequal
    sys.exit(1 if bad else 0)


@contextmanager
def serve(config: KillConfig) -> Iterator[S3Server | None]:
    if config.store == "disk":
        yield None
        return
    os.environ.update(CREDENTIALS)
    server = S3Server()
    try:
        yield server
    finally:
        server.stop()


class KillMatrix:
    def __init__(self, scratch: Path, config: KillConfig, server: S3Server | None = None) -> None:
        self.scratch, self.config, self.server = scratch, config, server
        self.steps = DISK_STEPS if server is None else STORE_STEPS
        self.random = random.Random(config.seed)
        self.short = self.make_job("short", config.rows)
        self.long: AnimateConfig | None = None
        self.folders = 0

    def make_job(self, name: str, num_rows: int) -> AnimateConfig:
        """Return a job whose corpus has been made once, without a kill."""
        folder = self.scratch / name
        folder.mkdir()
        job = AnimateConfig(
            manifest=make_manifest(folder, good_rows(num_rows)),
            output=str(folder / "whole"),
            model=str(write_tiny_model(self.scratch / "tiny", size=16)),
            sampling=SAMPLING,
            batch_size=2,
            rows_per_shard=2,
            threads=1,
            executor=ExecutorConfig(executor="local"),
        )
        load_sketch(next(SKETCHES.glob("*.svg")), 16)  # imports what no child then has to
        # In a child: this process must not have a thread when it forks off others.
        assert exit_code(start_child(job)) == 0
        assert len(read_rows(job.output)) == num_rows
        return job

    def on_ray(self) -> tuple[AnimateConfig, AnimateConfig]:
        """Return a job for two actors in a new folder, and the one without kills."""
        self.long = self.long or self.make_job("long", self.config.ray_rows)
        return self.next_job(self.long, ExecutorConfig(workers=2)), self.long

    def next_job(self, whole: AnimateConfig, executor: ExecutorConfig) -> AnimateConfig:
        self.folders += 1
        name = str(self.folders)
        output = str(self.scratch / name) if self.server is None else self.server.uri(name)
        return replace(whole, output=output, executor=executor)

    @contextmanager
    def seen(self, job: AnimateConfig) -> Iterator[str]:
        """Show what is in a job's folder as a local folder."""
        if self.server is None:
            yield job.output
            return
        with tempfile.TemporaryDirectory(dir=self.scratch) as copy:
            self.server.download(self.prefix(job), Path(copy))
            (Path(copy) / "metadata").mkdir(exist_ok=True)
            yield copy

    def prefix(self, job: AnimateConfig) -> str:
        return split_query(job.output)[0].removeprefix(f"s3://{BUCKET}/")

    def num_commits(self, job: AnimateConfig) -> int:
        if self.server is None:
            return len(list(Path(job.output).glob("metadata/*")))
        keys = self.server.keys(f"{self.prefix(job)}/metadata/")
        return sum(key.endswith(".parquet") for key in keys)

    def delete(self, job: AnimateConfig) -> None:
        if self.server is None:
            shutil.rmtree(job.output)
            return
        for key in self.server.keys(f"{self.prefix(job)}/"):
            self.server.client.delete_object(Bucket=BUCKET, Key=key)

    def inspect(self, job: AnimateConfig, whole: AnimateConfig, outcome: Outcome) -> None:
        with self.seen(job) as output:
            inspect(output, whole, outcome)

    def compare(self, job: AnimateConfig, whole: AnimateConfig, outcome: Outcome) -> None:
        """Compare a corpus that has been completed, and delete it."""
        with self.seen(job) as output:
            compare(output, whole, outcome)
        self.delete(job)

    def kill_local(self) -> Outcome:
        """Children of the local executor, at random moments of a run."""
        outcome = Outcome("local executor, at random moments")
        duration = self.time_local()
        while outcome.kills < self.config.local_kills:
            job = self.next_job(self.short, self.short.executor)
            num_in_vain = 0
            while True:
                before = self.num_commits(job)
                pid = start_child(job)
                wait(pid, self.random.uniform(0, duration))
                # A row in which process after process dies is rightly given up: on a machine that
                # has become slower that would be a good one.
                while num_in_vain == 2 and self.num_commits(job) == before and not wait(pid, 0.1):
                    pass
                if kill(pid):
                    break
                outcome.kills += 1
                num_in_vain = 0 if self.num_commits(job) > before else num_in_vain + 1
                self.inspect(job, self.short, outcome)
            self.compare(job, self.short, outcome)
        return outcome

    def time_local(self) -> float:
        started = time.monotonic()
        assert exit_code(start_child(self.next_job(self.short, self.short.executor))) == 0
        return time.monotonic() - started

    def kill_steps(self) -> Outcome:
        """The local executor at each step of the third shard's commit."""
        outcome = Outcome("local executor, at each step of a commit")
        for step in self.steps:
            job = self.next_job(self.short, self.short.executor)
            pid = start_child(job, before=lambda step=step: kill_at(step, "00002"))
            assert exit_code(pid) == -signal.SIGKILL, step
            outcome.kills += 1
            self.inspect(job, self.short, outcome)
            assert exit_code(start_child(job)) == 0
            self.compare(job, self.short, outcome)
        return outcome

    def kill_together(self) -> Outcome:
        """None; a second driver, and one that is to overwrite, beside one that runs."""
        outcome = Outcome("second drivers, refused")
        for _ in range(3):
            job = self.next_job(self.short, self.short.executor)
            pid = start_child(job)
            while self.num_commits(job) < 1:
                assert not wait(pid, 0.02)
            # So that it cannot end before the others begin.
            os.kill(pid, signal.SIGSTOP)
            for second in (job, replace(job, overwrite=True)):
                code = exit_code(start_child(second, before=mute))
                assert code == REFUSED, "a second driver was let in"
                outcome.kills += 1
            os.kill(pid, signal.SIGCONT)
            assert exit_code(pid) == 0
            self.compare(job, self.short, outcome)
        return outcome

    def kill_actor_steps(self) -> Outcome:
        """An actor at each step of the third shard's commit; the run resumes by itself."""
        outcome = Outcome("actor, at each step of a commit")
        for step in self.steps:
            job = self.next_job(self.short, ExecutorConfig(workers=2))
            mark = self.scratch / f"mark-{outcome.kills}"

            def begin(step: str = step, mark: Path = mark) -> None:
                start_ray({"KILL_AT": step, "KILL_MARK": str(mark)})

            assert exit_code(start_child(job, before=begin)) == 0
            assert mark.exists(), f"no actor was killed at {step}"
            outcome.kills += 1
            self.compare(job, self.short, outcome)
        return outcome

    def kill_driver(self) -> Outcome:
        """Drivers on Ray, with all that they started left to itself."""
        outcome = Outcome("driver on Ray")
        while outcome.kills < self.config.kills:
            job, whole = self.on_ray()
            while True:
                pid = start_child(job, before=start_ray)
                enough = outcome.kills >= self.config.kills
                wait(pid, 600 if enough else self.random.uniform(0, self.config.driver_s))
                started = psutil.Process(pid).children(recursive=True)
                if kill(pid):
                    break
                outcome.kills += 1
                self.inspect(job, whole, outcome)
                # Those that live on for a moment are part of the experiment; not for ever.
                threading.Timer(20, end_all, [started]).start()
            self.compare(job, whole, outcome)
        return outcome

    def kill_actor(self) -> Outcome:
        """Actors at random moments; the run resumes by itself."""
        outcome = Outcome("actor")
        while outcome.kills < self.config.kills:
            job, whole = self.on_ray()
            pid = start_child(job, before=start_ray)
            while outcome.kills < self.config.kills:
                if wait(pid, self.random.uniform(2, 10)):
                    break
                actors = [
                    process
                    for process in psutil.Process(pid).children(recursive=True)
                    if is_actor(process)
                ]
                if actors:
                    self.random.choice(actors).kill()
                    outcome.kills += 1
                    self.inspect(job, whole, outcome)
            assert exit_code(pid) == 0
            self.compare(job, whole, outcome)
        return outcome

    def kill_node(self) -> Outcome:
        """Whole nodes at random moments, each replaced by a new one; the run resumes."""
        outcome = Outcome("Ray node")
        self.on_ray()  # makes the corpus to compare with, in a child: before Ray has threads here
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        node = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        while outcome.kills < self.config.kills:
            job, whole = self.on_ray()
            run = threading.Thread(target=animate_manifest, args=[job])
            run.start()
            while outcome.kills < self.config.kills:
                run.join(self.random.uniform(3, 10))
                if not run.is_alive():
                    break
                cluster.remove_node(node, allow_graceful=False)
                outcome.kills += 1
                self.inspect(job, whole, outcome)
                time.sleep(self.random.uniform(0, 3))
                node = cluster.add_node(num_cpus=1)
            run.join()
            self.compare(job, whole, outcome)
        ray.shutdown()
        cluster.shutdown()
        return outcome


def inspect(output: str, whole: AnimateConfig, outcome: Outcome) -> None:
    """Count the visible files that are not those of the uninterrupted run."""
    expected = read_tars(whole.output)
    outcome.half += sum(expected[name] != tar for name, tar in read_tars(output).items())
    for path in Path(output).glob("metadata/*"):
        try:
            rows = comparable(pq.read_table(path).to_pylist())
        except Exception:
            rows = None
        other = Path(whole.output) / "metadata" / path.name
        outcome.half += rows != comparable(pq.read_table(other).to_pylist())


def comparable(rows: list[dict]) -> list[dict]:
    return [{**row, "seconds": None, "attempts": None} for row in rows]


def compare(output: str, whole: AnimateConfig, outcome: Outcome) -> None:
    keys = [row["key"] for row in read_rows(output) if row["status"] == "ok"]
    expected = {row["key"] for row in read_rows(whole.output)}
    outcome.runs += 1
    outcome.lost += len(expected - set(keys))
    outcome.doubled += len(keys) - len(set(keys))
    outcome.unequal += not same_corpus(output, whole.output)


if __name__ == "__main__":
    main(tyro.cli(KillConfig, description=__doc__))

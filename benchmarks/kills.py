#!/usr/bin/env python
"""Kill everything that can be killed, rerun the same command, and count what is lost.

An actor, the driver, a whole Ray node: SIGKILL at random moments (seeded) and at each step of a
commit; and the local executor, in children that are forked off after the imports. After each kill
every file that can be seen is compared with that of an uninterrupted run.

    python benchmarks/kills.py
    python benchmarks/kills.py --roles local --local-kills 50
"""

import builtins
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

import psutil
import pyarrow.parquet as pq
import ray
import tyro
from ray.cluster_utils import Cluster

from flipsketch.corpus.shard import committed_shards
from flipsketch.media.sketch import load_sketch
from flipsketch.method.config import SamplingConfig
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from flipsketch.storage.folder import open_folder
from pipelines.animate import AnimateConfig, animate_manifest
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

# The least work that makes a clip: what is tried here is all around it.
SAMPLING = SamplingConfig(
    num_frames=2, num_inference_steps=1, guidance_scale=1.0, align_steps=0, compose_steps=0
)
Role = Literal["local", "driver", "actor", "node", "steps", "actor-steps"]
STEPS = [
    f"{moment} {file}"
    for file in ("clips", "metadata")
    for moment in ("open", "half-written", "written", "synced", "in-place", "folder-synced")
]


@dataclass(frozen=True, kw_only=True)
class KillConfig:
    roles: tuple[Role, ...] = ("steps", "actor-steps", "actor", "driver", "node", "local")
    """What to kill; 'steps' is the local executor and 'actor-steps' an actor at each step."""
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
    with tempfile.TemporaryDirectory() as scratch:
        matrix = KillMatrix(Path(scratch), config)
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


class KillMatrix:
    def __init__(self, scratch: Path, config: KillConfig) -> None:
        self.scratch, self.config = scratch, config
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
        return replace(whole, output=str(self.scratch / str(self.folders)), executor=executor)

    def kill_local(self) -> Outcome:
        """Children of the local executor, at random moments of a run."""
        outcome = Outcome("local executor, at random moments")
        duration = self.time_local()
        while outcome.kills < self.config.local_kills:
            job = self.next_job(self.short, self.short.executor)
            num_in_vain = 0
            while True:
                before = num_commits(job)
                pid = start_child(job)
                wait(pid, self.random.uniform(0, duration))
                # A row in which process after process dies is rightly given up: on a machine that
                # has become slower that would be a good one.
                while num_in_vain == 2 and num_commits(job) == before and not wait(pid, 0.1):
                    pass
                if kill(pid):
                    break
                outcome.kills += 1
                num_in_vain = 0 if num_commits(job) > before else num_in_vain + 1
                inspect(job, self.short, outcome)
            compare(job, self.short, outcome)
        return outcome

    def time_local(self) -> float:
        started = time.monotonic()
        assert exit_code(start_child(self.next_job(self.short, self.short.executor))) == 0
        return time.monotonic() - started

    def kill_steps(self) -> Outcome:
        """The local executor at each step of the third shard's commit."""
        outcome = Outcome("local executor, at each step of a commit")
        for step in STEPS:
            job = self.next_job(self.short, self.short.executor)
            pid = start_child(job, before=lambda step=step: kill_at(step, "00002"))
            assert exit_code(pid) == -signal.SIGKILL, step
            outcome.kills += 1
            inspect(job, self.short, outcome)
            assert exit_code(start_child(job)) == 0
            compare(job, self.short, outcome)
        return outcome

    def kill_actor_steps(self) -> Outcome:
        """An actor at each step of the third shard's commit; the run resumes by itself."""
        outcome = Outcome("actor, at each step of a commit")
        for step in STEPS:
            job = self.next_job(self.short, ExecutorConfig(workers=2))
            mark = self.scratch / f"mark-{outcome.kills}"

            def begin(step: str = step, mark: Path = mark) -> None:
                start_ray({"KILL_AT": step, "KILL_MARK": str(mark)})

            assert exit_code(start_child(job, before=begin)) == 0
            assert mark.exists(), f"no actor was killed at {step}"
            outcome.kills += 1
            compare(job, self.short, outcome)
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
                inspect(job, whole, outcome)
                # Those that live on for a moment are part of the experiment; not for ever.
                threading.Timer(20, end_all, [started]).start()
            compare(job, whole, outcome)
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
                    inspect(job, whole, outcome)
            assert exit_code(pid) == 0
            compare(job, whole, outcome)
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
                inspect(job, whole, outcome)
                time.sleep(self.random.uniform(0, 3))
                node = cluster.add_node(num_cpus=1)
            run.join()
            compare(job, whole, outcome)
        ray.shutdown()
        cluster.shutdown()
        return outcome


def start_ray(kill_at: dict[str, str] | None = None) -> None:
    runtime_env: dict = {
        "env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent), **(kill_at or {})}
    }
    if kill_at:
        runtime_env["worker_process_setup_hook"] = kill_at_what_the_environment_says
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env=runtime_env,
    )


def kill_at_what_the_environment_says() -> None:
    if "KILL_AT" in os.environ:
        kill_at(os.environ["KILL_AT"], "00002", os.environ["KILL_MARK"])


def kill_at(step: str, shard: str, mark: str | None = None) -> None:
    """Make this process end at a step of a shard's commit, once if a mark is given."""
    moment, folder = step.split()
    name, partial = f"{folder}/{shard}.", f"_tmp/{folder}-{shard}."
    real_open, real_fsync, real_replace = builtins.open, os.fsync, os.replace
    placed = False

    def reach(here: str, applies: bool) -> None:
        if here == moment and applies:
            if mark is not None:
                try:
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
            os.kill(os.getpid(), signal.SIGKILL)

    def open_and_die(path, mode="r", *args, **kwargs):
        file = real_open(path, mode, *args, **kwargs)
        if partial in str(path) and "w" in mode:
            reach("open", True)
            if moment == "half-written":
                whole = file.write

                class Half:
                    def __enter__(self):
                        return self

                    def __exit__(self, *error):
                        file.close()

                    def __getattr__(self, name):
                        return getattr(file, name)

                    def write(self, content):
                        whole(content[: len(content) // 2])
                        file.flush()
                        reach("half-written", True)
                        return whole(content[len(content) // 2 :])

                return Half()
        return file

    def fsync_and_die(file):
        descriptor = file if isinstance(file, int) else file.fileno()
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        reach("written", partial in path)
        real_fsync(file)
        reach("synced", partial in path)
        reach("folder-synced", placed and path.endswith(f"/{folder}"))

    def replace_and_die(source, target):
        nonlocal placed
        real_replace(source, target)
        placed = placed or name in str(target)
        reach("in-place", name in str(target))

    builtins.open, os.fsync, os.replace = open_and_die, fsync_and_die, replace_and_die


def wait(pid: int, seconds: float) -> bool:
    """Wait so long, or until the child has ended; tell whether it has. It stays to be reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.01)
    return False


def kill(pid: int) -> bool:
    """Kill a child; return whether it had come to its end before."""
    os.kill(pid, signal.SIGKILL)
    code = exit_code(pid)
    assert code in (0, -signal.SIGKILL), f"a run ended with {code}"
    return code == 0


def num_commits(job: AnimateConfig) -> int:
    return len(committed_shards(open_folder(job.output)))


def is_actor(process: psutil.Process) -> bool:
    try:
        return "ShardActor" in " ".join(process.cmdline())
    except psutil.Error:
        return False  # it has ended meanwhile


def end_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass


def inspect(job: AnimateConfig, whole: AnimateConfig, outcome: Outcome) -> None:
    """Count the visible files that are not those of the uninterrupted run."""
    expected = read_tars(whole.output)
    outcome.half += sum(expected[name] != tar for name, tar in read_tars(job.output).items())
    for path in Path(job.output).glob("metadata/*"):
        try:
            rows = comparable(pq.read_table(path).to_pylist())
        except Exception:
            rows = None
        other = Path(whole.output) / "metadata" / path.name
        outcome.half += rows != comparable(pq.read_table(other).to_pylist())


def comparable(rows: list[dict]) -> list[dict]:
    return [{**row, "seconds": None, "attempts": None} for row in rows]


def compare(job: AnimateConfig, whole: AnimateConfig, outcome: Outcome) -> None:
    """Compare a corpus that has been completed, and delete it."""
    keys = [row["key"] for row in read_rows(job.output) if row["status"] == "ok"]
    expected = {row["key"] for row in read_rows(whole.output)}
    outcome.runs += 1
    outcome.lost += len(expected - set(keys))
    outcome.doubled += len(keys) - len(set(keys))
    outcome.unequal += not same_corpus(job.output, whole.output)
    shutil.rmtree(job.output)


if __name__ == "__main__":
    main(tyro.cli(KillConfig, description=__doc__))

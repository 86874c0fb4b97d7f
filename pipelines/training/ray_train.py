"""Ray Train around the training workers: who runs where, restarts, and news for the driver."""

import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from flipsketch.models.quiet import quiet_libraries
from flipsketch.training.trainer import StepReport
from pipelines.execution.pool import HEARTBEAT_S
from pipelines.execution.work import Resources
from pipelines.training.config import TrainConfig
from pipelines.training.worker import TrainingWorker

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.5


def train_on_ray(
    config: TrainConfig, resources: Resources, report: Callable[[StepReport], None]
) -> None:
    """Train in workers on Ray, which are started again if one of them dies.

    Raises:
        FloatingPointError: the gradients are not finite.
        ChildProcessError: workers died more often than they are started again.
        TimeoutError: none was heard of.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board = ray.remote(num_cpus=0, scheduling_strategy=here)(Board).remote()
    # Paths given relative to a submitted job's working directory must hold in the workers.
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    # It would log an error at every start that is none; a node that goes is noticed all the same.
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"
    log.info("starting %d workers; it takes some 20 s until they train", resources.workers)
    notes = Path(config.output) / "_tmp" / f"ray-{uuid.uuid4().hex[:12]}"
    trainer = ray.train.torch.TorchTrainer(
        train_rank,
        train_loop_config={"config": config, "board": board},
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.device == "cuda",
            resources_per_worker={kind: amount for kind, amount in resources.ask.items() if amount},
        ),
        run_config=RunConfig(
            name=notes.name,
            storage_path=str(notes.parent),
            failure_config=FailureConfig(max_failures=config.max_restarts),
        ),
    )
    # In a thread, so that this one can tell of progress, and notice that there is none.
    ended: list[BaseException] = []
    fitting = threading.Thread(target=fit, args=(trainer, ended), daemon=True)
    fitting.start()
    try:
        watch(fitting, board, config, resources, report)
        diverged, last_error = ray.get(board.how_it_ended.remote())
    finally:
        ray.kill(board)
        shutil.rmtree(notes, ignore_errors=True)
    if diverged:
        raise FloatingPointError(diverged)
    if ended:
        raise ChildProcessError(
            f"training was begun again {config.max_restarts} times and failed each time, the last "
            f"time because of this: {last_error or ended[0]}; the newest checkpoint stays"
        )


def watch(
    fitting: threading.Thread,
    board: Any,
    config: TrainConfig,
    resources: Resources,
    report: Callable[[StepReport], None],
) -> None:
    """Tell what workers say, until training has ended.

    Raises:
        TimeoutError: none says anything.
    """
    last_news = time.monotonic()
    while fitting.is_alive():
        fitting.join(1.0)
        heard, newest = ray.get(board.take_news.remote())
        if heard:
            last_news = time.monotonic()
        if newest is not None:
            report(newest)
        if time.monotonic() - last_news > config.executor.stall_timeout_s:
            raise TimeoutError(
                f"no worker was heard of for {config.executor.stall_timeout_s:.0f} s; "
                f"{resources.workers} were asked for with {resources.ask} each, the Ray "
                f"cluster has {ray.available_resources()} free of {ray.cluster_resources()}; "
                f"the newest checkpoint stays"
            )


def fit(trainer: ray.train.torch.TorchTrainer, ended: list[BaseException]) -> None:
    try:
        trainer.fit()
    except BaseException as error:
        ended.append(error)


def train_rank(job: dict[str, Any]) -> None:
    """What each worker runs."""
    config, board = job["config"], job["board"]
    quiet_libraries()
    context = ray.train.get_context()
    rank, num_ranks = context.get_world_rank(), context.get_world_size()
    threading.Thread(target=beat, args=(board,), daemon=True).start()
    last_report = 0.0

    def report(step: StepReport) -> None:
        nonlocal last_report
        is_last = step.step == config.training.num_steps
        if is_last or time.monotonic() - last_report > REPORT_EVERY_S:
            last_report = time.monotonic()
            board.report.remote(step)

    device = ray.train.torch.get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where NCCL gathers objects
    try:
        TrainingWorker(config, device, rank=rank, num_ranks=num_ranks).run(report)
    except FloatingPointError as error:
        # All workers see the same gradients; to begin again would lead to the same.
        ray.get(board.diverge.remote(str(error)))
    except Exception as error:
        ray.get(board.fail.remote(f"{type(error).__name__}: {error}"))
        raise


def beat(board: Any) -> None:
    while True:
        board.beat.remote()
        time.sleep(HEARTBEAT_S)


class Board:
    """Where workers say how it goes and the driver can ask."""

    def __init__(self) -> None:
        self.heard = False
        self.newest: StepReport | None = None
        self.divergence = self.last_error = ""

    def beat(self) -> None:
        self.heard = True

    def report(self, step: StepReport) -> None:
        self.heard, self.newest = True, step

    def diverge(self, message: str) -> None:
        self.divergence = message

    def fail(self, message: str) -> None:
        self.last_error = message

    def take_news(self) -> tuple[bool, StepReport | None]:
        """Return whether anybody spoke since the last call, and the newest report since then."""
        heard, newest = self.heard, self.newest
        self.heard, self.newest = False, None
        return heard, newest

    def how_it_ended(self) -> tuple[str, str]:
        return self.divergence, self.last_error

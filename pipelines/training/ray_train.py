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

from flipsketch.models.quiet import quiet_libraries
from flipsketch.openmp import let_idle_threads_sleep, waiting_variables
from flipsketch.training.reports import StepReport
from pipelines.execution.process import hub_variables
from pipelines.execution.tally import reach_stores, start_heartbeat, start_tally
from pipelines.execution.work import Resources
from pipelines.training.config import TrainConfig
from pipelines.training.worker import TrainingWorker

log = logging.getLogger(__name__)

REPORT_EVERY_S = 0.5
# What workers report on.
STEP, DIVERGED, ERROR, LATENTS = "step", "diverged", "error", "latents"


def train_on_ray(
    config: TrainConfig, resources: Resources, report: Callable[[StepReport], None]
) -> None:
    """Train in workers on Ray, which are restarted if one of them dies.

    Raises:
        FloatingPointError: the gradients are not finite.
        ChildProcessError: workers died more often than they may be restarted.
        TimeoutError: no worker reports in time.
    """
    let_idle_threads_sleep()
    tally = start_tally()
    # Paths given relative to a submitted job's working directory must hold in the workers.
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    # It would log an error at every start that is none; a node that goes is noticed all the same.
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"
    log.info("starting %d workers; it takes some 20 s until they train", resources.workers)
    notes = Path(config.output) / "_tmp" / f"ray-{uuid.uuid4().hex[:12]}"
    trainer = ray.train.torch.TorchTrainer(
        train_rank,
        train_loop_config={"config": config, "tally": tally},
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.device == "cuda",
            resources_per_worker={kind: amount for kind, amount in resources.ask.items() if amount},
        ),
        run_config=RunConfig(
            name=notes.name,
            storage_path=str(notes.parent),
            failure_config=FailureConfig(max_failures=config.max_restarts),
            # Set before the workers start, since Ray itself imports PyTorch in them, and what it
            # unpickles the Hub's client. No secrets: they stand on Ray's dashboard.
            worker_runtime_env={"env_vars": waiting_variables() | hub_variables()},
        ),
    )
    # In a thread, so that this one can tell of progress, and notice that there is none.
    ended: list[BaseException] = []
    fitting = threading.Thread(target=fit, args=(trainer, ended), daemon=True)
    fitting.start()
    try:
        reports = watch(fitting, tally, config, resources, report)
    finally:
        ray.kill(tally)
        shutil.rmtree(notes, ignore_errors=True)
    if DIVERGED in reports:
        raise FloatingPointError(reports[DIVERGED])
    if ended:
        raise ChildProcessError(
            f"training was restarted {config.max_restarts} times and failed each time, the last "
            f"time because of this: {reports.get(ERROR, ended[0])}; the newest checkpoint is kept"
        )


def watch(
    fitting: threading.Thread,
    tally: Any,
    config: TrainConfig,
    resources: Resources,
    report: Callable[[StepReport], None],
) -> dict[str, Any]:
    """Pass on what workers report until training has ended; return their last reports.

    Raises:
        TimeoutError: no worker reports in time.
    """
    reports: dict[str, Any] = {}
    last_sign_of_life = time.monotonic()
    while True:
        # Asked once more after the end, for how it ended.
        goes_on = fitting.is_alive()
        fitting.join(1.0)
        is_alive, new_reports = ray.get(tally.poll.remote())
        reports |= new_reports
        if LATENTS in new_reports:
            log.info(new_reports[LATENTS])
        if STEP in new_reports:
            report(new_reports[STEP])
        if not goes_on:
            return reports
        if is_alive:
            last_sign_of_life = time.monotonic()
        if time.monotonic() - last_sign_of_life > config.executor.stall_timeout_s:
            raise TimeoutError(
                f"no worker reported for {config.executor.stall_timeout_s:.0f} s; "
                f"{resources.workers} were requested with {resources.ask} each, the Ray "
                f"cluster has {ray.available_resources()} free of {ray.cluster_resources()}; "
                f"the newest checkpoint is kept"
            )


def fit(trainer: ray.train.torch.TorchTrainer, ended: list[BaseException]) -> None:
    try:
        trainer.fit()
    except BaseException as error:
        ended.append(error)


def train_rank(job: dict[str, Any]) -> None:
    """What each worker runs."""
    config, tally = job["config"], job["tally"]
    quiet_libraries()
    reach_stores(tally)
    context = ray.train.get_context()
    rank, num_ranks = context.get_world_rank(), context.get_world_size()
    start_heartbeat(tally)
    last_report = 0.0

    def report(step: StepReport) -> None:
        nonlocal last_report
        is_last = step.step == config.training.num_steps
        if is_last or time.monotonic() - last_report > REPORT_EVERY_S:
            last_report = time.monotonic()
            tally.report.remote(STEP, step)

    device = ray.train.torch.get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where NCCL gathers objects
    try:
        worker = TrainingWorker(
            config,
            device,
            rank=rank,
            num_ranks=num_ranks,
            say=lambda text: tally.report.remote(LATENTS, text),
        )
        worker.run(report)
    except FloatingPointError as error:
        # All workers see the same gradients; to begin again would lead to the same.
        ray.get(tally.report.remote(DIVERGED, str(error)))
    except Exception as error:
        ray.get(tally.report.remote(ERROR, f"{type(error).__name__}: {error}"))
        raise

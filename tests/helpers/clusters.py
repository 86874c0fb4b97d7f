"""Ray on this machine, one for all tests that can share it."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

import ray

from tests.helpers.corpora import ROOT


def start_ray(num_cpus: int, **settings) -> None:
    """Start a Ray whose workers can import these helpers, in place of another that may run."""
    ray.shutdown()
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            **settings,
        )
    finally:
        # The tests that follow in this process are not to find it there.
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def share_ray(num_cpus: int) -> None:
    """Use the Ray of an earlier test if it has as many CPUs, or start one."""
    if not ray.is_initialized() or ray.cluster_resources().get("CPU") != num_cpus:
        start_ray(num_cpus)


def start_driver(config: Any, pipeline: Callable[[Any], int]) -> int:
    """Run a job on a Ray of its own, in a new process; its pid.

    A fork will not do: in one of a process that has had a Ray, no other starts.
    """
    process = multiprocessing.get_context("spawn").Process(target=drive, args=[config, pipeline])
    process.start()
    assert process.pid is not None
    return process.pid


def drive(config: Any, pipeline: Callable[[Any], int]) -> None:
    start_ray(2)
    code = pipeline(config)
    ray.shutdown()
    sys.exit(code)

"""Calling a function where workers will run, before there are any."""

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pipelines.execution.process import store_variables, take_over
from pipelines.execution.work import JobError, Resources

# Importing torch, and a model of 7 GB to load; nodes whose devices are all in use are not waited
# for.
ANSWER_S = 300
ENDED = "was ended from outside, by the system's memory killer perhaps; see the system's log"


def call_on_workers(
    call: Callable[[], Any],
    resources: Resources,
    nodes: list[str] | None = None,
    limit_s: float = ANSWER_S,
) -> dict[str, Any]:
    """Call a function in a process with a worker's device, on each node that has such devices, and
    return what it returned, by node.

    A process of its own: what it loads does not stay on the device.

    Args:
        call: picklable.
        nodes: of Ray, to which it is restricted.
        limit_s: seconds that nodes on Ray are waited for.

    Raises:
        JobError: no node has a device to spare.
    """
    if resources.driver is None:
        try:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                return {"": process.submit(call).result()}
        except BrokenProcessPool as error:
            raise JobError(f"a process that was to find out what fits {ENDED}") from error
    import ray
    from ray.exceptions import WorkerCrashedError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if nodes is None:
        nodes = [
            node["NodeID"]
            for node in ray.nodes()
            if node["Alive"]
            and node["Resources"].get("GPU", 0) >= resources.num_gpus
            and node["Resources"].get("CPU", 0) >= resources.num_cpus
        ]
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        task = ray.remote(
            num_cpus=resources.num_cpus,
            num_gpus=resources.num_gpus,
            max_retries=0,
            scheduling_strategy=there,
        )(call_here)
        # What it calls is unpickled there, and imports libraries that read the environment.
        asked[task.remote(store_variables(), ray.cloudpickle.dumps(call))] = node
    answered, late = ray.wait(list(asked), num_returns=len(asked), timeout=limit_s)
    for task in late:
        ray.cancel(task)
    if not answered:
        raise JobError(
            f"no node of the Ray cluster found out within {limit_s:.0f} s what fits: none has "
            f"{resources.ask} to spare, or the model takes long to load; wait for other jobs, or "
            f"put the model on a faster disk"
        )
    try:
        return {asked[task]: ray.get(task) for task in answered}
    except WorkerCrashedError as error:
        raise JobError(f"a worker that was to find out what fits {ENDED}") from error


def call_here(variables: dict[str, str], call: bytes) -> Any:
    take_over(variables)
    return pickle.loads(call)()

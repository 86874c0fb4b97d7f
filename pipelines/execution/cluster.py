"""What a Ray cluster has to offer, and how it is shared out among actors."""

import logging
import threading
import uuid
from dataclasses import replace

import ray

from flipsketch.storage.text import describe_raised
from flipsketch.storage.waiting import call_in_time
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.environment import ray_address, remedy_for
from pipelines.execution.work import JobError, Resources

# Joining takes 1 s and starting 4 s on two cores that have nothing else to do.
JOIN_S, START_S = 20, 120
TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"


def start_cluster(config: ExecutorConfig, weights_bytes: int, device: str | None) -> Resources:
    """Start or join Ray, and divide its resources among workers.

    Raises:
        ValueError: there is no such device, or not as many of them as workers.
        JobError: Ray cannot be started or joined.
    """
    if not ray.is_initialized():
        connect(ray_address(config))
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus, gpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("CPU", "GPU"))
    if cpus < 1:
        raise ValueError(f"the Ray cluster offers no CPU (it has {nodes}); start it with some")
    if (device or ("cuda" if gpus else "cpu")) == "cuda":
        workers = config.workers or max(1, gpus)
        if workers > gpus:
            raise ValueError(
                f"{workers} workers on cuda need a GPU each, the Ray cluster has {gpus}; "
                f"give fewer --workers, or --device cpu"
            )
        resources = Resources(
            workers, "cuda", max(1, cpus // workers), min(1.0, cpus / (2 * workers)), 1
        )
    else:
        memory = int(sum(node.get("memory", 0) for node in nodes))
        # Weights, activations and a copy while loading; a process with torch and Ray takes 1 GB.
        by_memory = max(1, memory // (4 * weights_bytes + 2**30))
        workers = config.workers or min(cpus, by_memory)
        # Half of the logical CPUs stay free, for Ray's own tasks and for other jobs.
        resources = Resources(
            workers,
            "cpu",
            max(1, cpus // workers),
            cpus / (2 * workers),
            memory_bytes=memory // workers or None,
        )
    return replace(fit_nodes(resources, nodes), driver=uuid.uuid4().hex[:12])


def connect(address: str) -> None:
    """Start Ray ("local") or join the one at an address. Both may wait for ever, deaf to Ctrl-C,
    so they do it in another thread.

    Raises:
        JobError: it fails, or takes too long.
    """
    errors: list[BaseException] = []
    ended = threading.Event()

    def init() -> None:
        try:
            # Errors alone: it would warn that this is not the main thread, in which it takes
            # SIGTERM for itself, and that a cluster of its own has token authentication.
            logging.getLogger(TOKEN_LOGGER).setLevel(logging.ERROR)
            ray.init(address=address, log_to_driver=True, logging_level=logging.ERROR)
            logging.getLogger("ray").setLevel(logging.WARNING)
        except BaseException as error:
            errors.append(error)
        ended.set()
        # The kernel ends the processes of a cluster of its own with the thread that started them.
        threading.Event().wait()

    threading.Thread(target=init, name="ray-init", daemon=True).start()
    limit_s = START_S if address == "local" else JOIN_S
    what = "a Ray of its own" if address == "local" else f"the Ray cluster at {address}"
    try:
        call_in_time(ended.wait, limit_s, "")
    except TimeoutError as error:
        raise JobError(
            f"{what} was not there in {limit_s} s; {remedy_for(address)}, or add --executor local"
        ) from error
    if errors:
        raise JobError(
            f"{what}: cannot be {'started' if address == 'local' else 'joined'}: "
            f"{describe_raised(errors[0])}; {remedy_for(address)}, or add --executor local"
        ) from errors[0]


def fit_nodes(resources: Resources, nodes: list[dict[str, float]]) -> Resources:
    """Return the resources with CPUs that the nodes can give: an actor lives on a single one.

    Raises:
        ValueError: the nodes can never hold so many actors.
    """
    hosts = [node for node in nodes if node.get("GPU", 0) >= resources.num_gpus and node.get("CPU")]
    most = max((int(node["CPU"]) for node in hosts), default=0)
    resources = replace(
        resources,
        num_cpus=round(min(resources.num_cpus, most / 2), 4),
        cpus_per_worker=max(1, min(resources.cpus_per_worker, most)),
    )
    room = 0
    for node in hosts:
        by_cpu = int(node["CPU"] / resources.num_cpus + 1e-6)
        room += min(by_cpu, int(node["GPU"])) if resources.num_gpus else by_cpu
    if room < resources.workers:
        raise ValueError(
            f"the Ray cluster can never hold {resources.workers} actors that ask for "
            f"{resources.ask} each on one node, only {room} of them; its nodes have {nodes}; give "
            f"fewer --workers, or start nodes with more"
        )
    return resources

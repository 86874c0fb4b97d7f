"""What processes on Ray report, where all of them can say it and the driver can ask."""

import threading
import time
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.execution.process import store_variables, take_over

HEARTBEAT_S = 5.0


class Tally:
    """An actor on the driver's node: signs of life, and the newest report on each subject."""

    def __init__(self, variables: dict[str, str]) -> None:
        """
        Args:
            variables: of the driver's environment, for those who report here.
        """
        self.variables = variables
        self.is_alive = False
        self.reports: dict[Any, Any] = {}

    def mark_alive(self) -> None:
        self.is_alive = True

    def report(self, subject: Any, value: Any) -> None:
        self.is_alive, self.reports[subject] = True, value

    def driver_variables(self) -> dict[str, str]:
        return self.variables

    def poll(self) -> tuple[bool, dict[Any, Any]]:
        """Return whether any worker reported since the last call, and what it reported."""
        is_alive, reports = self.is_alive, self.reports
        self.is_alive, self.reports = False, {}
        return is_alive, reports


def start_tally() -> Any:
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Not as Ray's runtime environment, which stands in its logs and on its dashboard.
    variables = store_variables()
    return ray.remote(num_cpus=0, scheduling_strategy=here)(Tally).remote(variables)


def reach_stores(tally: Any) -> None:
    """Let this process reach object stores as the driver does; before it opens any."""
    take_over(ray.get(tally.driver_variables.remote()))


def start_heartbeat(tally: Any) -> None:
    """Mark this process alive every few seconds, from a thread."""

    def beat() -> None:
        while True:
            tally.mark_alive.remote()
            time.sleep(HEARTBEAT_S)

    threading.Thread(target=beat, daemon=True).start()

"""How PyTorch's idle threads wait for work."""

import os

OPENMP_VARIABLE = "OMP_WAIT_POLICY"


def let_idle_threads_sleep() -> None:
    """Let OpenMP's threads sleep at barriers, where they spin by default, unless the user has set
    how they wait. Must be called before PyTorch is imported.

    Where another program keeps a core busy, threads that spin take the time of those that work.
    """
    os.environ.setdefault(OPENMP_VARIABLE, "PASSIVE")

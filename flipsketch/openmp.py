"""How PyTorch's idle threads wait for work."""

import os

# Four doodles with 2 threads on 2 cores, clips/s: threads that sleep at once 0.35 on a quiet
# machine and 0.38 beside a program that keeps one core busy; after 300 turns 0.46 and 0.28; after
# 1,000 turns 0.59 and 0.20. In another run libgomp's own 300,000 turns gave 0.52 and 0.14, where
# sleeping at once gave 0.28 and 0.28.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "300"}


def let_idle_threads_sleep() -> None:
    """Let OpenMP's threads sleep at barriers after a moment, where they spin for long by default,
    unless the user has set how they wait. Must be called before PyTorch is imported."""
    if os.environ.keys().isdisjoint(WAITING):
        os.environ.update(WAITING)


def waiting_variables() -> dict[str, str]:
    """Return the variables that say how threads wait, for processes on other machines."""
    return {name: os.environ[name] for name in WAITING if name in os.environ}

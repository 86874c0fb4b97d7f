"""Many small reads at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def in_threads(read: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    # Footers are small and may be far: in an object store the waiting is what takes the time.
    with ThreadPoolExecutor(32) as readers:
        return list(readers.map(read, items))

"""How far a download is: a bar at a terminal, else a line in the log now and then."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

REFRESH_S, LOG_EVERY_S = 0.5, 30.0


@contextmanager
def showing_progress(
    name: str, cache: Path, snapshot: Path, sizes: dict[str, int]
) -> Iterator[None]:
    """Show how much of some files of a repository has come, told from what lies in the cache: the
    client's own bars differ from version to version.

    Args:
        cache, snapshot: the repository's folder in the Hub's cache, and that of a commit in it.
        sizes: of the files, by name.
    """
    # Late, as the Hub's client is.
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    total, began, ended = sum(sizes.values()), time.time(), threading.Event()
    shown = sys.stderr.isatty()

    def watch() -> None:
        next_line = time.monotonic() + LOG_EVERY_S
        while not ended.wait(REFRESH_S):
            bar.n = min(total, count_bytes(cache, snapshot, sizes, began))
            bar.refresh()
            if not shown and time.monotonic() > next_line:
                next_line += LOG_EVERY_S
                log.info("%s of %s of %s", format_size(bar.n), format_size(total), name)

    bar = tqdm(
        total=total, desc=name, unit="B", unit_scale=True, disable=not shown, dynamic_ncols=True
    )
    watching = threading.Thread(target=watch, daemon=True)
    with logging_redirect_tqdm(), bar, without_bars_of_client():
        watching.start()
        try:
            yield
            bar.n = total
        finally:
            ended.set()
            watching.join()
            bar.refresh()


def format_size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:,.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.2f} MB"


def count_bytes(cache: Path, snapshot: Path, sizes: dict[str, int], since: float) -> int:
    num_bytes = sum(size for name, size in sizes.items() if (snapshot / name).is_file())
    for path in (cache / "blobs").glob("*.incomplete"):
        with suppress(OSError):
            found = path.stat()
            # Others were left by processes that died.
            if found.st_mtime >= since:
                num_bytes += found.st_size
    return num_bytes


@contextmanager
def without_bars_of_client() -> Iterator[None]:
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()

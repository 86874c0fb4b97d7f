"""Reading what may be slow or gone for a while: in limited time, and tried again as writes are."""

import errno
import logging
import re
import time
from collections import Counter
from collections.abc import Callable

import pyarrow as pa

from flipsketch.storage import stores
from flipsketch.storage.waiting import Result, call_in_time

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 30.0
# Reads of one store that failed in a row until it is taken as down: from then on each is tried once
# and briefly, until one succeeds.
MAX_FAILURES = 3
BRIEF_S = 2.0
failures_in_a_row: Counter[str] = Counter()

PASSING = {
    *(errno.EIO, errno.EAGAIN, errno.ESTALE, errno.EREMOTEIO, errno.ENOTCONN, errno.ENETDOWN),
    *(errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EPROTO),
}
# What stores say besides, without a number, of a file that is not there or not for us.
LASTING = re.compile(r"HTTP status 40[0134]|NO_SUCH_KEY|RESOURCE_NOT_FOUND|Not a regular file")


class UnavailableError(OSError):
    """A disk or server did not deliver; the same read may go well later."""


def read_in_time(
    read: Callable[[], Result], what: str, *, store: str, limit_s: float | None
) -> Result:
    """Return what is read; try again after a moment if its store fails in a way that may pass.

    Args:
        what: what is read, for the log; errors leave it to the caller.
        store: the folder or server that it is read from.
        limit_s: seconds for all tries together.

    Raises:
        UnavailableError: the store did not deliver.
        OSError, ValueError: what the read raises for other reasons.
    """
    pauses_s: tuple[float | None, ...] = (*stores.RETRY_PAUSES_S, None)
    if failures_in_a_row[store] >= MAX_FAILURES:
        pauses_s, limit_s = (None,), min(limit_s or BRIEF_S, BRIEF_S)
    end = None if limit_s is None else time.monotonic() + limit_s
    for pause_s in pauses_s:
        try:
            content = call_in_time(read, limit_s, "reading", store=store)
        except OSError as error:
            if not may_pass(error):
                raise
            failure = error
        except pa.ArrowException as error:
            if isinstance(error, ValueError):
                raise
            # Some stores have errors of their own, which Arrow has no number for.
            failure = OSError(str(error))
        else:
            failures_in_a_row[store] = 0
            return content
        if end is not None:
            limit_s = end - time.monotonic() - (pause_s or 0)
        if pause_s is None or (limit_s is not None and limit_s <= 0):
            break
        log.warning("%s: trying again in %s s: %s", what, pause_s, failure)
        time.sleep(pause_s)
    failures_in_a_row[store] += 1
    raise UnavailableError(str(failure)) from failure


def may_pass(error: OSError) -> bool:
    """Tell whether the store is to blame, and another try may help."""
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return False
    if error.errno is not None:
        return error.errno in PASSING
    return not (stores.FINAL.search(str(error)) or LASTING.search(str(error)))


def name_error(error: OSError, name: str) -> OSError:
    """Return an error of the same kind that names the file as people know it."""
    kinds = (UnavailableError, FileNotFoundError, PermissionError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), OSError)
    is_missing = kind is FileNotFoundError
    said = "expected a file, found nothing" if is_missing else error.strerror or str(error)
    named = kind(f"{name}: {said}")
    # By which others tell whether another try may help.
    named.errno = error.errno
    return named

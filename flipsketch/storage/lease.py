"""A lease on a folder in an object store, so that one job at a time writes to it.

Stores have no locks. The holder writes an object and renews it; who finds one that is renewed is
refused, and one that is not renewed for a minute lapses. Whether a minute has passed is a matter of
each machine's own clock, never of a comparison of two machines' clocks. Where a store can write on
a condition, a lease is taken and renewed by such writes, so that of two only one succeeds;
elsewhere by writing, waiting a little, and reading back.
"""

import _thread
import json
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from flipsketch.storage.waiting import call_in_time

log = logging.getLogger(__name__)

RENEW_S = 15.0
LAPSE_S = 60.0
DOUBT_AFTER_S = 45.0
"""Without a renewal; less than `LAPSE_S`, so that a holder stops before another one begins."""
WATCH_S = 2.0
RELEASE_LIMIT_S = 2.0


class Taken(Exception):
    """Another process has written the lease since it was read."""


class LeaseFile(Protocol):
    """Where a lease is written."""

    def read(self) -> tuple[bytes, str] | None:
        """Return the content and its version, None if there is none."""

    def write(self, content: bytes, version: str | None, *, first: bool = False) -> str:
        """Put content in place of a version (None: of nothing) and return its version.

        Args:
            first: of a new holder, which others may want to be at the same time.

        Raises:
            Taken: it is no longer that version.
            OSError: it cannot be written.
        """

    def delete(self) -> None: ...


@dataclass(frozen=True)
class Holder:
    id: str
    host: str
    boot: str
    """Of the machine, and the process's namespace: where a process number means the same."""
    pid: int
    started: str
    """When the process began, in ticks of the kernel: numbers are used again."""
    since: str
    renewals: int = 0

    @classmethod
    def this_process(cls) -> "Holder":
        since = datetime.now(UTC).isoformat(timespec="seconds")
        pid = os.getpid()
        return cls(
            uuid.uuid4().hex, socket.gethostname(), boot_id(), pid, start_of(pid) or "", since
        )

    @property
    def is_here(self) -> bool:
        """Tell whether its process would be seen from here."""
        return bool(self.boot) and (self.host, self.boot) == (socket.gethostname(), boot_id())

    @property
    def is_alive(self) -> bool:
        """Of a holder that is here."""
        return start_of(self.pid) == self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def boot_id() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def start_of(pid: int) -> str | None:
    """Return when a process began, None if there is none (a zombie is none)."""
    try:
        # The name, in brackets, may have any characters.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def parse_holder(content: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


class Lease:
    def __init__(self, file: LeaseFile, location: str) -> None:
        self.file, self.location = file, location
        self.holder = Holder.this_process()
        self.version = ""
        self.renewed = time.monotonic()
        self.renewing = threading.Lock()
        self.loss: str | None = None
        self.ended = threading.Event()

    def take(self) -> None:
        """Raises ValueError: another job holds the folder."""
        seen: tuple[bytes, str] | None = None
        watched = time.monotonic()
        while True:
            found = self.file.read()
            if found is None:
                if self.try_write(None):
                    return
                continue
            content, version = found
            holder = parse_holder(content)
            if holder is not None and holder.is_here:
                if holder.is_alive:
                    self.refuse(holder)
                log.info("%s: its last job, %s, has died; taking over", self.location, holder)
                if self.try_write(version):
                    return
                continue
            if seen is None:
                log.warning(
                    "%s: was being written by %s; waiting up to %.0f s to see whether it still is",
                    *(self.location, holder or "another job", LAPSE_S),
                )
                seen, watched = found, time.monotonic()
            elif content != seen[0]:
                self.refuse(holder)
            if time.monotonic() - watched >= LAPSE_S and self.try_write(version):
                return
            time.sleep(WATCH_S)

    def refuse(self, holder: Holder | None) -> None:
        raise ValueError(
            f"{self.location}: another job is writing to this folder "
            f"({holder or 'it says not which'}); wait for it, end it, or give another folder"
        )

    def try_write(self, version: str | None) -> bool:
        """Write this holder in place of a version; return whether nobody was faster."""
        began, first = time.monotonic(), self.holder.renewals == 0
        try:
            self.version = self.file.write(self.holder.to_json(), version, first=first)
        except Taken:
            # An answer may have been lost, and the request sent again.
            found = self.file.read()
            if found is None or not self.is_mine(found[0]):
                return False
            self.version = found[1]
        self.renewed = began
        return True

    def is_mine(self, content: bytes) -> bool:
        holder = parse_holder(content)
        return holder is not None and holder.id == self.holder.id

    def keep(self) -> None:
        """Renew the lease until it is released or lost; in a thread."""
        while not self.ended.wait(RENEW_S):
            try:
                self.renew()
            except OSError as error:
                log.warning("%s: its lease is not renewed: %s", self.location, error)
            if self.loss is not None and not self.ended.is_set():
                log.error("%s", self.loss)
                interrupt_main()
                return

    def renew(self) -> None:
        with self.renewing:
            self.holder = replace(self.holder, renewals=self.holder.renewals + 1)
            if not self.try_write(self.version):
                self.loss = (
                    f"{self.location}: another job has taken over this folder, or deleted it, "
                    f"while this one could not be heard; nothing more is written, and committed "
                    f"shards are kept. See which job is to write there, then rerun its command"
                )

    def raise_if_lost(self) -> None:
        """Raise OSError unless nobody else can hold the folder by now."""
        if self.loss is None and time.monotonic() - self.renewed > DOUBT_AFTER_S:
            # This process or its network stood still.
            self.renew()
        if self.loss is not None:
            raise OSError(self.loss)

    def release(self) -> None:
        self.ended.set()
        if self.loss is not None:
            return

        def delete() -> None:
            found = self.file.read()
            if found is not None and self.is_mine(found[0]):
                self.file.delete()

        try:
            call_in_time(delete, RELEASE_LIMIT_S, f"{self.location}: releasing its lease")
        except OSError as error:
            log.warning("%s; it lapses by itself in %.0f s", error, LAPSE_S)


def interrupt_main() -> None:
    """Interrupt the main thread as Ctrl-C does, also where a shell has Ctrl-C ignored."""
    by_sigterm = signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    _thread.interrupt_main(signal.SIGTERM if by_sigterm else signal.SIGINT)


# Of this process, by the location of their folder.
held: dict[str, Lease] = {}


@contextmanager
def hold_lease(file: LeaseFile, location: str) -> Iterator[None]:
    """Hold the lease on a folder while the block runs.

    Raises:
        ValueError: another job holds it.
        OSError: the store cannot be written, or the lease was lost on the way.
    """
    lease = Lease(file, location)
    lease.take()
    held[location] = lease
    threading.Thread(target=lease.keep, name=f"lease-{location}", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if lease.loss is None:
            raise
    finally:
        del held[location]
        lease.release()
    if lease.loss is not None:
        raise OSError(lease.loss)


def raise_if_lost(location: str) -> None:
    """Raise OSError if this process has held a lease on a folder with this file, and lost it."""
    for folder, lease in list(held.items()):
        if location.startswith(f"{folder}/"):
            lease.raise_if_lost()

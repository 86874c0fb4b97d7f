"""What a shard's rows went through in processes that died: a note that outlives them.

A maker notes which rows it is about to run. If its process dies, or is ended because it took too
long, the next one to make the shard finds them here, runs them one by one, and in the end gives up
the one that is to blame. That one may belong to a later run of the command: what is known of the
rows is kept until the shard has been committed, or --overwrite deletes all.
"""

import faulthandler
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Literal

from flipsketch.corpus.row import Row
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

# Three times alone, so that a row is not blamed for a machine that went down with it.
MAX_DEATHS_ALONE = 3
MAX_UNEXPLAINED_DEATHS = 5
TIMED_OUT = 70  # exit code
STDERR = 2  # whatever stands in for sys.stderr, in Ray or a notebook
NOTES = r"(scores-)?attempts-(\d+)\.json"
# What comes before the names of the notes of those who score, beside those of the corpus itself.
SCORES = "scores-"

Stage = Literal["reading", "animating", "rasterizing", "scoring"]
# The job ends for a reason that it can name, and in good order.
IN_ORDER = (KeyboardInterrupt, GeneratorExit, OSError, ValueError)


@dataclass
class Note:
    driver: str | None = None
    """The driver whose actor wrote it; None where the process that makes shards is the driver."""
    stage: Stage = "reading"
    running: list[int] = field(default_factory=list)
    """Manifest rows that run right now; in a note that is found, those that ran at the death."""
    limit_s: float | None = None
    """Set when the process ended itself because they took longer than this."""
    suspects: dict[Stage, list[int]] = field(default_factory=dict)
    """Rows that ran when a process died, to be run alone."""
    deaths: dict[int, int] = field(default_factory=dict)
    """How often a row's process died."""
    deaths_alone: dict[int, int] = field(default_factory=dict)
    given_up: dict[int, str] = field(default_factory=dict)
    """Rows that are not run again, and why."""
    unexplained: int = 0
    """Deaths between rows."""
    is_coarse: bool = False
    """It does not say which rows run: the first attempt at a shard in a store, where each note is a
    request and most shards need no second attempt."""
    coarse_deaths: int = 0
    """Deaths of which no more is known than the shard."""
    ended: bool = False
    """The attempt was given up in good order: interrupted, or the disk was full."""


class Attempts:
    """The note of one shard, in `_tmp`; as a context it goes when the shard has been committed."""

    def __init__(
        self, folder: Folder, index: int, driver: str | None = None, prefix: str = ""
    ) -> None:
        """Take up the note if there is one: its writer is dead.

        Args:
            driver: names the run of the command that this process works for, if it can die alone.
            prefix: of the note's name, SCORES of scores.

        Raises:
            ChildProcessError: processes die again and again, and no row is to blame.
        """
        self.folder, self.name = folder, note_name(index, prefix)
        self.lock, self.is_closed = threading.Lock(), False
        found = folder.read(self.name)
        self.note = Note() if found is None else parse_note(found, f"{folder}/{self.name}")
        if found is not None:
            # What an actor ran when its driver died is not to blame: they died together.
            if self.note.driver not in (None, driver):
                self.note.ended = True
            self.record_crash()
        self.note.driver = driver
        self.note.is_coarse = not folder.is_local and not self.follows_death
        if self.note.unexplained >= MAX_UNEXPLAINED_DEATHS:
            folder.delete(self.name)
            raise ChildProcessError(
                f"shard {index:05d}: {MAX_UNEXPLAINED_DEATHS} processes died in it, and not while "
                f"they read or animated a row; look for what ended them (memory?) in the log"
            )
        self.save()

    def record_crash(self) -> None:
        """Attribute the crash that left this note to the rows that ran."""
        note = self.note
        if note.ended:
            note.ended, note.running, note.limit_s = False, [], None
            return
        for row in note.running:
            note.deaths[row] = note.deaths.get(row, 0) + 1
        if note.is_coarse:
            note.coarse_deaths += 1
        elif not note.running:
            note.unexplained += 1
        elif len(note.running) > 1 or note.running[0] not in note.suspects.get(note.stage, []):
            suspects = {*note.suspects.get(note.stage, []), *note.running}
            note.suspects[note.stage] = sorted(suspects)
        else:
            (row,) = note.running
            note.deaths_alone[row] = note.deaths_alone.get(row, 0) + 1
            if note.limit_s is not None:
                note.given_up[row] = (
                    f"{note.stage} the row took longer than the {note.limit_s:g} s allowed "
                    f"(--row-timeout, times the model's batch size) twice, the second time alone"
                )
            elif note.deaths_alone[row] >= MAX_DEATHS_ALONE:
                note.given_up[row] = (
                    f"{note.stage} the row ended the process {MAX_DEATHS_ALONE} times when it ran "
                    f"alone: memory ran out, or a library crashed; the job's log may say which"
                )
        note.running, note.limit_s = [], None

    @property
    def given_up(self) -> dict[int, str]:
        return self.note.given_up

    def deaths(self, row: Row) -> int:
        return self.note.deaths.get(row.index, 0) + self.note.coarse_deaths

    @property
    def follows_death(self) -> bool:
        return bool(self.note.deaths or self.note.unexplained or self.note.coarse_deaths)

    def are_suspect(self, stage: Stage, rows: list[Row]) -> bool:
        return any(row.index in self.note.suspects.get(stage, []) for row in rows)

    def is_interrupt(self, error: BaseException) -> bool:
        """Tell whether an error is no row's own: actors are never interrupted, only killed."""
        return isinstance(error, KeyboardInterrupt) and self.note.driver is None

    @contextmanager
    def running(self, stage: Stage, rows: list[Row], limit_s: float | None) -> Iterator[None]:
        """Note the rows while they run, and end the process if they take longer than allowed."""
        self.note.stage, self.note.running = stage, [row.index for row in rows]
        if not self.note.is_coarse:
            self.save()
        try:
            with watchdog(limit_s, self.time_out):
                yield
        finally:
            self.note.running = []
            if not self.note.is_coarse:
                self.save()

    def time_out(self, limit_s: float) -> None:
        # It is known now which rows these are.
        self.note.limit_s, self.note.is_coarse = limit_s, False
        try:
            self.save()
        finally:
            rows = ", ".join(str(row + 1) for row in self.note.running)
            print(
                f"{self.note.stage} row {rows} of the manifest took longer than {limit_s:g} s; "
                f"this process ends, the next one runs them one by one",
                file=sys.__stderr__,
                flush=True,
            )
            os._exit(TIMED_OUT)

    def __enter__(self) -> "Attempts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *trace: object
    ) -> None:
        if kind is None:
            self.close()
        else:
            # All else is a death, though Python has come so far as to say so.
            self.give_up(in_order=issubclass(kind, IN_ORDER))

    def close(self) -> None:
        """Delete the note; a thread that is still at a row writes no other."""
        with self.lock:
            self.is_closed = True
            self.folder.delete(self.name)

    def give_up(self, *, in_order: bool) -> None:
        """Leave the attempt at that; once it has come to an end, this changes nothing."""
        if self.is_closed:
            return
        self.note.ended = in_order
        # A disk that is full takes no note, but a person will look at it anyway.
        with suppress(OSError):
            if in_order and not self.follows_death:
                # It would say nothing, but have the shard made by itself.
                self.close()
            else:
                self.save()
        self.is_closed = True

    def save(self) -> None:
        # It has to outlive the process, not the machine.
        content = json.dumps(asdict(self.note)).encode()
        with self.lock:
            if not self.is_closed:
                self.folder.publish(self.name, content, durable=False)


def note_name(index: int, prefix: str = "") -> str:
    return f"_tmp/{prefix}attempts-{index:05d}.json"


def has_note(folder: Folder, index: int) -> bool:
    """Tell whether an earlier attempt at a shard has left a note, since its process died."""
    return folder.read(note_name(index)) is not None


def parse_note(text: bytes, where: str) -> Note:
    """Return what a note says; one that is damaged says nothing."""
    try:
        note = Note(**json.loads(text))
        for name in ("deaths", "deaths_alone", "given_up"):
            # JSON has no whole numbers as keys.
            setattr(note, name, {int(row): value for row, value in getattr(note, name).items()})
        return note
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("%s: not readable (%s), so its rows start afresh", where, error)
        return Note()


def sweep_notes(folder: Folder, kept: Callable[[int], bool], prefix: str = "") -> None:
    """Delete the notes of shards that nobody needs any more.

    Args:
        kept: tells of a shard's index whether its note is still wanted.
        prefix: as of `Attempts`.
    """
    for name in folder.list("_tmp"):
        match = re.fullmatch(NOTES, name)
        if match and (match[1] or "") == prefix and not kept(int(match[2])):
            folder.delete(f"_tmp/{name}")


class LastResort:
    """Ends the process where foreign code holds the GIL for too long, so that no Python thread can
    run: faulthandler's timer needs none. It has but one, which stands at the first deadline."""

    def __init__(self) -> None:
        self.lock, self.deadlines = threading.Lock(), list[float]()

    def add(self, deadline: float) -> None:
        with self.lock:
            self.deadlines.append(deadline)
            self.set_timer()

    def remove(self, deadline: float) -> None:
        with self.lock:
            self.deadlines.remove(deadline)
            self.set_timer()

    def set_timer(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self.deadlines:
            left_s = max(1.0, min(self.deadlines) - time.monotonic())
            faulthandler.dump_traceback_later(left_s, exit=True, file=STDERR)


last_resort = LastResort()


@contextmanager
def watchdog(limit_s: float | None, on_timeout: Callable[[float], None]) -> Iterator[None]:
    """Call `on_timeout` from another thread after `limit_s` seconds, unless the block has ended."""
    if limit_s is None:
        yield
        return
    timer = threading.Timer(limit_s, on_timeout, [limit_s])
    timer.daemon = True
    timer.start()
    deadline = time.monotonic() + limit_s + 30
    last_resort.add(deadline)
    try:
        yield
    finally:
        timer.cancel()
        last_resort.remove(deadline)

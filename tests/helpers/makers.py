"""Makers that make next to nothing, in a module that actors import in no time."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import ray


class Maker:
    """Leaves a file for each attempt at a shard, and dies in the first ones of chosen shards."""

    def __init__(self, folder: Path, deaths: dict[int, int]):
        self.folder, self.deaths = folder, deaths

    def make_shard(self, index, rows, report):
        attempt = sum(1 for _ in self.folder.glob(f"{index}-*"))
        (self.folder / f"{index}-{attempt}").touch()
        if attempt < self.deaths.get(index, 0):
            os._exit(1)
        if index == 13:
            raise OSError("no space on shard 13")
        report(index, len(rows), 0)
        return index


class EnvironmentMaker:
    """Returns variables of its process's environment."""

    def make_shard(self, index, rows, report):
        return {name: os.environ.get(name) for name in rows}


class LeavingMaker(Maker):
    """Asks Ray to end its actor while it makes the first shard, and makes it all the same."""

    def make_shard(self, index, rows, report):
        made = super().make_shard(index, rows, report)
        if index == 0:
            with suppress(SystemExit):
                ray.actor.exit_actor()
        return made


class TiringMaker(Maker):
    """Makes good rows each time, and dies each time before its shard is made."""

    def make_shard(self, index, rows, report):
        report(index, len(rows) - 1, 0)
        time.sleep(0.2)
        return super().make_shard(index, rows, report)


class UnloadableMaker:
    def __init__(self):
        os._exit(1)


class SlowMaker:
    def make_shard(self, index, rows, report):
        time.sleep(24)
        return index


class StagedMaker:
    """Its first shard can be neither animated nor committed unless the next one is under way."""

    def __init__(self, suspects: tuple[int, ...] = ()) -> None:
        self.suspects = suspects
        self.events: list[tuple[str, int]] = []
        self.reached = {"read 1": threading.Event(), "animate 1": threading.Event()}

    def make_shard(self, index, rows, report):
        shard = self.begin_shard(index, rows, report)
        shard.read()
        list(shard.animate())
        return shard.commit()

    def begin_shard(self, index, rows, report):
        return NoShard(self, index, rows)


class NoShard:
    def __init__(self, maker: StagedMaker, index: int, rows: list) -> None:
        self.maker, self.index, self.rows = maker, index, rows
        self.is_suspect = index in maker.suspects

    def note(self, stage: str) -> None:
        self.maker.events.append((stage, self.index))
        if event := self.maker.reached.get(f"{stage} {self.index}"):
            event.set()

    def wait_for(self, what: str) -> None:
        if self.index == 0 and not self.maker.suspects:
            assert self.maker.reached[what].wait(60), f"no {what} beside the first shard"

    def read(self):
        self.note("read")

    def animate(self):
        self.note("animate")
        self.wait_for("read 1")
        yield

    def commit(self):
        self.wait_for("animate 1")
        if "no space" in self.rows:
            raise OSError(f"no space on shard {self.index}")
        self.note("commit")
        return self.index

    def give_up(self):
        self.note("give up")

"""Makers that make next to nothing, in a module that actors import in no time."""

import os
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

"""Makers that make next to nothing, in a module that actors import in no time."""

import os
import time
from pathlib import Path


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


class UnloadableMaker:
    def __init__(self):
        os._exit(1)


class SlowMaker:
    def make_shard(self, index, rows, report):
        time.sleep(24)
        return index

#!/usr/bin/env python
"""How fast training clips are read from an S3 server that is far away, in several ways.

The server runs on this machine; a proxy in front of it adds latency and bounds the bytes a second
of each connection. A way reads all clips once (cold), then all of them again in another order
(warm), and decodes them, as training does.

    python benchmarks/store_reading.py --latency-ms 20 --megabytes-per-s 50
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import tyro
import webdataset

from flipsketch.animations.reader import RasterConfig
from flipsketch.corpus.dataset import ReaderConfig, TrainingClips
from flipsketch.corpus.shard import tar_name
from flipsketch.doodles.writer import DrawingConfig, write_doodles
from flipsketch.media.clip import decode_filmstrip
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import load_model
from flipsketch.storage.folder import open_folder
from flipsketch.storage.threads import Readers
from flipsketch.training.latent_cache import LatentClips, open_latents
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from tests.helpers.s3 import CREDENTIALS, FaultyProxy, S3Server

THREADS = 16
BUFFER_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class StoreReadingConfig:
    num_clips: int = 200
    """Clips of the corpus."""
    rows_per_shard: int = 25
    """Clips in each tar."""
    size: int = 128
    """Height and width of a frame."""
    num_frames: int = 16
    """Frames of a clip."""
    latency_ms: float = 20.0
    """What the proxy adds to each request."""
    megabytes_per_s: float = 50.0
    """What the proxy lets through in each connection."""


@dataclass(frozen=True)
class Bench:
    """A corpus in a store and on a disk, the proxy before the store, and a model for latents."""

    far: str
    near: str
    proxy: FaultyProxy
    model: Path
    scratch: Path
    config: StoreReadingConfig

    def open(self, location: str | None = None) -> TrainingClips:
        return TrainingClips(
            location or self.far, ReaderConfig(num_frames=self.config.num_frames, prompt_dropout=0)
        )


Way = Callable[[Bench], Callable[[int], Iterable[Any]]]
"""Opens what it reads, and returns what reads all clips of an epoch."""


def positions(clips: TrainingClips | LatentClips, epoch: int) -> range:
    return range(epoch * len(clips), (epoch + 1) * len(clips))


def ranged(bench: Bench) -> Callable[[int], Iterable[Any]]:
    clips = bench.open()
    return lambda epoch: (clips[position] for position in positions(clips, epoch))


def ranged_in_threads(bench: Bench) -> Callable[[int], Iterable[Any]]:
    clips = bench.open()

    def read(epoch: int) -> Iterator[Any]:
        with Readers(THREADS) as readers:
            reading = [readers.submit(clips.__getitem__, at) for at in positions(clips, epoch)]
            yield from (future.result() for future in reading)

    return read


def whole_tars(bench: Bench) -> Callable[[int], Iterable[Any]]:
    clips = bench.open()
    return lambda epoch: (frames for shard in clips.shards for _, frames in clips.read_shard(shard))


def webdataset_streaming(bench: Bench) -> Callable[[int], Iterable[Any]]:
    clips = bench.open()
    folder = clips.folder

    def open_stream(url: str, *args: Any, **options: Any) -> Any:
        path = folder.join(url.removeprefix("store:"))
        # Without a buffer tarfile's reads of 10 kB are a request each.
        return folder.filesystem.open_input_stream(path, buffer_size=BUFFER_BYTES)

    webdataset.gopen_schemes["store"] = open_stream
    urls = [f"store:{tar_name(shard, clips.plan.tars)}" for shard in clips.shards]

    def read(epoch: int) -> Iterator[Any]:
        for sample in webdataset.WebDataset(urls, shardshuffle=False, empty_check=False):
            yield decode_filmstrip(sample["png"], bench.config.num_frames)

    return read


def local_copies(bench: Bench) -> Callable[[int], Iterable[Any]]:
    """The order of `ranged`, from copies of whole tars that are made when one is first needed."""
    far, near = bench.open(), bench.open(bench.near)
    there: set[int] = set()

    def read(epoch: int) -> Iterator[Any]:
        for position in positions(near, epoch):
            shard = near.draw(position).row["shard"]
            if shard not in there:
                tar = far.folder.read(tar_name(shard, far.plan.tars))
                (bench.scratch / f"{shard}.tar").write_bytes(tar or b"")
                there.add(shard)
            yield near[position]

    return read


def latents(bench: Bench) -> Callable[[int], Iterable[Any]]:
    """What training does by default, once the VAE has encoded the clips of the whole tars."""
    model = load_model(bench.model)
    cache = open_latents(
        bench.open(), str(bench.model), model.size, "float32", str(bench.scratch / "cache")
    )
    cache.fill(model, 0, lambda text: None)
    return lambda epoch: (cache[position] for position in positions(cache, epoch))


WAYS: dict[str, tuple[Way, str]] = {
    "ranged reads, one at a time": (ranged, "seeded"),
    f"ranged reads, {THREADS} threads": (ranged_in_threads, "seeded"),
    "whole tars, hashed": (whole_tars, "of the tars"),
    "webdataset, streaming": (webdataset_streaming, "of the tars"),
    "whole tars copied to a disk": (local_copies, "seeded"),
    "latents on a disk": (latents, "seeded"),
}


def main(config: StoreReadingConfig) -> None:
    os.environ.update(CREDENTIALS)
    server = S3Server()
    proxy = FaultyProxy(server)
    with tempfile.TemporaryDirectory() as folder:
        near = write_shards(Path(folder), config)
        server.upload(near, "shards")
        model = write_tiny_model(Path(folder) / "model", size=config.size)
        bench = Bench(proxy.uri("shards"), near, proxy, model, Path(folder) / "scratch", config)
        bench.scratch.mkdir()
        sizes = [file.size for file in open_folder(near).find("shards")]
        print(f"{config.num_clips} clips in {len(sizes)} tars, {sum(sizes) / 1e6:.1f} MB\n")
        print("| way | order | cold, clips/s | requests | warm, clips/s | requests |")
        print("|---|---|---|---|---|---|")
        for name, (way, order) in WAYS.items():
            cells = measure(bench, way)
            print(f"| {name} | {order} | {' | '.join(cells)} |", flush=True)
    proxy.stop()
    server.stop()


def measure(bench: Bench, way: Way) -> Iterator[str]:
    """Yield clips a second and requests of the first pass, then of the second."""
    bench.proxy.work()
    read = way(bench)
    bench.proxy.slow_down(bench.config.latency_ms / 1000, bench.config.megabytes_per_s * 1e6)
    for epoch in (0, 1):
        bench.proxy.requests()
        started = time.monotonic()
        num_read = sum(1 for _ in islice(read(epoch), bench.config.num_clips))
        assert num_read == bench.config.num_clips
        yield f"{num_read / (time.monotonic() - started):,.0f}"
        yield f"{bench.proxy.count().total():,}"


def write_shards(folder: Path, config: StoreReadingConfig) -> str:
    drawing = DrawingConfig(num_animations=config.num_clips, num_frames=config.num_frames)
    write_doodles(folder / "doodles", drawing)
    job = RasterizeConfig(
        animations=str(folder / "doodles"),
        output=str(folder / "shards"),
        raster=RasterConfig(size=config.size),
        rows_per_shard=config.rows_per_shard,
        executor=ExecutorConfig(executor="local"),
    )
    assert make_training_shards(job) == 0
    return job.output


if __name__ == "__main__":
    main(tyro.cli(StoreReadingConfig, description=__doc__))

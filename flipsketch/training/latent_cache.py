"""Latents of training clips, encoded once and kept on a local disk: beside the shards, or in a
cache folder.

The VAE encodes frames one by one, so a window of a clip's latents equals the latents of the window.
There is a file a shard, in a folder for each VAE, frame size and dtype (and in a cache for each
corpus); it names the tar that it was made from. Once all are there, a step reads nothing else.
"""

import fcntl
import functools
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.utils.data import Dataset

from flipsketch.corpus.dataset import TrainingClips, check_size
from flipsketch.media.pixels import to_pixels
from flipsketch.models.registry import find_model, fingerprint_folder
from flipsketch.models.video_model import VideoModel
from flipsketch.storage.folder import PARTIAL, open_folder
from flipsketch.training.cache_folder import make_cache

log = logging.getLogger(__name__)

OPEN_FILES = 64
BYTES_PER_NUMBER = 4
# What a writer that died has left; nobody writes a file for so long.
STALE_S = 24 * 3600.0
MEGABYTE = 1_000_000


class LatentClips(Dataset):
    """TrainingClips, with latents (C, num_frames, h, w) in place of frames."""

    def __init__(
        self,
        clips: TrainingClips,
        vae_fingerprint: str,
        size: int,
        dtype: str = "float32",
        cache: str | None = None,
    ) -> None:
        """
        Args:
            cache: folder of the latents; by default they are beside the shards, or, if these are in
                an object store, in this user's cache.

        Raises:
            ValueError: the clips have another size, or the cache is not on a local disk.
            OSError: the cache cannot be written.
        """
        check_size(clips, size)
        self.clips, self.size = clips, size
        kind = f"{vae_fingerprint[:16]}-{size}-{dtype}"
        self.is_beside = cache is None and clips.folder.is_local
        if self.is_beside:
            self.folder, self.name = clips.folder, f"latents/{kind}"
        else:
            self.folder = open_folder(make_cache(cache))
            self.name = f"{clips.plan.fingerprint[:16]}-{kind}"
        self.open = functools.lru_cache(OPEN_FILES)(self.open_in)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, position: int) -> dict[str, Any]:
        draw = self.clips.draw(position)
        file = self.open(draw.row["shard"], os.getpid())
        latents = file.get_slice(draw.row["key"])[draw.window].transpose(0, 1)
        return {**draw.to_sample(), "latents": latents}

    def missing(self) -> list[int]:
        """Return the shards without latents of all their clips, or with latents of another tar."""
        return [shard for shard in sorted(self.clips.shards) if not self.is_there(shard)]

    def is_there(self, shard: int) -> bool:
        try:
            with safe_open(self.path(shard), "pt") as file:
                is_of_tar = file.metadata()["tar_sha256"] == self.clips.shards[shard].tar_sha256
                return is_of_tar and set(file.keys()) >= set(
                    self.clips.rows_in(shard)["key"].to_pylist()
                )
        except (OSError, SafetensorError, KeyError, TypeError):
            return False

    def encode_shard(self, model: VideoModel, shard: int) -> int:
        """Encode all clips of a shard that are long enough, write their latents and return their
        number.

        Raises:
            ValueError: the shard is damaged.
            OSError: it cannot be read, or the file cannot be written.
        """
        latents = {}
        for row, frames in self.clips.read_shard(shard):
            pixels = to_pixels(frames).to(model.device)
            latents[row["key"]] = model.encode(pixels)[0].transpose(0, 1).contiguous().cpu()
        content = save(latents, {"tar_sha256": self.clips.shards[shard].tar_sha256})
        self.folder.publish(self.file_name(shard), content)
        return len(latents)

    def fill(self, model: VideoModel, rank: int, say: Callable[[str], None]) -> None:
        """Encode what is missing, together with all processes of this machine that do the same.

        Args:
            rank: of this process, so that they begin at different shards.
            say: is told how far it is.

        Raises:
            ValueError: a shard is damaged.
            OSError: the disk has too little room, or a file cannot be read or written.
        """
        missing = self.missing()
        if missing:
            self.sweep()
            self.check_room(model, missing)
            say(f"encoding the clips of {len(missing)} shards, once for all runs -> {self.place}")
        started = time.monotonic()
        own = missing[rank % len(missing) :] + missing[: rank % len(missing)] if missing else []
        # First those that nobody has begun, then those that another may have left undone.
        for waits in (False, True):
            for shard in own:
                with self.locked(shard, waits) as is_ours:
                    if is_ours and not self.is_there(shard):
                        num_clips = self.encode_shard(model, shard)
                        say(f"encoded the {num_clips} clips of shard {shard:05d}")
        if missing:
            seconds, megabytes = time.monotonic() - started, self.num_bytes() / MEGABYTE
            say(
                f"encoded in {seconds:.0f} s; latents of {len(self.clips.shards)} shards take "
                f"{megabytes:,.1f} MB in {self.place}, to be deleted when no run needs them"
            )

    def check_room(self, model: VideoModel, shards: list[int]) -> None:
        """Raise OSError if the latents of some shards do not fit on the disk."""
        needed = self.needed_bytes(model, shards)
        free = shutil.disk_usage(self.folder.path).free
        if needed > free:
            raise OSError(
                f"{self.place}: the latents take {needed / MEGABYTE:,.1f} MB, but the disk has "
                f"{free / MEGABYTE:,.1f} MB free; free some, give a folder elsewhere as "
                f"--latent-cache, or add --no-cache-latents"
            )

    def needed_bytes(self, model: VideoModel, shards: list[int]) -> int:
        """Return what the latents of some shards take."""
        frames = [self.clips.rows_in(shard)["num_frames"].to_numpy() for shard in shards]
        num_frames = int(np.concatenate(frames).sum())
        side = self.size // model.vae_factor
        channels = model.vae.config.latent_channels
        return num_frames * channels * side**2 * BYTES_PER_NUMBER

    @contextmanager
    def locked(self, shard: int, waits: bool) -> Iterator[bool]:
        """Yield whether no other process encodes a shard; the lock ends with its process."""
        os.makedirs(self.place, exist_ok=True)
        descriptor = os.open(os.path.join(self.place, "lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield take_lock(descriptor, shard, waits)
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Delete what writers that died have left."""
        for path in Path(self.folder.join("_tmp")).glob("*"):
            is_partial = re.fullmatch(PARTIAL, path.name) is not None
            # Another process may do the same.
            with suppress(FileNotFoundError):
                if is_partial and time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()

    def num_bytes(self) -> int:
        return sum(path.stat().st_size for path in Path(self.place).glob("*.safetensors"))

    @property
    def place(self) -> str:
        """Folder of these latents alone."""
        return self.folder.join(self.name)

    def file_name(self, shard: int) -> str:
        if self.is_beside:
            return f"{self.name}/{shard:05d}.safetensors"
        # A shard that was made again must not take the latents from under a run that uses them.
        return f"{self.name}/{shard:05d}-{self.clips.shards[shard].tar_sha256[:16]}.safetensors"

    def path(self, shard: int) -> str:
        return self.folder.join(self.file_name(shard))

    def open_in(self, shard: int, process: int) -> Any:
        try:
            return safe_open(self.path(shard), "pt")
        except (OSError, SafetensorError) as error:
            raise OSError(
                f"{self.path(shard)}: the latents of shard {shard:05d} are gone or damaged "
                f"({error}); rerun the same command, which makes them again"
            ) from error


def take_lock(descriptor: int, shard: int, waits: bool) -> bool:
    """Lock the byte of a file that stands for a shard; return False if another process has it."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB), 1, shard)
    except BlockingIOError:
        return False
    except OSError as error:
        log.warning("latents cannot be locked (%s); processes may encode the same shards", error)
    return True


def open_latents(
    clips: TrainingClips, model: str, size: int, dtype: str, cache: str | None = None
) -> LatentClips:
    """Return the latents of clips by a model's VAE at its frame size; some may be missing still.

    Raises:
        OSError, ValueError: as `LatentClips`.
    """
    vae = fingerprint_folder(find_model(model), ("vae",))
    return LatentClips(clips, vae, size, dtype, cache)

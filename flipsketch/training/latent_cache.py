"""Latents of training clips, encoded once and kept beside the shards.

The VAE encodes frames one by one, so a window of a clip's latents equals the latents of the window.
There is a file a shard, in a folder for each VAE, frame size and dtype; it names the tar that it
was made from.
"""

import functools
import os
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.utils.data import Dataset

from flipsketch.corpus.dataset import TrainingClips, check_size
from flipsketch.media.pixels import to_pixels
from flipsketch.models.registry import find_model, fingerprint_folder
from flipsketch.models.video_model import VideoModel

OPEN_FILES = 64


class LatentClips(Dataset):
    """TrainingClips, with latents (C, num_frames, h, w) in place of frames."""

    def __init__(
        self, clips: TrainingClips, vae_fingerprint: str, size: int, dtype: str = "float32"
    ) -> None:
        """Raises ValueError: the clips have another size, or lie in an object store."""
        check_size(clips, size)
        if not clips.folder.is_local:
            raise ValueError(
                f"{clips.folder}: cached latents must be on a local disk; copy "
                f"the shards to one, or add --no-cache-latents"
            )
        self.clips, self.name = clips, f"latents/{vae_fingerprint[:16]}-{size}-{dtype}"
        self.open = functools.lru_cache(OPEN_FILES)(self.open_in)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, position: int) -> dict[str, Any]:
        draw = self.clips.draw(position)
        file = self.open(draw.row["shard"], os.getpid())
        latents = file.get_slice(draw.row["key"])[draw.window].transpose(0, 1)
        return {**draw.to_sample(), "latents": latents}

    def missing(self) -> list[int]:
        """Return the shards without latents, or with latents of another tar."""
        return [shard for shard in sorted(self.clips.shards) if not self.is_there(shard)]

    def is_there(self, shard: int) -> bool:
        try:
            with safe_open(self.path(shard), "pt") as file:
                return file.metadata()["tar_sha256"] == self.clips.shards[shard].tar_sha256
        except (OSError, SafetensorError, KeyError, TypeError):
            return False

    def encode_shard(self, model: VideoModel, shard: int) -> int:
        """Encode all clips of a shard that are long enough, write their latents and return their
        number.

        Raises:
            OSError: the file cannot be written.
        """
        latents = {}
        for row in self.clips.rows_in(shard):
            pixels = to_pixels(self.clips.read_frames(row)).to(model.device)
            latents[row["key"]] = model.encode(pixels)[0].transpose(0, 1).contiguous().cpu()
        content = save(latents, {"tar_sha256": self.clips.shards[shard].tar_sha256})
        self.clips.folder.publish(f"{self.name}/{shard:05d}.safetensors", content)
        return len(latents)

    def path(self, shard: int) -> str:
        return self.clips.folder.join(f"{self.name}/{shard:05d}.safetensors")

    def open_in(self, shard: int, process: int) -> Any:
        return safe_open(self.path(shard), "pt")


def open_latents(clips: TrainingClips, model: str, size: int, dtype: str) -> LatentClips:
    """Return the latents of clips by a model's VAE at its frame size; some may be missing still.

    Raises:
        ValueError: the clips have another size, or lie in an object store.
    """
    vae = fingerprint_folder(find_model(model), ("vae",))
    return LatentClips(clips, vae, size, dtype)

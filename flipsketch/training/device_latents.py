"""Latents of all training clips on the device, which reads them once where they take a small share
of its free memory; else threads read those of each batch ahead of it."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flipsketch.models.video_model import VideoModel
from flipsketch.training.latent_cache import MEGABYTE, LatentClips

# Of the memory that is free beside the model; most of it is for a step's activations.
DEVICE_SHARE = 0.1


class DeviceLatents:
    """Samples of LatentClips: each has the place of its window among all frames, not its latents.
    The trainer takes these from `windows`."""

    def __init__(self, latents: LatentClips, device: torch.device) -> None:
        """Raises OSError: a file of latents is gone or damaged."""
        self.clips, self.frames = latents.clips, torch.empty(0)
        self.num_frames = latents.clips.config.num_frames
        self.start_of: dict[str, int] = {}
        num_read = 0
        for shard in sorted(latents.clips.shards):
            keys = latents.clips.rows_in(shard)["key"].to_pylist()
            if not keys:
                continue
            file = latents.open(shard, os.getpid())
            read = [file.get_tensor(key) for key in keys]
            if not num_read:
                num_frames = int(latents.clips.rows["num_frames"].to_numpy().sum())
                shape = (num_frames, *read[0].shape[1:])
                self.frames = torch.empty(shape, dtype=read[0].dtype, device=device)
            first = num_read
            for key, clip in zip(keys, read, strict=True):
                self.start_of[key] = num_read
                num_read += len(clip)
            self.frames[first:num_read] = torch.cat(read).to(device)
        self.shape = (self.frames.shape[1], self.num_frames, *self.frames.shape[2:])

    def __getitem__(self, position: int) -> dict[str, Any]:
        draw = self.clips.draw(position)
        place = self.start_of[draw.row["key"]] + draw.window.start
        return {**draw.to_sample(), "place": place, "shape": self.shape}

    def windows(self, places: Tensor) -> Tensor:
        """Return the latents (B, C, num_frames, h, w) of windows that begin at some places (B,)."""
        frames = torch.arange(self.num_frames, device=places.device)
        return self.frames[places[:, None] + frames].transpose(1, 2).contiguous()


def keep_on_device(
    latents: LatentClips, model: VideoModel, say: Callable[[str], None]
) -> LatentClips | DeviceLatents:
    """Return samples whose latents a GPU keeps, if these fit; else the samples as they are.

    Args:
        say: is told what is kept.
    """
    if model.device.type != "cuda":
        return latents
    free, _ = torch.cuda.mem_get_info(model.device)
    needed = latents.needed_bytes(model, sorted(latents.clips.shards))
    if needed > DEVICE_SHARE * free:
        return latents
    say(f"keeping the latents of all clips on the GPU, {needed / MEGABYTE:,.1f} MB")
    return DeviceLatents(latents, model.device)

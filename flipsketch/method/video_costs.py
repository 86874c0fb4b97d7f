"""What a clip of an image-to-video model takes of a worker, told from its settings alone.

Weights are counted and the VAE's decoding is traced, on networks that are laid out without content.
Every pipeline calls its denoiser in a way of its own, so there a rule stands for a trace: so many
values for each token and channel of a transformer, or for each latent pixel and channel of a UNet's
first block. Traced by hand at the size that each was trained on, transformers of diffusers take 11
(Wan 2.1), 13 (CogVideoX) and 16 (LTX), and the UNet of Stable Video Diffusion takes 28.
"""

import importlib
import inspect
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from flipsketch.method.costs import ClipCosts
from flipsketch.method.fitting import Savings
from flipsketch.method.video_config import VideoConfig
from flipsketch.models.inspection import WEIGHTS, lay_out, read_weights
from flipsketch.models.loading import Loading
from flipsketch.models.tracing import LiveBytes, size_bytes, without_content
from flipsketch.models.video_pipelines import VideoPipeline

VALUES_PER_CHANNEL = {"transformer": 17, "unet": 29}
# Where decoding cannot be traced, of each pixel of a frame: as the VAE of CogVideoX takes.
VALUES_PER_PIXEL = 470
# Pipelines that denoise with and without the prompt in one pass, of twice the rows.
JOINT = {
    *("StableVideoDiffusionPipeline", "I2VGenXLPipeline", "CogVideoXImageToVideoPipeline"),
    *("LTXImageToVideoPipeline", "LTXConditionPipeline", "LTX2ImageToVideoPipeline"),
    "SanaImageToVideoPipeline",
}


def estimate_video_costs(
    folder: Path, pipeline: VideoPipeline, video: VideoConfig, loading: Loading
) -> ClipCosts:
    """Estimate what a worker needs: in some seconds, and with no memory to speak of.

    Args:
        folder: of the model, of which its settings are enough.
        video: with the size and the number of frames that the model is asked for.

    Raises:
        ValueError: settings of a part are missing or cannot be used.
    """
    assert video.video_height and video.video_width and video.video_frames
    networks, weights = lay_out_parts(folder, pipeline, loading.torch_dtype)
    denoiser = max((part for part in networks if kind_of(part)), key=weights.__getitem__)
    vae, size = networks["vae"], (video.video_height, video.video_width)
    vae_dtype = find_dtype("vae", pipeline, loading.torch_dtype)
    num_values = count_values(denoiser, networks, pipeline, video)
    # Stable Video Diffusion alone is told how many frames its VAE decodes at once.
    chunk = pipeline.call.get("decode_chunk_size")
    num_frames = min(chunk or video.video_frames, video.video_frames)
    decoding = trace_decoding(vae, vae_dtype, size, num_frames, pipeline.frame_step)
    costs = ClipCosts(
        weights=weights,
        denoiser=denoiser,
        row_bytes=num_values * loading.torch_dtype.itemsize,
        pass_bytes=num_values * loading.torch_dtype.itemsize,
        one_by_one=True,
        num_frames=video.video_frames if chunk else 1,
        frame_bytes=decoding // num_frames if chunk else decoding,
        vae_chunk=num_frames if chunk else 1,
        tile_bytes=trace_tile(vae, vae_dtype, size, num_frames, pipeline.frame_step),
    )
    return costs.with_savings(replace(Savings.of(loading), vae_tiling=video.vae_tiling))


def kind_of(part: str) -> str | None:
    """Return the kind of a denoiser; there may be several, for different timesteps."""
    kind = part.partition("_")[0]
    return kind if kind in VALUES_PER_CHANNEL else None


def find_dtype(part: str, pipeline: VideoPipeline, dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if part in pipeline.full_precision else dtype


def lay_out_parts(
    folder: Path, pipeline: VideoPipeline, dtype: torch.dtype
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return networks without content, by part, and the bytes of their weights."""
    networks, weights = {}, {}
    for part, (library, name) in pipeline.parts.items():
        kind = getattr(importlib.import_module(library), name, None)
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            continue
        own_dtype = find_dtype(part, pipeline, dtype)
        try:
            networks[part] = lay_out(folder / part, library, name)
            weights[part] = size_bytes(networks[part], own_dtype)
        except ValueError:
            if kind_of(part) or part == "vae":
                raise
            # Settings of transformers' models have more forms than are known here.
            headers = read_weights(folder / part, WEIGHTS[library])
            num_values = sum(math.prod(tensor.shape) for _, _, tensor in headers)
            weights[part] = num_values * own_dtype.itemsize
    return networks, weights


def count_values(
    denoiser: str, networks: dict[str, Any], pipeline: VideoPipeline, video: VideoConfig
) -> int:
    """Return how many values are in use in a pass of the denoiser, by the rule."""
    assert video.video_height and video.video_width and video.video_frames
    network, pixels = networks[denoiser], video.video_height * video.video_width
    num_frames = (video.video_frames - 1) // pipeline.frame_step + 1
    if kind_of(denoiser) == "unet":
        width = network.config.block_out_channels[0]
        num_tokens = num_frames * pixels // find_factor(networks["vae"]) ** 2
    else:
        sizes = (layer.in_features for layer in network.modules() if isinstance(layer, nn.Linear))
        # Most layers take tokens as they are.
        ((width, _),) = Counter(sizes).most_common(1)
        patch = network.config.get("patch_size_t") or 1
        num_tokens = math.ceil(num_frames / patch) * (pixels // pipeline.multiple**2)
    num_rows = 1 + (pipeline.name in JOINT)
    values: int = VALUES_PER_CHANNEL[kind_of(denoiser) or ""] * num_rows * num_tokens * width
    return values


def find_factor(vae: Any) -> int:
    """Return how many pixels a latent has on a side."""
    for found in (
        vae.config.get("scale_factor_spatial"),
        getattr(vae, "spatial_compression_ratio", None),
    ):
        if isinstance(found, int):
            return found
    return 2 ** (len(vae.config.get("block_out_channels", (0, 0, 0, 0))) - 1)


def trace_decoding(
    vae: Any, dtype: torch.dtype, size: tuple[int, int], num_frames: int, frame_step: int
) -> int:
    """Return the bytes that decoding some frames takes at the most."""
    channels = vae.config.get("latent_channels") or vae.config.get("z_dim")
    height, width = (side // find_factor(vae) for side in size)
    takes_frames = inspect.signature(vae.decode).parameters
    shape: tuple[int, ...] = (1, channels, (num_frames - 1) // frame_step + 1, height, width)
    # One of pictures has the frames for a batch.
    if frame_step == 1:
        shape = (num_frames, channels, height, width)
    try:
        with torch.no_grad(), without_content(vae.eval(), dtype), LiveBytes() as live:
            given: dict[str, Any] = {}
            if "num_frames" in takes_frames:
                given["num_frames"] = num_frames
            if "temb" in takes_frames and vae.config.get("timestep_conditioning"):
                given["temb"] = torch.empty(1, dtype=dtype)
            vae.decode(torch.empty(shape, dtype=dtype), **given)
        return live.peak
    # Of a class that is called otherwise.
    except Exception:
        return VALUES_PER_PIXEL * num_frames * size[0] * size[1] * dtype.itemsize


def trace_tile(
    vae: Any, dtype: torch.dtype, size: tuple[int, int], num_frames: int, frame_step: int
) -> int | None:
    """Return the bytes that decoding in tiles takes at the most; None where the VAE has none."""
    if not hasattr(vae, "use_tiling") or frame_step == 1:
        return None
    sides = [getattr(vae, f"tile_sample_min_{side}", None) for side in ("height", "width")]
    tile = [min(own or whole, whole) for own, whole in zip(sides, size, strict=True)]
    # Tiles that are done, and the frames that they are put together to.
    done = 2 * 3 * num_frames * math.prod(size) * dtype.itemsize
    return trace_decoding(vae, dtype, (tile[0], tile[1]), num_frames, frame_step) + done

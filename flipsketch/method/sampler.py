"""FlipSketch (Bandyopadhyay and Song, CVPR 2025): sketches and prompts to clips.

Shapes, here and in every file: B batch, C latent channels (4), F frames, H W pixels, h w latents,
L tokens, D width, N folded batch inside attention.
"""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from flipsketch.media.clip import Clip, binarize_frames
from flipsketch.method.alignment import align_frames
from flipsketch.method.composition import compose_attention, composed_kinds
from flipsketch.method.config import INVERSION_FRAMES, SamplingConfig
from flipsketch.method.guidance import encode_guidance
from flipsketch.method.inversion import invert_path
from flipsketch.method.request import (
    ClipRequest,
    Conditioning,
    count_segments,
    shared_settings,
)
from flipsketch.method.schedule import on_host_and_device
from flipsketch.method.solver import Scheduler, Solver
from flipsketch.models.feature_cache import CachedUNet
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import VideoModel, predict_noise


@torch.no_grad()
def sample_latents(
    model: VideoModel,
    reference_path: Sequence[Tensor],
    noise: Tensor,
    conditionings: Sequence[Conditioning],
) -> Tensor:
    """Denoise B clips, each conditioned on its own sketch.

    Args:
        reference_path: `[invert(...)]`, latents (B, C, 1, h, w) that the reference stream starts
            from; with `hold_sketch` all that `invert_path` returns, which frame 0 and the reference
            stream then replay.
        noise: initial Gaussian latents (B, C, F, h, w); frame 0 gives way to the reference.
        conditionings: one for each row.

    Returns:
        Latents (B, C, F, h, w).

    Raises:
        ValueError: the rows' settings differ in what a batch shares, or the path is too short.
    """
    unet, num_frames = model.unet, noise.shape[2]
    samplings = [conditioning.sampling for conditioning in conditionings]
    config = shared_settings(samplings)
    check_path(reference_path, config)
    guidance = encode_guidance(model, conditionings)
    null_embeds = model.encode_prompts([""]).expand_as(guidance.prompt_embeds)
    scales = noise.new_tensor([sampling.reference_scale for sampling in samplings])
    # Each stream has a history of its own.
    solver, reference_solver = (
        Solver(model.scheduler, config.solver, config.num_inference_steps) for _ in range(2)
    )

    reference_latents = reference_path[0]
    latents = torch.cat([reference_latents, noise[:, :, 1:]], dim=2)
    reference_latents = reference_latents.expand_as(latents)
    composed = composed_kinds(config)
    with (
        graphs_of(unet).batch(unet, "sample", noise.shape, *composed.values()),
        compose_attention(unet, scales, **composed) as attention,
    ):
        cached = CachedUNet(unet, config.cache_interval)
        for i, (timestep, t) in enumerate(on_host_and_device(solver.timesteps, noise.device)):
            aligning, composing = i < config.num_align_steps, i < config.num_compose_steps
            cached.reuses = config.reuses_features(i)
            # The reference loses a frame each step, so later steps are freer to move; alignment
            # alone needs just one.
            num_reference_frames = max(1, num_frames - i) if composing else 1
            reference_latents = reference_latents[:, :, :num_reference_frames]
            if config.hold_sketch:
                reference_latents = reference_path[i].expand_as(reference_latents)
                latents[:, :, :1] = reference_path[i]
            if composing or aligning:
                with attention.recording(num_reference_frames) if composing else nullcontext():
                    reference_pred = cached.predict("reference", reference_latents, t, null_embeds)
            if aligning:
                reference_frame, target = reference_latents[:, :, :1], reference_pred
                if num_reference_frames > 1:
                    target = predict_noise(unet, reference_frame, t, null_embeds)
                latents = torch.cat([reference_frame, latents[:, :, 1:]], dim=2)
                latents = align_frames(
                    unet, latents, target, t, guidance.prompt_embeds, config.align_updates
                )
            if composing or aligning:
                reference_latents = reference_solver.step(
                    reference_pred, timestep, reference_latents
                )
            noise_pred = guidance.predict(
                cached,
                latents,
                t,
                attention.composing() if composing else None,
                is_on=i in config.guided_steps,
            )
            is_replaced = aligning or config.hold_sketch
            latents = solver.step(noise_pred, timestep, latents, is_replaced=is_replaced)
    if config.hold_sketch:
        latents[:, :, :1] = reference_path[-1]
    return latents


def check_path(reference_path: Sequence[Tensor], config: SamplingConfig) -> None:
    """Raise ValueError unless there are as many reference latents as the settings need."""
    if config.hold_sketch and len(reference_path) != config.num_inference_steps + 1:
        raise ValueError(
            f"hold_sketch needs the whole path of the inversion ({config.num_inference_steps} "
            f"steps and the sketch), got {len(reference_path)} latents; give all that invert_path "
            f"returns"
        )


@torch.no_grad()
def animate_pixels(model: VideoModel, requests: Sequence[ClipRequest]) -> Tensor:
    """Animate B sketches in one batch, each along its own prompts, one segment for each prompt.

    A segment starts from the last decoded frame of the one before (frame extrapolation), whose
    copy is dropped: S segments of F frames give S * (F - 1) + 1.

    Returns:
        Pixels (B, 3, S * (F - 1) + 1, H, W) in [-1, 1]; a row that went wrong holds NaN.

    Raises:
        ValueError: the requests differ in what a batch shares.
    """
    config = shared_settings([request.sampling for request in requests])
    num_segments = count_segments(requests)
    null_embeds = model.encode_prompts([""] * len(requests))
    pixels = torch.from_numpy(np.stack([request.sketch for request in requests]))
    pixels = pixels.to(model.device, model.latents_dtype)
    pixels = pixels.permute(0, 3, 1, 2)[:, :, None] / 127.5 - 1
    solver = Solver(model.scheduler, config.solver, config.num_inference_steps)
    shares = pixels.new_tensor([request.sampling.sketch_in_noise for request in requests])
    segments = []
    for segment in range(num_segments):
        sketch_latents = model.encode(
            pixels if config.sketch_range == "signed" else (pixels + 1) / 2
        )
        path = invert_path(
            model.unet,
            model.scheduler,
            sketch_latents.repeat(1, 1, INVERSION_FRAMES, 1, 1),
            null_embeds,
            config.num_inference_steps,
            config.solver,
        )
        noise = draw_batch_noise(requests, sketch_latents.shape, segment).to(path[0])
        noise = leave_sketch(noise, sketch_latents, solver.scheduler, shares)
        conditionings = [request.conditioning(segment) for request in requests]
        latents = sample_latents(model, path, noise, conditionings)
        decoded = model.decode(latents).clamp(-1, 1)
        segments.append(decoded if segment == 0 else decoded[:, :, 1:])
        pixels = decoded[:, :, -1:]
    return torch.cat(segments, dim=2)


def draw_batch_noise(
    requests: Sequence[ClipRequest], latents_shape: torch.Size, segment: int
) -> Tensor:
    """Return noise (B, C, F, h, w) of a segment of each clip, by its own seed."""
    return torch.stack(
        [
            draw_clip_noise(latents_shape, request.sampling.num_frames, request.seed, segment)
            for request in requests
        ]
    )


def draw_clip_noise(latents_shape: torch.Size, num_frames: int, seed: int, segment: int) -> Tensor:
    """Return one row's noise (C, F, h, w), the same on every device and in every batch."""
    generator = torch.Generator().manual_seed(segment_seed(seed, segment))
    channels, height, width = latents_shape[1], *latents_shape[-2:]
    return torch.randn(channels, num_frames, height, width, generator=generator)


def segment_seed(seed: int, segment: int) -> int:
    """Return the seed of a segment of a clip: 63 bits."""
    if segment == 0:
        return seed
    digest = hashlib.sha256(f"{seed}/{segment}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def leave_sketch(
    noise: Tensor, sketch_latents: Tensor, scheduler: Scheduler, shares: Tensor
) -> Tensor:
    """Return noise (B, C, F, h, w) in which some of each sketch (B, C, 1, h, w) is left.

    Models learn from latents of which a little is left even at the last timestep (the square root
    of 0.5% in ModelScope's schedule), and take that little for the clip's layout; in pure noise
    they find one of their own.

    Args:
        scheduler: with its timesteps set.
        shares: of what is left in training at the first of these (B,).

    Source: Everaert et al. (2024), "Exploiting the signal-leak bias in diffusion models".
    """
    left = scheduler.alphas_cumprod[scheduler.timesteps[0]].sqrt().item()
    return noise + left * shares.view(-1, 1, 1, 1, 1) * sketch_latents


def finish_frames(pixels: Tensor, config: SamplingConfig) -> np.ndarray:
    """Turn one row's pixels (3, F, H, W) into frames, uint8 (F, H, W, 3).

    Raises:
        ValueError: the pixels are not finite.
    """
    if not torch.isfinite(pixels).all():
        raise ValueError(
            "the model's result is not finite (NaN or infinite); try another dtype "
            "(--dtype float32), or a smaller guidance_scale or reference_scale"
        )
    frames = ((pixels + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
    return binarize_frames(frames, config.ink_threshold) if config.binarize else frames


def animate(
    model: VideoModel,
    sketches: list[np.ndarray],
    prompts: list[str],
    seeds: list[int],
    config: SamplingConfig | None = None,
) -> list[Clip]:
    """Animate sketches by prompts: a clip for each, the drawing as its first frame.

    Args:
        sketches: uint8 (H, W, 3) each, from `load_sketch(..., model.size)`; darkened already.

    Raises:
        ValueError: a clip is not finite.
    """
    config = config or SamplingConfig()
    requests = [
        ClipRequest(sketch, (prompt,), seed, config)
        for sketch, prompt, seed in zip(sketches, prompts, seeds, strict=True)
    ]
    pixels = animate_pixels(model, requests)
    return [
        Clip(key=f"{row:05d}", prompt=prompt, frames=finish_frames(pixels[row], config))
        for row, prompt in enumerate(prompts)
    ]

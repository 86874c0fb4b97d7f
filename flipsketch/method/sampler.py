"""FlipSketch (Bandyopadhyay and Song, CVPR 2025): sketches and prompts to clips.

Shapes, here and in every file: B batch, C latent channels (4), F frames, H W pixels, h w latents,
L tokens, D width, N folded batch inside attention.
"""

import hashlib
import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from flipsketch.corpus.row import MAX_FRAMES, is_text
from flipsketch.media.clip import Clip, binarize_frames
from flipsketch.method.alignment import align_frames
from flipsketch.method.composition import compose_attention
from flipsketch.method.inversion import INVERSION_FRAMES, invert_path
from flipsketch.models.video_model import VideoModel, find_embedded, predict_noise

MAX_STEPS = 1000  # the timesteps that models are trained with


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    num_frames: int = 10
    """Frames per clip, the sketch included."""
    num_inference_steps: int = 25
    """DDIM steps, of the inversion too."""
    guidance_scale: float = 9.0
    """Classifier-free guidance weight; 1.0 turns guidance off."""
    negative_prompt: str = ""
    """What the clip should not show."""
    reference_scale: float = 0.5
    """The paper's lambda: how hard later frames hold to the sketch; 0 gives the freest motion."""
    align_steps: int | None = None
    """Denoising steps with iterative frame alignment (the paper's tau_1); None means 2/5 of all
    steps, 0 turns it off. Alignment costs about three times as much as everything else."""
    compose_steps: int | None = None
    """Denoising steps with dual attention composition (the paper's tau_2); None means 3/5 of all
    steps and one more, 0 turns it off."""
    compose_spatial: bool = True
    """Compose in the spatial layers (the sketch's queries in the first frames)."""
    compose_temporal: bool = True
    """Compose in the temporal layers (all frames on the sketch's key)."""
    hold_sketch: bool = False
    """Have frame 0, and the reference stream, go back the way of the sketch's inversion, so that
    frame 0 is the sketch. Not in the paper; for small models, which guidance and inexact steps lead
    away from it."""
    sketch_in_noise: float = 0.0
    """How much of the sketch is in the noise that the other frames begin with; 1 is as much as the
    latents of a still clip have at the first timestep, when a model is trained. With more of it
    clips keep closer to the sketch, and move less. Not in the paper; for small models."""
    darken_sketch: bool = False
    """Make a sketch's strokes black where they are pale, as thin ones turn when a drawing is made
    small. Not in the paper; for models of small frames."""
    sketch_range: Literal["signed", "unit"] = "signed"
    """Pixel range in which the VAE is given the sketch: [-1, 1], or [0, 1] to reproduce the
    published checkpoint."""
    binarize: bool = True
    """Threshold each frame to black strokes on white; off keeps greys and colours."""
    ink_threshold: int | None = None
    """The lightest luma that is ink, of 0 to 255; by default each frame's own, by Otsu's method."""

    def __post_init__(self) -> None:
        if not 2 <= self.num_frames <= MAX_FRAMES:
            raise ValueError(
                f"num_frames must lie between 2 (the sketch and one moving frame) and "
                f"{MAX_FRAMES}, got {self.num_frames}"
            )
        if not 1 <= self.num_inference_steps <= MAX_STEPS:
            raise ValueError(
                f"num_inference_steps must lie between 1 and {MAX_STEPS}, "
                f"got {self.num_inference_steps}"
            )
        if not is_text(self.negative_prompt):
            raise ValueError(f"negative_prompt must be UTF-8 text, got {self.negative_prompt!r}")
        for name in ("guidance_scale", "reference_scale", "sketch_in_noise"):
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, got {getattr(self, name)}")
        if self.ink_threshold is not None and not 0 <= self.ink_threshold <= 254:
            raise ValueError(f"ink_threshold must lie between 0 and 254, got {self.ink_threshold}")
        for name in ("align_steps", "compose_steps"):
            steps = getattr(self, name)
            if steps is not None and not 0 <= steps <= self.num_inference_steps:
                raise ValueError(
                    f"{name} must lie between 0 and num_inference_steps "
                    f"({self.num_inference_steps}), got {steps}"
                )

    @property
    def num_align_steps(self) -> int:
        steps = self.align_steps
        return 2 * self.num_inference_steps // 5 if steps is None else steps

    @property
    def num_compose_steps(self) -> int:
        if not (self.compose_spatial or self.compose_temporal):
            return 0
        steps = self.compose_steps
        return 3 * self.num_inference_steps // 5 + 1 if steps is None else steps


def model_defaults(model: str | Path) -> SamplingConfig:
    """Return what a model's folder says to be best for it, in its `sampling.json`.

    The file names some fields of SamplingConfig; the others have their usual defaults. Nothing is
    fetched: a model that is not here has the usual ones.

    Raises:
        ValueError: the file is not JSON, or has a field or value that there is not.
    """
    path = find_embedded(model) / "sampling.json"
    if not path.is_file():
        return SamplingConfig()
    try:
        return SamplingConfig(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of a sampler: {error}") from error


@torch.no_grad()
def sample_latents(
    model: VideoModel,
    reference_latents: Tensor,
    noise: Tensor,
    prompts: list[str],
    config: SamplingConfig,
    reference_scales: list[float] | None = None,
    negative_prompts: list[str] | None = None,
    held_path: list[Tensor] | None = None,
) -> Tensor:
    """Denoise B clips, each holding to its own sketch.

    Args:
        reference_latents: from `invert` (B, C, 1, h, w).
        noise: initial Gaussian latents (B, C, F, h, w); frame 0 gives way to the reference.
        reference_scales, negative_prompts: one for each row; the config's where not given.
        held_path: from `invert_path`, to hold frame 0 and the reference stream to.

    Returns:
        Latents (B, C, F, h, w).
    """
    unet, num_frames = model.unet, noise.shape[2]
    prompt_embeds = model.encode_prompts(prompts)
    null_embeds = model.encode_prompts([""]).expand_as(prompt_embeds)
    negative_embeds = model.encode_prompts(
        negative_prompts or [config.negative_prompt] * len(prompts)
    )
    scales = noise.new_tensor(reference_scales or [config.reference_scale] * len(prompts))
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(config.num_inference_steps, device=noise.device)

    latents = torch.cat([reference_latents, noise[:, :, 1:]], dim=2)
    reference_latents = reference_latents.expand_as(latents)
    with compose_attention(
        unet, scales, spatial=config.compose_spatial, temporal=config.compose_temporal
    ) as attention:
        for i, t in enumerate(scheduler.timesteps):
            aligning, composing = i < config.num_align_steps, i < config.num_compose_steps
            # The reference loses a frame each step, so later steps are freer to move; alignment
            # alone needs just one.
            num_reference_frames = max(1, num_frames - i) if composing else 1
            reference_latents = reference_latents[:, :, :num_reference_frames]
            if held_path is not None:
                reference_latents = held_path[i].expand_as(reference_latents)
                latents[:, :, :1] = held_path[i]
            reference_frame = reference_latents[:, :, :1]
            if composing:
                with attention.recording():
                    reference_pred = predict_noise(unet, reference_latents, t, null_embeds)
            if aligning:
                # A stream of one frame has been predicted already.
                if composing and num_reference_frames == 1:
                    target = reference_pred
                else:
                    target = predict_noise(unet, reference_frame, t, null_embeds)
                latents = align_frames(unet, latents, reference_frame, target, t, prompt_embeds)
            if composing:
                reference_latents = scheduler.step(reference_pred, t, reference_latents).prev_sample
            elif aligning:
                reference_latents = scheduler.step(target, t, reference_frame).prev_sample

            with attention.composing() if composing else nullcontext():
                noise_pred = predict_noise(unet, latents, t, prompt_embeds)
            if config.guidance_scale != 1.0:
                noise_pred_uncond = predict_noise(unet, latents, t, negative_embeds)
                noise_pred = noise_pred_uncond + config.guidance_scale * (
                    noise_pred - noise_pred_uncond
                )
            latents = scheduler.step(noise_pred, t, latents).prev_sample
    if held_path is not None:
        latents[:, :, :1] = held_path[-1]
    return latents


@torch.no_grad()
def animate_pixels(
    model: VideoModel,
    sketches: list[np.ndarray],
    prompts: list[list[str]],
    seeds: list[int],
    config: SamplingConfig,
    reference_scales: list[float] | None = None,
    negative_prompts: list[str] | None = None,
    sketches_in_noise: list[float] | None = None,
) -> Tensor:
    """Animate B sketches in one batch, each along its own prompts, one segment for each prompt.

    A segment starts from the last decoded frame of the one before (frame extrapolation), whose
    copy is dropped: S segments of F frames give S * (F - 1) + 1.

    Args:
        sketches: uint8 (H, W, 3) each, of the model's size.
        prompts: for each row the same number S of prompts.
        reference_scales, negative_prompts, sketches_in_noise: one for each row; the config's where
            not given.

    Returns:
        Pixels (B, 3, S * (F - 1) + 1, H, W) in [-1, 1]; a row that went wrong holds NaN.
    """
    num_segments = len(prompts[0])
    assert all(len(row) == num_segments for row in prompts), "rows of a batch share their segments"
    null_embeds = model.encode_prompts([""] * len(sketches))
    pixels = torch.from_numpy(np.stack(sketches)).to(model.device, model.latents_dtype)
    pixels = pixels.permute(0, 3, 1, 2)[:, :, None] / 127.5 - 1
    scheduler = DDIMScheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(config.num_inference_steps)
    shares = pixels.new_tensor(sketches_in_noise or [config.sketch_in_noise] * len(sketches))
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
        )
        noise = torch.stack(
            [draw_noise(sketch_latents.shape, config.num_frames, seed, segment) for seed in seeds]
        ).to(path[0])
        noise = leave_sketch(noise, sketch_latents, scheduler, shares)
        latents = sample_latents(
            model,
            path[0],
            noise,
            [row[segment] for row in prompts],
            config,
            reference_scales,
            negative_prompts,
            path if config.hold_sketch else None,
        )
        decoded = model.decode(latents).clamp(-1, 1)
        segments.append(decoded if segment == 0 else decoded[:, :, 1:])
        pixels = decoded[:, :, -1:]
    return torch.cat(segments, dim=2)


def draw_noise(latents_shape: torch.Size, num_frames: int, seed: int, segment: int) -> Tensor:
    """Return one row's noise (C, F, h, w), the same on every device and in every batch."""
    if segment > 0:
        digest = hashlib.sha256(f"{seed}/{segment}".encode()).digest()
        seed = int.from_bytes(digest[:8], "big") >> 1
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = latents_shape[1], *latents_shape[-2:]
    return torch.randn(channels, num_frames, height, width, generator=generator)


def leave_sketch(
    noise: Tensor, sketch_latents: Tensor, scheduler: DDIMScheduler, shares: Tensor
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
    pixels = animate_pixels(model, sketches, [[prompt] for prompt in prompts], seeds, config)
    return [
        Clip(key=f"{row:05d}", prompt=prompt, frames=finish_frames(pixels[row], config))
        for row, prompt in enumerate(prompts)
    ]

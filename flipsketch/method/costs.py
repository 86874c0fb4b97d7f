"""What a clip costs, bytes and operations, from its settings and the model's shapes alone."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flipsketch.method.alignment import loss_gradient
from flipsketch.method.composition import compose_attention, composed_kinds
from flipsketch.method.config import INVERSION_FRAMES, SamplingConfig
from flipsketch.method.fitting import NO_SAVINGS, SAVINGS, Fit, Savings, find_fit
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.inspection import lay_out_model, lay_out_modelscope
from flipsketch.models.kernels import PLAIN, Kernels, default_kernels, use_kernels
from flipsketch.models.loading import Loading
from flipsketch.models.tracing import LiveBytes, size_bytes, trace, without_content
from flipsketch.models.video_model import VAE_CHUNK, predict_noise
from flipsketch.storage.text import count

PROMPT_TOKENS = 77  # of CLIP
# Work of a pass that runs the outermost blocks alone: 34% of a whole one's floating-point
# operations in ModelScope's UNet, 36% in that of doodle.
SHALLOW_SHARE = 0.35


@dataclass(frozen=True, kw_only=True)
class ClipCosts:
    """What the method takes of a worker."""

    weights: Mapping[str, int]
    """Bytes of the networks, by part."""
    denoiser: str = "unet"
    """The part that makes the passes."""
    row_bytes: int
    """For each row of a batch, in the pass that takes most."""
    pass_bytes: int
    """For each row of a batch, in a pass without gradients."""
    num_frames: int
    frame_bytes: int
    """For each frame of a call of the VAE."""
    vae_chunk: int
    """Frames of such a call at the most."""
    one_by_one: bool = False
    """The rows of a batch share no pass."""
    tile_bytes: int | None = None
    """Of the VAE, where it can decode in tiles."""
    vae_stays: bool = False
    """The VAE works in every step, so it takes no turns with the denoiser."""
    offload: bool = False
    """Parts are on the device while they work."""
    tflop: float | None = None
    """For a clip of one prompt."""

    @property
    def weights_bytes(self) -> int:
        return sum(self.weights.values())

    def vae_bytes(self, batch_size: int) -> int:
        batch_size = 1 if self.one_by_one else batch_size
        return min(self.vae_chunk, batch_size * self.num_frames) * self.frame_bytes

    def peak_bytes(self, batch_size: int) -> int:
        """Return the bytes of a batch at the most. A GPU keeps what the UNet's passes took for the
        next ones while the VAE decodes, so the two are added; where the UNet leaves it, it keeps
        nothing."""
        rows = self.row_bytes * (1 if self.one_by_one else batch_size)
        decoding = self.vae_bytes(batch_size)
        if not self.offload:
            return self.weights_bytes + rows + decoding
        denoiser, vae = self.weights[self.denoiser], self.weights["vae"]
        if self.vae_stays:
            return max(denoiser + vae + rows + decoding, *self.weights.values())
        return max(denoiser + rows, vae + decoding, *self.weights.values())

    def with_savings(self, savings: Savings) -> "ClipCosts":
        """Return what it takes with some flags, besides those that it has."""
        changes: dict[str, Any] = {"offload": self.offload or savings.offload}
        if savings.vae_slicing:
            changes["vae_chunk"] = 1
        if savings.vae_tiling and self.tile_bytes is not None:
            changes |= {"num_frames": 1, "vae_chunk": 1, "frame_bytes": self.tile_bytes}
        return replace(self, **changes)


def trace_costs(
    networks: Mapping[str, Any],
    sampling: SamplingConfig,
    dtype: torch.dtype,
    kernels: Kernels = PLAIN,
    *,
    from_text: bool = False,
    checkpoint: bool = False,
) -> ClipCosts:
    """Trace one pass of each kind: some seconds at ModelScope's size, and no memory to speak of.

    Args:
        networks: those of `inspection.inspect_model`, by part; they are of no use afterwards.
        from_text: for `text_to_video` rather than FlipSketch.
        checkpoint: gradients, as `checkpoint_gradients` does.
    """
    unet, vae = networks["unet"].eval(), networks["vae"].eval()
    with without_content(unet, dtype):
        use_kernels(unet, None, kernels)
        row = RowTracer(unet, sampling)
        plain_bytes, plain_tflop = trace(row.predict)
        is_joint = kernels.joint_guidance and len(sampling.guided_steps) > 0
        row_bytes = pass_bytes = plain_bytes * (1 + is_joint)
        if from_text:
            sampling = replace(sampling, align_steps=0, compose_steps=0)
        num_plain, num_aligned = count_frames(sampling)
        if from_text:
            num_plain -= INVERSION_FRAMES * sampling.num_inference_steps
        num_whole = num_plain - (1 - SHALLOW_SHARE) * count_shallow_frames(sampling)
        tflop = num_whole * plain_tflop / sampling.num_frames
        if num_aligned:
            aligned_bytes, aligned_tflop = trace(row.align)
            if checkpoint:
                with checkpoint_gradients(unet), LiveBytes() as live:
                    # Without the counter, which keeps what checkpointing lets go.
                    row.align()
                aligned_bytes, aligned_tflop = live.peak, aligned_tflop + plain_tflop
            row_bytes = max(pass_bytes, aligned_bytes)
            tflop += num_aligned * aligned_tflop / sampling.num_frames
        elif sampling.num_compose_steps:
            with LiveBytes() as live:
                row.compose()
            row_bytes = pass_bytes = max(pass_bytes, live.peak)
    with without_content(vae, find_vae_dtype(vae, dtype)):
        frame_bytes, frame_tflop = trace(lambda: decode_frame(vae, unet.config.sample_size))
    size = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
    return ClipCosts(
        weights=size_parts(networks, dtype),
        row_bytes=row_bytes,
        pass_bytes=pass_bytes,
        num_frames=sampling.num_frames,
        frame_bytes=frame_bytes,
        vae_chunk=max(1, VAE_CHUNK // size**2),
        tflop=tflop + sampling.num_frames * frame_tflop,
    )


def size_parts(networks: Mapping[str, Any], dtype: torch.dtype) -> dict[str, int]:
    """Return the bytes of networks' weights, by part."""
    return {
        part: size_bytes(network, find_vae_dtype(network, dtype) if part == "vae" else dtype)
        for part, network in networks.items()
    }


def find_vae_dtype(vae: Any, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a VAE beside networks of another, as `load_model` has it."""
    is_upcast = dtype == torch.float16 and vae.config.force_upcast
    return torch.float32 if is_upcast else dtype


class TracedCosts:
    """The costs of a model's folder, traced when they are asked for, once."""

    def __init__(
        self, folder: Path | None, loading: Loading, method: str, sampling: SamplingConfig
    ) -> None:
        """Args:
        folder: of the model, of which its settings are enough; None for one of ModelScope's shapes.
        loading: what a worker would load, and how; its motion adapter as a folder.
        """
        self.folder, self.loading, self.sampling = folder, loading, sampling
        self.from_text = method == "t2v"
        self.traced: dict[bool, ClipCosts] = {}

    def __call__(self, checkpoint: bool) -> ClipCosts:
        if checkpoint not in self.traced:
            loading, motion = self.loading, self.loading.motion_adapter
            traced = trace_costs(
                lay_out_model(self.folder, Path(motion) if motion else None)
                if self.folder
                else lay_out_modelscope(),
                self.sampling,
                loading.torch_dtype,
                loading.kernels or default_kernels(loading.device),
                from_text=self.from_text,
                checkpoint=checkpoint,
            )
            self.traced[checkpoint] = traced.with_savings(Savings.of(loading))
        return self.traced[checkpoint]

    def find_fit(
        self,
        usable: int,
        batch_size: int | None,
        checkpoint: bool,
        savings: Savings = NO_SAVINGS,
    ) -> Fit:
        """As `fitting.find_fit`, with some flags besides those of a worker."""

        def peak_bytes(checkpoint: bool, batch_size: int) -> int:
            return self(checkpoint).with_savings(savings).peak_bytes(batch_size)

        def find_remedies() -> list[str]:
            for more in SAVINGS if self.loading.device == "cuda" else ():
                with suppress(ValueError):
                    fit = self.find_fit(usable, batch_size, checkpoint, more)
                    flags = " ".join(more.list_flags())
                    return [f"{flags} (with which {count(fit.batch_size, 'clip')} would fit)"]
            return []

        return find_fit(
            peak_bytes,
            usable,
            self.sampling,
            batch_size=batch_size,
            checkpoint=checkpoint,
            find_remedies=find_remedies if savings == NO_SAVINGS else None,
        )


class RowTracer:
    """The UNet's passes for one row, on fake tensors."""

    def __init__(self, unet: Any, sampling: SamplingConfig) -> None:
        self.unet, self.sampling = unet, sampling
        side = unet.config.sample_size
        self.latents = torch.empty(1, unet.config.in_channels, sampling.num_frames, side, side)
        self.embeds = torch.empty(1, PROMPT_TOKENS, unet.config.cross_attention_dim)
        self.t = torch.empty((), dtype=torch.long)

    def predict_noise(self, latents: Tensor) -> Tensor:
        return predict_noise(self.unet, latents, self.t, self.embeds)

    @torch.no_grad()
    def predict(self) -> None:
        self.predict_noise(self.latents)

    @torch.no_grad()
    def compose(self) -> None:
        """A step's reference and clip, with what is recorded between them."""
        with compose_attention(
            self.unet, torch.empty(1), **composed_kinds(self.sampling)
        ) as attention:
            with attention.recording(self.sampling.num_frames):
                self.predict_noise(self.latents)
            with attention.composing():
                self.predict_noise(self.latents)

    def align(self) -> None:
        frame = self.latents[:, :, :1]
        loss_gradient(self.unet, self.latents[:, :, 1:], frame, frame, self.t, self.embeds)


@torch.no_grad()
def decode_frame(vae: Any, side: int) -> None:
    vae.decode(torch.empty(1, vae.config.latent_channels, side, side, dtype=vae.dtype))


def count_frames(sampling: SamplingConfig) -> tuple[int, int]:
    """Return the single-frame passes of the UNet for a clip, without gradients and with them."""
    frames, steps = sampling.num_frames, sampling.num_inference_steps
    num_predictions = steps + len(sampling.guided_steps)
    reference = sum(max(1, frames - step) for step in range(sampling.num_compose_steps))
    # A reference stream of one frame is predicted for both.
    num_targets = sum(
        step >= sampling.num_compose_steps or step < frames - 1
        for step in range(sampling.num_align_steps)
    )
    plain = INVERSION_FRAMES * steps + frames * num_predictions + reference + num_targets
    return plain, sampling.align_updates * frames * sampling.num_align_steps


def count_shallow_frames(sampling: SamplingConfig) -> int:
    """Return how many of the passes without gradients run the UNet's outermost blocks alone."""
    frames = sampling.num_frames
    return sum(
        frames * (1 + (step in sampling.guided_steps))
        + (max(1, frames - step) if step < sampling.num_compose_steps else 0)
        for step in range(sampling.num_inference_steps)
        if sampling.reuses_features(step)
    )

"""What a clip costs, bytes and operations, from its settings and the model's shapes alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flipsketch.method.alignment import loss_gradient
from flipsketch.method.composition import compose_attention, composed_kinds
from flipsketch.method.config import SamplingConfig
from flipsketch.method.fitting import Fit, find_fit
from flipsketch.method.inversion import INVERSION_FRAMES
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.inspection import inspect_model, lay_out_modelscope
from flipsketch.models.kernels import PLAIN, Kernels, use_kernels
from flipsketch.models.tracing import LiveBytes, size_bytes, trace, without_content
from flipsketch.models.video_model import VAE_CHUNK, predict_noise

PROMPT_TOKENS = 77  # of CLIP
# Work of a pass that runs the outermost blocks alone: 34% of a whole one's floating-point
# operations in ModelScope's UNet, 36% in that of doodle.
SHALLOW_SHARE = 0.35


@dataclass(frozen=True)
class ClipCosts:
    """What the method takes of a worker."""

    weights_bytes: int
    row_bytes: int
    """For each row of a batch, in the pass that takes most."""
    num_frames: int
    frame_bytes: int
    """For each frame of a call of the VAE."""
    vae_chunk: int
    """Frames of such a call at the most."""
    tflop: float
    """For a clip of one prompt."""

    def vae_bytes(self, batch_size: int) -> int:
        return min(self.vae_chunk, batch_size * self.num_frames) * self.frame_bytes

    def peak_bytes(self, batch_size: int) -> int:
        """Return the bytes of a batch at the most. A GPU keeps what the UNet's passes took for the
        next ones while the VAE decodes, so the two are added."""
        return self.weights_bytes + batch_size * self.row_bytes + self.vae_bytes(batch_size)


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
    vae_dtype = dtype
    if dtype == torch.float16 and vae.config.force_upcast:
        vae_dtype = torch.float32
    with without_content(unet, dtype):
        use_kernels(unet, None, kernels)
        row = RowTracer(unet, sampling)
        plain_bytes, plain_tflop = trace(row.predict)
        is_joint = kernels.joint_guidance and len(sampling.guided_steps) > 0
        row_bytes = plain_bytes * (1 + is_joint)
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
            row_bytes = max(row_bytes, aligned_bytes)
            tflop += num_aligned * aligned_tflop / sampling.num_frames
        elif sampling.num_compose_steps:
            with LiveBytes() as live:
                row.compose()
            row_bytes = max(row_bytes, live.peak)
    with without_content(vae, vae_dtype):
        frame_bytes, frame_tflop = trace(lambda: decode_frame(vae, unet.config.sample_size))
    size = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
    return ClipCosts(
        weights_bytes=sum(size_bytes(network, dtype) for network in networks.values()),
        row_bytes=row_bytes,
        num_frames=sampling.num_frames,
        frame_bytes=frame_bytes,
        vae_chunk=max(1, VAE_CHUNK // size**2),
        tflop=tflop + sampling.num_frames * frame_tflop,
    )


class TracedCosts:
    """The costs of a model's folder, traced when they are asked for, once."""

    def __init__(
        self,
        folder: Path | None,
        method: str,
        sampling: SamplingConfig,
        dtype: torch.dtype,
        kernels: Kernels,
        motion_adapter: Path | None = None,
    ) -> None:
        """A folder of None is a model of ModelScope's shapes."""
        self.folder, self.sampling, self.dtype, self.kernels = folder, sampling, dtype, kernels
        self.motion_adapter = motion_adapter
        self.from_text = method == "t2v"
        self.traced: dict[bool, ClipCosts] = {}

    def __call__(self, checkpoint: bool) -> ClipCosts:
        if checkpoint not in self.traced:
            networks = (
                inspect_model(self.folder, motion_adapter=self.motion_adapter)
                if self.folder
                else lay_out_modelscope()
            )
            self.traced[checkpoint] = trace_costs(
                networks,
                self.sampling,
                self.dtype,
                self.kernels,
                from_text=self.from_text,
                checkpoint=checkpoint,
            )
        return self.traced[checkpoint]

    def find_fit(self, usable: int, batch_size: int | None, checkpoint: bool) -> Fit:
        """As `fitting.find_fit`."""
        return find_fit(
            lambda checkpoint, batch_size: self(checkpoint).peak_bytes(batch_size),
            usable,
            self.sampling,
            batch_size=batch_size,
            checkpoint=checkpoint,
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

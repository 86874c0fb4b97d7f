"""What a clip of Live-Sketch costs, bytes and operations, from its settings and the model's shapes
alone. The rasterizer and the lattice are left out: beside a large model they are nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.draft import draft_sampling
from flipsketch.method.config import INVERSION_FRAMES, SamplingConfig
from flipsketch.method.costs import (
    ClipCosts,
    RowTracer,
    count_frames,
    decode_frame,
    find_vae_dtype,
    size_parts,
)
from flipsketch.models.kernels import PLAIN, Kernels, use_kernels
from flipsketch.models.tracing import trace, without_content
from flipsketch.models.video_model import VAE_CHUNK

# Losses of a step, each with a pass and an encoding of its own.
NUM_OBJECTIVES = {"lattice": 1, "mlp": 2}


@dataclass(frozen=True)
class FrameWork:
    """TFLOP of one frame."""

    unet: float
    """In a pass of a clip's frames, without guidance."""
    encode: float
    encode_backward: float
    """To the pixels; no gradient of weights is computed."""
    decode: float

    def step(self, num_objectives: int, num_frames: int, *, encoded_twice: bool) -> float:
        """Return the TFLOP of a step of score distillation for one clip.

        Args:
            encoded_twice: without gradients first, and in chunks with them.
        """
        encoding = self.encode * (1 + encoded_twice) + self.encode_backward
        return num_objectives * num_frames * (2 * self.unet + encoding)

    def clip(
        self,
        sampling: SamplingConfig,
        config: LiveSketchConfig,
        *,
        encoded_twice: bool,
    ) -> float:
        """Return the TFLOP of a clip of one prompt: its draft, inversion and steps."""
        num_objectives, num_frames = NUM_OBJECTIVES[config.motion], sampling.num_frames
        step = self.step(num_objectives, num_frames, encoded_twice=encoded_twice)
        tflop = self.encode + config.num_steps * step
        if config.motion == "lattice" and config.num_steps > 0:
            tflop += INVERSION_FRAMES * sampling.num_inference_steps * self.unet
        if config.num_draft_steps > 0:
            num_passes, _ = count_frames(draft_sampling(sampling, config))
            tflop += self.encode + num_passes * self.unet + num_frames * self.decode
        return config.tries * tflop


def trace_costs(
    networks: Mapping[str, Any],
    sampling: SamplingConfig,
    config: LiveSketchConfig,
    dtype: torch.dtype,
    kernels: Kernels = PLAIN,
) -> ClipCosts:
    """Trace one pass of each kind: some seconds at ModelScope's size, and no memory to speak of.

    Args:
        networks: those of `inspection.inspect_model`, by part; they are of no use afterwards.
    """
    unet, vae = networks["unet"].eval(), networks["vae"].eval()
    size = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
    vae_chunk = max(1, VAE_CHUNK // size**2)
    work, row_bytes, frame_bytes = trace_frames(networks, sampling, dtype, kernels)
    return ClipCosts(
        weights=size_parts(networks, dtype),
        # With and without the prompt in one pass.
        row_bytes=2 * row_bytes,
        pass_bytes=2 * row_bytes,
        num_frames=sampling.num_frames,
        frame_bytes=frame_bytes,
        vae_chunk=vae_chunk,
        vae_stays=True,
        tflop=work.clip(sampling, config, encoded_twice=sampling.num_frames > vae_chunk),
    )


def trace_frames(
    networks: Mapping[str, Any],
    sampling: SamplingConfig,
    dtype: torch.dtype,
    kernels: Kernels = PLAIN,
) -> tuple[FrameWork, int, int]:
    """Return the work of one frame, the bytes of a clip's pass of the UNet, and those of the graph
    of one frame's encoding."""
    unet, vae = networks["unet"].eval(), networks["vae"].eval()
    side = unet.config.sample_size
    size = side * 2 ** (len(vae.config.block_out_channels) - 1)
    vae_dtype = find_vae_dtype(vae, dtype)
    with without_content(unet, dtype):
        use_kernels(unet, None, kernels)
        row_bytes, pass_tflop = trace(RowTracer(unet, sampling).predict)
    with without_content(vae, vae_dtype):
        pixels = torch.empty(1, 3, size, size, dtype=vae_dtype, requires_grad=True)

        def encode() -> Tensor:
            # FlopCounterMode does not take a module's input for a leaf of the graph.
            return vae.encode(pixels * 1).latent_dist.mode()

        with torch.no_grad():
            _, encode_tflop = trace(encode)
        frame_bytes, whole_tflop = trace(lambda: torch.autograd.grad(encode().sum(), pixels))
        _, decode_tflop = trace(lambda: decode_frame(vae, side))
    work = FrameWork(
        unet=pass_tflop / sampling.num_frames,
        encode=encode_tflop,
        encode_backward=whole_tflop - encode_tflop,
        decode=decode_tflop,
    )
    return work, row_bytes, frame_bytes

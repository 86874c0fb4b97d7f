"""What animates sketches: FlipSketch, and what it is compared with, a class each.

Each is a line in `methods.METHODS`, and all of them make the same corpora.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import Module

from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.sampler import animate_pixels
from flipsketch.method.text_to_video import sample_pixels
from flipsketch.models.registry import find_model, frame_size
from flipsketch.models.video_model import load_model


@dataclass(frozen=True)
class Batch:
    """B rows to animate together, all of the same number S of segments."""

    sketches: list[np.ndarray]
    """uint8 (size, size, 3) each."""
    prompts: list[list[str]]
    """S of each."""
    seeds: list[int]
    config: SamplingConfig
    reference_scales: list[float]
    negative_prompts: list[str]
    sketches_in_noise: list[float]

    @property
    def num_frames(self) -> int:
        """Of a clip: segments share the frame at which they meet."""
        return len(self.prompts[0]) * (self.config.num_frames - 1) + 1


class FlipSketch:
    """The paper's method (Bandyopadhyay and Song, CVPR 2025)."""

    def __init__(self, model: str | Path, lora: str | None, device: str, dtype: torch.dtype):
        """Raises ValueError: the model or the adapter cannot be loaded."""
        self.model = load_model(model, lora=lora, device=device, dtype=dtype)
        self.size, self.device = self.model.size, self.model.device

    @property
    def unet(self) -> Module | None:
        """Whose gradients may be checkpointed."""
        return self.model.unet

    def cuts_prompt(self, prompt: str) -> bool:
        """Tell whether a prompt has more tokens than are looked at."""
        return self.model.cuts_prompt(prompt)

    def animate(self, batch: Batch) -> Tensor:
        """Return pixels (B, 3, F, size, size) in [-1, 1], of `batch.num_frames` frames."""
        return animate_pixels(
            self.model,
            batch.sketches,
            batch.prompts,
            batch.seeds,
            batch.config,
            batch.reference_scales,
            batch.negative_prompts,
            batch.sketches_in_noise,
        )


class TextToVideo(FlipSketch):
    """What the model, with its adapter, makes of the prompts alone."""

    def animate(self, batch: Batch) -> Tensor:
        segments = [
            sample_pixels(
                self.model,
                list(prompts),
                batch.seeds,
                batch.config,
                negative_prompts=batch.negative_prompts,
                segment=segment,
            )
            for segment, prompts in enumerate(zip(*batch.prompts, strict=True))
        ]
        return torch.cat([segments[0], *(later[:, :, 1:] for later in segments[1:])], dim=2)


class Still:
    """The sketch, repeated: what consistency alone rewards most."""

    unet: Module | None = None

    def __init__(self, model: str | Path, lora: str | None, device: str, dtype: torch.dtype):
        """Of the model the size of its frames counts alone."""
        self.size, self.device = frame_size(find_model(model)), torch.device("cpu")

    def cuts_prompt(self, prompt: str) -> bool:
        return False

    def animate(self, batch: Batch) -> Tensor:
        pixels = torch.from_numpy(np.stack(batch.sketches)).permute(0, 3, 1, 2) / 127.5 - 1
        return pixels[:, :, None].repeat(1, 1, batch.num_frames, 1, 1)


class StableVideo:
    """Stable Video Diffusion (Blattmann et al., 2023), which knows the sketch and no prompt.

    The sketch is padded with white to the 16:9 that the model knows, and the clip is cropped back.
    """

    unet: Module | None = None

    def __init__(self, model: str | Path, lora: str | None, device: str, dtype: torch.dtype):
        """Raises ValueError: the model cannot be loaded."""
        # Here, since transformers has something to say when it is imported without torchvision.
        from diffusers import StableVideoDiffusionPipeline

        folder = find_model(model, METHODS["svd"].parts)
        try:
            self.pipeline = StableVideoDiffusionPipeline.from_pretrained(
                folder, torch_dtype=dtype, use_safetensors=True
            ).to(device)
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder}: cannot load the model: {error}") from error
        self.pipeline.set_progress_bar_config(disable=True)
        # 768 x 768 latent pixels by its configuration, and 576 x 1024 as it was trained.
        native = self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor
        self.size, self.width = native * 3 // 4, native * 4 // 3
        self.device = self.pipeline.device

    def cuts_prompt(self, prompt: str) -> bool:
        return False

    def animate(self, batch: Batch) -> Tensor:
        pixels = torch.stack(
            [
                self.animate_sketch(sketch, seed, batch.config.num_inference_steps)
                for sketch, seed in zip(batch.sketches, batch.seeds, strict=True)
            ]
        )
        chosen = np.linspace(0, pixels.shape[2] - 1, batch.num_frames).round().astype(int)
        return pixels[:, :, chosen]

    def animate_sketch(self, sketch: np.ndarray, seed: int, num_inference_steps: int) -> Tensor:
        """Return as many frames as the model makes: pixels (3, F, size, size) in [-1, 1]."""
        frames = self.pipeline(
            pad(sketch, self.width),
            height=self.size,
            width=self.width,
            num_inference_steps=num_inference_steps,
            generator=torch.Generator().manual_seed(seed),
            decode_chunk_size=8,
            output_type="pt",
        ).frames[0]
        return crop(frames).transpose(0, 1).float() * 2 - 1


def pad(sketch: np.ndarray, width: int) -> Image.Image:
    """Return a square sketch uint8 (H, H, 3) with white at its sides."""
    padded = Image.new("RGB", (width, len(sketch)), "white")
    padded.paste(Image.fromarray(sketch), ((width - len(sketch)) // 2, 0))
    return padded


def crop(frames: Tensor) -> Tensor:
    """Return the square in the middle of frames (..., H, W), as `pad` has it."""
    height, width = frames.shape[-2:]
    left = (width - height) // 2
    return frames[..., left : left + height]


Animator = FlipSketch | TextToVideo | Still | StableVideo

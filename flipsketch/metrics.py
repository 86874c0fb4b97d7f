"""Scores of a clip: on its pixels, and by a CLIP model (Radford et al., 2021)."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTokenizer

from flipsketch.model import find_embedded, fingerprint_folder

INK_BELOW = 128
BLACK_BELOW, WHITE_ABOVE = 64, 192


def ink(frames: np.ndarray) -> np.ndarray:
    """Return where there is ink, bool (..., H, W), of frames uint8 (..., H, W, 3)."""
    return frames @ np.array([0.299, 0.587, 0.114]) < INK_BELOW


def coloured(frames: np.ndarray) -> np.ndarray:
    """Return where a pixel is grey or coloured, neither black nor white: bool (..., H, W)."""
    return (frames.max(axis=-1) >= BLACK_BELOW) & (frames.min(axis=-1) <= WHITE_ABOVE)


def ink_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union of two masks' ink; 1.0 if neither has any."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def motion(frames: np.ndarray) -> float:
    """Return the mean change of a pixel from frame to frame, in [0, 1]."""
    return float(np.abs(np.diff(frames.astype(np.float64), axis=0)).mean() / 255)


class ClipScorer:
    """A CLIP model from a folder or by an embedded model's name."""

    def __init__(self, location: str, device: str = "cpu") -> None:
        """Raises ValueError: there is no such model, or it cannot be loaded."""
        folder = find_embedded(location)
        try:
            self.clip = CLIPModel.from_pretrained(folder, use_safetensors=True)
            self.tokenizer = CLIPTokenizer.from_pretrained(folder)
            settings = json.loads((Path(folder) / "preprocessor_config.json").read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f"{location}: cannot load a CLIP model: {error}") from error
        self.clip.requires_grad_(False).eval().to(device)
        self.device, self.fingerprint = device, fingerprint_folder(folder, ("",))
        self.size = self.clip.config.vision_config.image_size
        self.mean, self.std = (
            torch.tensor(settings[name]).view(3, 1, 1) for name in ("image_mean", "image_std")
        )

    def consistency(self, sketch: np.ndarray, frames: np.ndarray) -> float:
        """Return the mean cosine of the frames (F, H, W, 3) to the sketch (H, W, 3)."""
        return float((self.embed_frames(frames) @ self.embed_frames(sketch[None]).T).mean())

    def alignment(self, frames: np.ndarray, prompt: str) -> float:
        """Return the mean cosine of the frames to the prompt."""
        return float((self.embed_frames(frames) @ self.embed_text(prompt)).mean())

    @torch.no_grad()
    def embed_frames(self, frames: np.ndarray) -> Tensor:
        """Return unit vectors (F, D)."""
        pixels = torch.stack([self.prepare(frame) for frame in frames]).to(self.device)
        vision = self.clip.vision_model(pixel_values=pixels).pooler_output
        return normalize(self.clip.visual_projection(vision), dim=-1).cpu()

    @torch.no_grad()
    def embed_text(self, prompt: str) -> Tensor:
        """Return a unit vector (D,)."""
        tokens = self.tokenizer(prompt, truncation=True, return_tensors="pt").to(self.device)
        text = self.clip.text_model(input_ids=tokens.input_ids).pooler_output
        return normalize(self.clip.text_projection(text), dim=-1)[0].cpu()

    def prepare(self, frame: np.ndarray) -> Tensor:
        image = Image.fromarray(frame).resize((self.size,) * 2, Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return (pixels - self.mean) / self.std

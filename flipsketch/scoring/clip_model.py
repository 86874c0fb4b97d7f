"""Scores of a clip by CLIP (Radford et al., 2021) and X-CLIP (Ni et al., 2022)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTokenizer, XCLIPModel

from flipsketch.models.files import needed_files
from flipsketch.models.headers import read_settings
from flipsketch.models.hub import HubPlace, fetch, list_files, resolve
from flipsketch.models.inspection import inspect_network, lay_out
from flipsketch.models.pickles import explain_unpickling
from flipsketch.models.places import locate
from flipsketch.models.registry import fingerprint_folder

# Frames whose features a clip is compared by with others.
FRAMES_COMPARED = 4
FRAMES_AT_ONCE = 64


class Scorer:
    """A model of images or videos and text, from a folder, the Hub, or by an embedded name."""

    def __init__(self, kind: Any, location: str, device: str) -> None:
        """Raises ValueError: there is no such model, or it cannot be loaded."""
        try:
            self.folder = find_scorer(location)
            settings = inspect_scorer(self.folder, kind.__name__)
            # Pickles are loaded too, as nothing but tensors: X-CLIP's are published so.
            self.clip, loading = kind.from_pretrained(
                self.folder, dtype=torch.float32, output_loading_info=True
            )
            self.tokenizer = CLIPTokenizer.from_pretrained(self.folder)
            if missing := loading["missing_keys"]:
                raise ValueError(f"it lacks {len(missing)} weights, such as {min(missing)}")
        # A pickle raises whatever a strange file leads it to.
        except Exception as error:
            raise ValueError(
                f"{location}: cannot load a {kind.__name__} ({explain_unpickling(error)}); give a "
                f"folder with its config.json, weights, tokenizer and preprocessor_config.json, or "
                f"a name on the Hugging Face Hub"
            ) from error
        self.clip.requires_grad_(False).eval().to(device)
        self.location, self.device = location, device
        self.fingerprint = fingerprint_folder(self.folder, ("",))
        self.size = self.clip.config.vision_config.image_size
        self.mean, self.std = (
            torch.tensor(settings[name]).view(3, 1, 1) for name in ("image_mean", "image_std")
        )

    def prepare(self, frames: np.ndarray) -> Tensor:
        """Return what the model sees of frames uint8 (F, H, W, 3): float (F, 3, S, S)."""
        size = (self.size, self.size)
        images = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
        sized = np.stack([np.asarray(image) for image in images])
        pixels = torch.from_numpy(sized).permute(0, 3, 1, 2).float() / 255
        return ((pixels - self.mean) / self.std).to(self.device)

    def tokenize(self, prompt: str) -> Tensor:
        tokens = self.tokenizer(prompt, truncation=True, return_tensors="pt")
        return tokens.input_ids.to(self.device)


class ClipScorer(Scorer):
    def __init__(self, location: str, device: str = "cpu") -> None:
        super().__init__(CLIPModel, location, device)

    @torch.no_grad()
    def embed_frames(self, frames: np.ndarray) -> Tensor:
        """Return unit vectors (F, D)."""
        features = []
        # Clips of many segments are long.
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            pixels = self.prepare(frames[start : start + FRAMES_AT_ONCE])
            vision = self.clip.vision_model(pixel_values=pixels).pooler_output
            features.append(normalize(self.clip.visual_projection(vision), dim=-1).cpu())
        return torch.cat(features)

    @torch.no_grad()
    def embed_text(self, prompt: str) -> Tensor:
        """Return a unit vector (D,)."""
        text = self.clip.text_model(input_ids=self.tokenize(prompt)).pooler_output
        return normalize(self.clip.text_projection(text), dim=-1)[0].cpu()

    def align(self, features: Tensor, prompts: list[str]) -> float:
        """Return the mean cosine of frames' features (F, D) to the prompts of their segments."""
        texts = torch.stack([self.embed_text(prompt) for prompt in prompts])
        segments = torch.tensor(segments_of(len(features), len(prompts)))
        return float((features * texts[segments]).sum(dim=-1).mean())


class XClipScorer(Scorer):
    def __init__(self, location: str, device: str = "cpu") -> None:
        super().__init__(XCLIPModel, location, device)
        self.num_frames = self.clip.config.vision_config.num_frames

    @torch.no_grad()
    def align(self, frames: np.ndarray, prompts: list[str]) -> float:
        """Return the cosine of the clip (F, H, W, 3) to the prompt; of several, their segments'
        mean. Frames are resampled to as many as the model takes."""
        segments = np.array(segments_of(len(frames), len(prompts)))
        cosines = []
        for number, prompt in enumerate(prompts):
            own = frames[segments == number]
            chosen = np.linspace(0, len(own) - 1, self.num_frames).round().astype(int)
            tokens = self.tokenize(prompt)
            out = self.clip(
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                pixel_values=self.prepare(own[chosen])[None],
            )
            cosines.append(float(out.logits_per_video[0, 0] / self.clip.logit_scale.exp()))
        return float(np.mean(cosines))


def find_scorer(location: str) -> Path:
    """Return the local folder of a scorer: one that is given, or comes with this project, or is
    fetched from the Hub."""
    found = locate(location)
    if not isinstance(found, HubPlace):
        return found
    found = resolve(found)
    return fetch(found, needed_files(name for name in list_files(found) if "/" not in name))


def inspect_scorer(folder: Path, name: str) -> dict[str, Any]:
    """Return how a scorer wants its images prepared, if it can be loaded; its weights are not read.

    Args:
        name: of its class.

    Raises:
        ValueError: settings or weights are missing, damaged or of another model.
    """
    if any(folder.glob("*.safetensors")):
        inspect_network(folder, "transformers", name)
    else:
        lay_out(folder, "transformers", name)
        if not any(folder.glob("pytorch_model*.bin")):
            raise ValueError(
                f"{folder}: has no weights, neither as safetensors nor in pytorch_model.bin; give "
                f"a folder with a {name}, or a name on the Hugging Face Hub"
            )
    path = folder / "preprocessor_config.json"
    settings = read_settings(path)
    for key in ("image_mean", "image_std"):
        value = settings.get(key)
        if not isinstance(value, list) or not (
            len(value) == 3 and all(isinstance(one, int | float) for one in value)
        ):
            raise ValueError(
                f"{path}: {key} must be three numbers, one for each of red, green and blue, found "
                f"{value!r:.80}"
            )
    return settings


def segments_of(num_frames: int, num_segments: int) -> list[int]:
    """Return each frame's segment: S segments of M frames give S (M - 1) + 1, the sketch first."""
    per_segment = (num_frames - 1) / num_segments
    return [max(0, int(np.ceil(frame / per_segment)) - 1) for frame in range(num_frames)]


def summarize(features: Tensor) -> np.ndarray:
    """Return a unit vector float16 (4 D,) to find near-duplicates by: of four frames' features."""
    chosen = np.linspace(0, len(features) - 1, FRAMES_COMPARED).round().astype(int)
    return normalize(features[chosen].flatten(), dim=0).numpy().astype(np.float16)

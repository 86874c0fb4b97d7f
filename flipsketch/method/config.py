"""How clips are sampled: the settings, and what a model's folder says to be best for it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flipsketch.media.clip import MAX_FRAMES
from flipsketch.models.registry import find_embedded
from flipsketch.storage.text import is_text

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
            if not math.isfinite(getattr(self, name)):
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

"""How clips are sampled: the settings, and what a model's folder says to be best for it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from flipsketch.media.clip import MAX_FRAMES
from flipsketch.method.presets import PRESETS, Preset
from flipsketch.models.registry import find_embedded
from flipsketch.storage.text import is_text

# Models are trained with 1,000 timesteps, and DDIM steps along all but the first. What the schedule
# of a model has is for `limits` to check.
MAX_STEPS = 999
# The published number of copies of the sketch that are inverted together.
INVERSION_FRAMES = 5
MAX_UPDATES = MAX_INTERVAL = 1000

SETTINGS_FILE = "sampling.json"
"""Where a model's folder names the settings that are best for it."""

SolverName = Literal["ddim", "dpmpp_2m"]

# Fields of SamplingConfig that plans of earlier versions lack: one without a field means its
# default, which is what those versions did.
LATER_FIELDS = (
    *("solver", "guidance_start", "guidance_stop", "align_updates", "cache_interval"),
    "compose_motion_attn2",
)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    num_frames: int = 10
    """Frames per clip, including the sketch. Models draw best at the length that they were trained
    on."""
    num_inference_steps: int = 25
    """Number of denoising steps, in the inversion too. Fewer are faster and rougher."""
    solver: SolverName = "ddim"
    """How a step is taken, in the inversion too: ddim is the published one; dpmpp_2m is
    DPM-Solver++ 2M, which also uses the prediction of the step before and so needs fewer steps."""
    guidance_scale: float = 9.0
    """Weight of classifier-free guidance; 1.0 turns it off. Raise it when clips ignore the prompt,
    lower it when they drift away from the sketch."""
    guidance_start: float = 0.0
    """Share of the denoising steps after which guidance begins. A step without guidance takes
    half the time."""
    guidance_stop: float = 1.0
    """Share of the denoising steps after which guidance ends. The last steps hardly need it."""
    negative_prompt: str = ""
    """What the clip should not show."""
    reference_scale: float = 0.5
    """The paper's lambda: how strongly later frames are conditioned on the sketch; 0 gives the
    freest motion. Raise it when clips lose the sketch, lower it when they hardly move."""
    align_steps: int | None = None
    """Number of denoising steps with iterative frame alignment (the paper's tau_1); by default 2/5
    of the steps. Alignment takes about three times as long as everything else: 0 turns it off for a
    first look."""
    # The published code evaluates ten times, but keeps the latents from before its last update.
    align_updates: int = 9
    """Number of updates of the frames in each step of alignment. The time that alignment takes is
    proportional to it."""
    compose_steps: int | None = None
    """Number of denoising steps with dual attention composition (the paper's tau_2); by default 3/5
    of the steps and one more; 0 turns it off."""
    compose_spatial: bool = True
    """Compose in the spatial layers (the sketch's queries in the first frames). Turn it off for an
    ablation."""
    compose_temporal: bool = True
    """Compose in the temporal layers (the attention of all frames to the sketch's key). Turn it off
    for an ablation."""
    compose_motion_attn2: bool = False
    """Compose in the second self-attention of the temporal layers too, which AnimateDiff's motion
    modules have. Not in the paper; clips hold to the sketch more strongly."""
    cache_interval: int = 1
    """Run all of the UNet in every so many denoising steps, and only its outermost blocks in the
    steps between, on deep features of the step before; 1 runs all of it in each step. Alignment
    and inversion always run all of it."""
    hold_sketch: bool = False
    """Replay the inversion trajectory in frame 0 and in the reference stream, so that frame 0
    reproduces the sketch. Not in the paper; useful for small models, in which guidance and inexact
    steps lead away from the sketch."""
    sketch_in_noise: float = 0.0
    """Amount of the sketch in the noise that the other frames start from; 1 is what the latents of
    a still clip keep at the first timestep of training. With more of it clips stay closer to the
    sketch and move less. Not in the paper; useful for small models, at 2 or 3 for subjects that
    they do not know."""
    darken_sketch: bool = False
    """Make pale strokes of the sketch black, since thin strokes turn pale when a drawing is
    reduced. Not in the paper; useful for models with small frames."""
    sketch_range: Literal["signed", "unit"] = "signed"
    """Pixel range in which the VAE receives the sketch: signed is [-1, 1]; unit is [0, 1], which
    reproduces the published checkpoint."""
    binarize: bool = True
    """Threshold each frame to black strokes on white. Turn it off to keep greys and colours."""
    ink_threshold: int | None = None
    """Lightest luma that counts as ink, from 0 to 254; by default chosen for each frame by Otsu's
    method. Set it when strokes vanish or paper turns black."""

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
        if self.solver not in get_args(SolverName):
            raise ValueError(
                f"solver must be one of {', '.join(get_args(SolverName))}, got {self.solver!r}"
            )
        if not 0 <= self.guidance_start <= self.guidance_stop <= 1:
            raise ValueError(
                f"guidance_start and guidance_stop must lie between 0 and 1, the first not above "
                f"the second, got {self.guidance_start} and {self.guidance_stop}"
            )
        for name, limit in (("align_updates", MAX_UPDATES), ("cache_interval", MAX_INTERVAL)):
            if not 1 <= getattr(self, name) <= limit:
                raise ValueError(
                    f"{name} must lie between 1 and {limit}, got {getattr(self, name)}"
                )
        for name in ("guidance_scale", "reference_scale", "sketch_in_noise"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, got {getattr(self, name)}")
        if self.ink_threshold is not None and not 0 <= self.ink_threshold <= 254:
            raise ValueError(f"ink_threshold must lie between 0 and 254, got {self.ink_threshold}")
        if self.compose_motion_attn2 and not self.compose_temporal:
            raise ValueError(
                "compose_motion_attn2 adds layers to those of compose_temporal, which is off; turn "
                "it on, or compose_motion_attn2 off"
            )
        for name in ("align_steps", "compose_steps"):
            steps = getattr(self, name)
            if steps is not None and not 0 <= steps <= self.num_inference_steps:
                raise ValueError(
                    f"{name} must lie between 0 and num_inference_steps "
                    f"({self.num_inference_steps}), got {steps}"
                )

    @property
    def guided_steps(self) -> range:
        """The denoising steps with guidance."""
        if self.guidance_scale == 1.0:
            return range(0)
        ends = (self.guidance_start, self.guidance_stop)
        return range(*(round(share * self.num_inference_steps) for share in ends))

    def reuses_features(self, step: int) -> bool:
        """Tell whether a denoising step takes deep features from the step before: neither with
        alignment, which looks for small differences, nor where its passes are others than then."""
        guided = self.guided_steps
        changes = (self.num_compose_steps, guided.start, guided.stop)
        is_between = step % self.cache_interval > 0
        return step >= self.num_align_steps and is_between and step not in changes

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


def model_defaults(model: str | Path, preset: Preset = "exact") -> SamplingConfig:
    """Return what a model's folder says to be best for it, in its `sampling.json`, but for what a
    preset says.

    The file names some fields of SamplingConfig; the others have their usual defaults. Nothing is
    fetched: a model that is not here has the usual ones.

    Raises:
        ValueError: the file is not JSON, or has a field or value that there is not.
    """
    path, said = find_embedded(model) / SETTINGS_FILE, {}
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    try:
        if path.is_file():
            said = json.loads(path.read_bytes())
        return SamplingConfig(**{**said, **PRESETS[preset]})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of a sampler: {error}") from error

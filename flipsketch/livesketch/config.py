"""How the strokes of a sketch are moved: the settings of Live-Sketch."""

import math
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from flipsketch.method.config import MAX_STEPS
from flipsketch.method.methods import METHODS

MAX_OPTIMIZATION_STEPS = 10_000
MAX_TRIES = 64
MAX_OUTPUT_SIZE = 1024

MotionName = Literal["lattice", "mlp"]
# The published number, and what is enough for the lattice: 40 often are.
NUM_STEPS: dict[MotionName, int] = {"lattice": 100, "mlp": 1000}
# On the embedded model 16 more made clips neither better nor worse, and took as long again.
NUM_STEPS_AFTER_DRAFT = 0
NUM_DRAFT_STEPS: dict[MotionName, int] = {"lattice": 12, "mlp": 0}


@dataclass(frozen=True, kw_only=True)
class LiveSketchConfig:
    motion: MotionName = "lattice"
    """What moves the strokes: lattice bends the paper that they are drawn on, smoothly in space and
    time; mlp is the published network, which moves every point of every frame by itself."""
    draft_steps: int | None = None
    """Number of denoising steps of a draft, a clip that FlipSketch samples and whose motion the
    strokes follow before they are optimized; by default 12, and none with the published network,
    which cannot follow it. 0 begins with the sketch at rest."""
    draft_guidance: float = 5.0
    """Weight of classifier-free guidance in the draft. Raise it for more motion; only the motion is
    taken from the draft, so it may be higher than FlipSketch's own."""
    optimization_steps: int | None = None
    """Number of steps of score distillation; by default none after a draft, 100 without one, and
    1000 with the published network. A few after a draft refine its motion."""
    distillation_guidance: float = 15.0
    """Weight of classifier-free guidance in score distillation. Raise it when clips ignore the
    prompt. The published network has weights of its own, 30 and 40."""
    rigidity: float = 3.0
    """How strongly strokes resist being stretched; 0 lets the model stretch them as it likes. The
    published network has no such term."""
    tries: int = 1
    """Number of clips that are optimized for each row, with seeds of their own, to keep the best by
    the scorer. The time is proportional to it."""
    clip_model: str = "doodle-clip"
    """Scorer that chooses among the tries: a folder with a CLIPModel, or a name on the Hugging Face
    Hub. The default knows doodles only."""
    published_defects: bool = False
    """With the published network, repeat two defects of its code: scales are read from the head for
    shears, and gradients of the global path add up over all steps."""
    output_size: int | None = None
    """Height and width of the clip's frames in pixels, which are drawn from the moved strokes; by
    default 256, or the model's size if that is larger."""
    trace: bool = False
    """Trace the drawings that are not strokes and black fills: raster files, and SVGs with coloured
    fills. A row may say otherwise, in a column trace."""

    def __post_init__(self) -> None:
        if self.motion not in get_args(MotionName):
            raise ValueError(
                f"motion must be one of {', '.join(get_args(MotionName))}, got {self.motion!r}"
            )
        for name, least, most in (
            ("draft_steps", 0, MAX_STEPS),
            ("optimization_steps", 0, MAX_OPTIMIZATION_STEPS),
            ("tries", 1, MAX_TRIES),
            ("output_size", 16, MAX_OUTPUT_SIZE),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} must lie between {least} and {most}, got {value}")
        for name in ("draft_guidance", "distillation_guidance"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, got {getattr(self, name)}")
        if not 0 <= self.rigidity < math.inf:
            raise ValueError(f"rigidity must be 0 or a positive number, got {self.rigidity}")
        if self.motion == "mlp" and self.num_draft_steps > 0:
            raise ValueError(
                f"the published network (motion mlp) cannot follow a draft; draft_steps must be 0 "
                f"or left out, got {self.draft_steps}"
            )
        if self.num_draft_steps == self.num_steps == 0:
            raise ValueError(
                "draft_steps and optimization_steps are both 0, so that nothing would move; raise "
                "one of them, or leave it out"
            )
        if self.published_defects and self.motion != "mlp":
            raise ValueError(
                "published_defects is about the published network; add motion mlp, or leave it out"
            )

    def check_method(self, method: str) -> None:
        """Raise ValueError for settings of Live-Sketch with a method that has no use for them."""
        said, usual = asdict(self), asdict(LiveSketchConfig())
        flags = [f"--{name}".replace("_", "-") for name in said if said[name] != usual[name]]
        if flags and not METHODS[method].moves_strokes:
            raise ValueError(
                f"the method {method} has no use for {', '.join(flags)}; add --method livesketch, "
                f"or leave it out"
            )

    @property
    def num_steps(self) -> int:
        if self.optimization_steps is not None:
            return self.optimization_steps
        return NUM_STEPS_AFTER_DRAFT if self.num_draft_steps > 0 else NUM_STEPS[self.motion]

    @property
    def num_draft_steps(self) -> int:
        steps = self.draft_steps
        return NUM_DRAFT_STEPS[self.motion] if steps is None else steps

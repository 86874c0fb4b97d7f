"""What the embedded model is made with; what was begun with some settings keeps to them."""

import json
import os
from dataclasses import dataclass, field
from typing import Literal

from flipsketch.method.config import MAX_STEPS
from flipsketch.storage.folder import Folder

StageName = Literal["vae", "images", "video", "lora", "scorer", "release"]
STAGES: tuple[StageName, ...] = ("vae", "images", "video", "lora", "scorer", "release")

SETTINGS_FILE = "settings.json"
# What the stages are made with, all of them: what one leaves is for these alone.
SETTINGS = (
    *("start", "seed", "num_clips", "latent_channels", "vae_steps", "image_steps", "clip_steps"),
    *("batch_size", "learning_rate", "lora_clips", "lora_steps", "scorer_steps"),
)


@dataclass(frozen=True, kw_only=True)
class DoodleModelConfig:
    output: str = "out/doodle-model"
    """Folder of everything that is made."""
    stages: tuple[StageName, ...] = STAGES
    """Stages to run, in this order; completed ones are not repeated."""
    minutes: float = float("inf")
    """Minutes after which to stop, to be resumed later; the adapter's training always runs to its
    end."""
    start: str | None = None
    """Model to continue from, a folder or a name (doodle): its VAE, its base model and, for doodle,
    its adapter. Use a seed that it was not trained with. By default all is trained from nothing."""
    device: Literal["cpu", "cuda"] | None = None
    """Where to train; by default on the GPU if there is one."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Precision in which the base model and its adapter are trained; by default bfloat16 on a GPU
    and float32 elsewhere. A CPU with bfloat16 instructions is faster in bfloat16, any other is half
    as fast."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Number of CPU threads, and of processes that draw."""
    num_clips: int = 6400
    """Number of sketch doodles of the model's few subjects that the base model learns from; it also
    sees as many of all subjects, and a quarter as many in colours."""
    latent_channels: int = 4
    """Number of channels of the latents of 16 x 16."""
    vae_steps: int | None = None
    """Training steps of the VAE; by default 3,000 from nothing, and none for the VAE of `start`."""
    image_steps: int = 1900
    """Training steps of the base model on single frames; 0 continues from `start` with video at
    once."""
    clip_steps: int = 1600
    """Training steps of the base model on video."""
    batch_size: int = 8
    """Number of clips in each step of the base model, and a quarter of the number of images. Use 64
    on a GPU, where a clip then costs far less."""
    learning_rate: float = 1e-3
    """Peak learning rate of the base model. Lower it to keep more of what `start` has learnt."""
    lora_clips: int = 1600
    """Number of sketch doodles that the adapter is trained on."""
    lora_steps: int = 600
    """Training steps of the adapter."""
    scorer_steps: int = 3000
    """Training steps of the scorer."""
    validation_steps: int = 25
    """Number of DDIM steps for sample pictures."""
    seed: int = 0
    """Seed of the weights, the doodles and their order."""

    def __post_init__(self) -> None:
        least = {"num_clips": 4, "image_steps": 0, "seed": 0}
        least |= dict.fromkeys(("threads", "latent_channels", "clip_steps", "batch_size"), 1)
        least |= dict.fromkeys(("lora_clips", "lora_steps", "scorer_steps", "validation_steps"), 1)
        # With its start's VAE there is nothing to learn; from nothing there is.
        least["vae_steps"] = 1 if self.start is None else 0
        for name, value in least.items():
            found = getattr(self, name)
            if found is not None and found < value:
                raise ValueError(f"{name} must be at least {value}, got {found}")
        if self.validation_steps > MAX_STEPS:
            raise ValueError(
                f"validation_steps must be at most {MAX_STEPS}, got {self.validation_steps}"
            )
        if not self.minutes >= 0:
            raise ValueError(f"minutes must be at least 0, got {self.minutes}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be more than 0, got {self.learning_rate}")


def hold_to_settings(folder: Folder, config: DoodleModelConfig) -> None:
    """Note what the stages are made with, or raise ValueError if those before were made with
    something else."""
    if folder.list("clips/model"):
        raise ValueError(
            f"{folder}: was begun by an earlier version, whose stages have other names; rename its "
            f"folder clips to video and its folder clip to scorer, or give another --output"
        )
    settings = {name: getattr(config, name) for name in SETTINGS}
    content = folder.read(SETTINGS_FILE)
    before = settings if content is None else json.loads(content)
    changed = [name for name in SETTINGS if before.get(name) != settings[name]]
    if changed:
        differences = ", ".join(
            f"{name} {before.get(name)!r} there, {settings[name]!r} now" for name in changed
        )
        raise ValueError(
            f"{folder}: was begun with other settings ({differences}); give the same ones to "
            f"resume it, or another --output"
        )
    folder.publish(SETTINGS_FILE, (json.dumps(settings, indent=1) + "\n").encode())

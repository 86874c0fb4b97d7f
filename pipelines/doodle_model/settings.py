"""What the embedded model is made with; what was begun with some settings keeps to them."""

import json
import os
from dataclasses import dataclass, field
from typing import Literal

from flipsketch.storage.folder import Folder

StageName = Literal["vae", "images", "clips", "lora", "clip", "release"]
STAGES: tuple[StageName, ...] = ("vae", "images", "clips", "lora", "clip", "release")

SETTINGS_FILE = "settings.json"
# What the stages are made with, all of them: what one leaves is for these alone.
SETTINGS = (
    *("start", "seed", "num_clips", "latent_channels", "vae_steps", "image_steps", "clip_steps"),
    *("batch_size", "learning_rate", "lora_clips", "lora_steps", "scorer_steps"),
)


@dataclass(frozen=True, kw_only=True)
class DoodleModelConfig:
    output: str = "out/doodle-model"
    """Folder for all that is made."""
    stages: tuple[StageName, ...] = STAGES
    """Those to do, in this order; what is done is not done again."""
    minutes: float = float("inf")
    """Stop after so many, to go on another time; the adapter's training runs to its end."""
    start: str | None = None
    """Model to go on from, by folder or name (doodle): with its VAE, and its base model, and the
    adapter that comes with doodle, to begin with; take another seed than it had. By default all is
    made from nothing."""
    device: Literal["cpu", "cuda"] | None = None
    """By default the GPU if there is one."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """What the base model and its adapter are trained in; by default bfloat16 on a GPU and float32
    elsewhere. A CPU with instructions for bfloat16 is faster with it, another twice as slow."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """CPU threads, and processes that draw."""
    num_clips: int = 6400
    """Sketches of a few subjects that the base model learns from, and as many of anything; of
    doodles in colours a quarter as many."""
    latent_channels: int = 4
    """Of 16 x 16 latents."""
    vae_steps: int | None = None
    """By default 3,000 from nothing; the VAE of `start` stays as it is, unless this says more."""
    image_steps: int = 1900
    """0 goes on from `start` with clips at once."""
    clip_steps: int = 1600
    batch_size: int = 8
    """Clips that the base model sees in a step, and a quarter of the images; a GPU is as fast with
    64 as with 8."""
    learning_rate: float = 1e-3
    """Peak rate of the base model's training; less spares more of what `start` has learnt."""
    lora_clips: int = 1600
    """Sketch doodles that the adapter is trained on."""
    lora_steps: int = 600
    scorer_steps: int = 3000
    validation_steps: int = 25
    """DDIM steps of the adapter's pictures."""
    seed: int = 0

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
        if not self.minutes >= 0:
            raise ValueError(f"minutes must be at least 0, got {self.minutes}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be more than 0, got {self.learning_rate}")


def hold_to_settings(folder: Folder, config: DoodleModelConfig) -> None:
    """Note what the stages are made with, or raise ValueError if those before were made with
    something else."""
    settings = {name: getattr(config, name) for name in SETTINGS}
    content = folder.read(SETTINGS_FILE)
    before = settings if content is None else json.loads(content)
    changed = [name for name in SETTINGS if before.get(name) != settings[name]]
    if changed:
        differences = ", ".join(
            f"{name} {before.get(name)!r} there, {settings[name]!r} now" for name in changed
        )
        raise ValueError(
            f"{folder}: was begun with other settings ({differences}); give the same ones to go on "
            f"with it, or another --output"
        )
    folder.publish(SETTINGS_FILE, (json.dumps(settings, indent=1) + "\n").encode())

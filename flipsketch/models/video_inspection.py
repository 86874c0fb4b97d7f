"""Whether an image-to-video model can be loaded, told from its files' settings and headers before
any weights are read."""

import importlib
from pathlib import Path
from typing import Any

from torch import nn

from flipsketch.models.headers import COPY, read_settings
from flipsketch.models.inspection import (
    HALVES,
    SCHEDULER_FILE,
    WEIGHTS,
    inspect_network,
    read_weights,
    refuse_excess,
)
from flipsketch.models.video_pipelines import VideoPipeline


def inspect_video_model(folder: Path, pipeline: VideoPipeline) -> None:
    """Raise ValueError if the settings or weights of a part are missing, damaged or of another
    model."""
    for part, (library, name) in pipeline.parts.items():
        kind = getattr(importlib.import_module(library), name, None)
        if kind is None:
            raise ValueError(
                f"{folder}: its part {part} is a {name}, which this version of {library} does not "
                f"have; install the one that the model's card asks for"
            )
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            inspect_part(folder / part, library, name)
        elif "Scheduler" in name:
            read_settings(folder / part / SCHEDULER_FILE)


def inspect_part(folder: Path, library: str, name: str) -> None:
    # Names of tensors in the files of transformers' other models are not those of parameters: some
    # are of a larger model, some stand for several.
    if library == "diffusers" or name in HALVES:
        inspect_network(folder, library, name)
        return
    path = folder / "config.json"
    settings: dict[str, Any] = read_settings(path)
    refuse_excess(path, settings)
    if not any(True for _ in read_weights(folder, WEIGHTS[library])):
        raise ValueError(f"{folder}: its files of weights hold no tensors; {COPY}")


def has_tiles(folder: Path, pipeline: VideoPipeline) -> bool:
    """Tell whether a model's VAE can decode in tiles."""
    library, name = pipeline.parts["vae"]
    return hasattr(inspect_network(folder / "vae", library, name), "use_tiling")

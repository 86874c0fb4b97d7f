"""Variants of the kernels, by name: each switch alone, all of them, and all but one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from flipsketch.models.graphs import Graphs, use_graphs
from flipsketch.models.kernels import (
    FAST,
    PLAIN,
    VARIANTS,
    Kernels,
    default_kernels,
    training_kernels,
    use_kernels,
)
from flipsketch.models.video_model import VideoModel

PLAIN_NAME, ALL_NAME = "plain", "all"
DEFAULT_NAME, TRAINING_NAME = "default", "default of training"
SWITCHES = [name for name in VARIANTS if name not in (PLAIN_NAME, ALL_NAME)]


def all_but(switch: str) -> str:
    return f"all but {switch}"


def find_kernels(name: str, device_type: str) -> Kernels:
    if name == DEFAULT_NAME:
        return default_kernels(device_type)
    if name == TRAINING_NAME:
        return training_kernels(device_type)
    for switch in SWITCHES:
        if name == all_but(switch):
            changed = asdict(VARIANTS[switch]).items() - asdict(PLAIN).items()
            return replace(FAST, **{field: getattr(PLAIN, field) for field, _ in changed})
    return VARIANTS[name]


def default_name(model: VideoModel) -> str:
    """Return the variant that the code chooses for a model's device."""
    default = default_kernels(model.device.type)
    names = [name for name, kernels in VARIANTS.items() if kernels == default]
    return names[0] if names else DEFAULT_NAME


def use_variant(model: VideoModel, name: str) -> None:
    use_kernels(model.unet, model.vae, find_kernels(name, model.device.type))


@contextmanager
def using_graphs(model: VideoModel, enabled: bool) -> Iterator[Graphs]:
    """Replay the UNet's passes as graphs, or launch their kernels one by one."""
    graphs = use_graphs(model.unet) if enabled else Graphs()
    try:
        yield graphs
    finally:
        vars(model.unet).pop("graphs", None)

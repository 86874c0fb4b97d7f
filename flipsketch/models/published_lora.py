"""The published FlipSketch adapter: a pickled list of matrices without names.

`[up0, down0, up1, down1, ...]` in the order of `named_modules()`, UNet and text encoder in files of
their own, to be added with scale 1. The merge that is shipped with it takes only modules within
`ResnetBlock2D`, `Attention`, `GEGLU` and `CLIPAttention`, and drops 197 of the UNet's 574 (those of
temporal convolutions, projections and embeddings) and 46 of the text encoder's 138.

Source: `utils/lora.py` of Text-To-Video-Finetuning, by which it was trained and merged.
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from flipsketch.models.choices import TargetSet
from flipsketch.models.lora import find_targets
from flipsketch.models.lora_layers import REMEDY, LoraLayer
from flipsketch.models.pickles import check_archive, load_tensors

Pair = tuple[Tensor, Tensor]
# Which modules were adapted, by part of the model.
PUBLISHED_SETS: dict[str, TargetSet] = {"unet": "all", "text_encoder": "linear"}


def is_published(path: Path) -> bool:
    """Tell whether a file has matrices without names, as the published tool writes them."""
    if path.suffix == ".safetensors":
        return False
    return isinstance(load_tensors(path, str(path), mmap=check_archive(path)), list)


def read_pairs(path: str | Path) -> list[Pair]:
    """Return the (up, down) matrices of a published file; nothing in it is executed.

    Raises:
        OSError: there is no such file.
        ValueError: it holds something else.
    """
    check_archive(Path(path))
    matrices = load_tensors(Path(path), str(path))
    if not isinstance(matrices, list) or not all(isinstance(each, Tensor) for each in matrices):
        found = type(matrices).__name__
        raise ValueError(
            f"{path}: expected a list of tensors [up0, down0, up1, ...], found a {found}"
        )
    if not matrices or len(matrices) % 2:
        raise ValueError(
            f"{path}: has {len(matrices)} tensors, but each module has two (up and down)"
        )
    matrices = [matrix.detach() for matrix in matrices]
    return list(zip(matrices[::2], matrices[1::2], strict=True))


def name_pairs(
    pairs: list[Pair], network: nn.Module, target_set: TargetSet
) -> dict[str, LoraLayer]:
    """Return the pairs by the names of the modules that they are of.

    Args:
        network: that they were trained on; on the meta device will do, only names and shapes are
            needed.

    Raises:
        ValueError: they are not those of this network, or not of one rank.
    """
    targets: dict[str, Any] = find_targets(network, target_set)
    if len(pairs) != len(targets):
        raise ValueError(
            f"has {len(pairs)} pairs of matrices, but the network has {len(targets)} such modules; "
            f"{REMEDY}, and the whole file"
        )
    rank = max(down.shape[0] for _, down in pairs if down.ndim)
    layers = {}
    for (name, module), (up, down) in zip(targets.items(), pairs, strict=True):
        # The published tool has no rank above a layer's sizes.
        expected = min(rank, *module.weight.shape[:2])
        if down.ndim and down.shape[0] != expected:
            raise ValueError(
                f"{name}: its down matrix has the rank {down.shape[0]}, where {expected} follows "
                f"from the others' {rank}; {REMEDY}"
            )
        layers[name] = LoraLayer(down=down, up=up)
    return layers

"""The published FlipSketch adapter, as peft's: a pickled list of matrices without names.

`[up0, down0, up1, down1, ...]` in the order of `named_modules()`, UNet and text encoder in files of
their own, to be added with scale 1. The merge that is shipped with it finds modules by the names of
their parents and drops 197 of the UNet's 574.
"""

import logging
from pathlib import Path
from typing import Any

from peft import get_peft_model_state_dict, inject_adapter_in_model
from torch import Tensor, nn

from flipsketch.models.choices import TargetSet
from flipsketch.models.inspection import lay_out_networks
from flipsketch.models.lora import find_targets, lora_config, write_adapter
from flipsketch.models.pickles import load_tensors
from flipsketch.models.registry import find_model
from flipsketch.storage.folder import new_folder

log = logging.getLogger(__name__)

Pair = tuple[Tensor, Tensor]


def import_published_lora(
    model: str, unet: str, output: str, text_encoder: str | None = None
) -> None:
    """Write an adapter folder from the published files.

    Args:
        model: that the adapter was trained on, by folder or Hub name.
        unet, text_encoder: files of the networks' matrices.

    Raises:
        OSError, ValueError: a file is not in the published format or does not fit the model.
    """
    source = find_model(model)
    networks = lay_out_networks(source)
    parts: dict[str, tuple[nn.Module, str | None, TargetSet]] = {
        "unet": (networks["unet"], unet, "all"),
        "text_encoder": (networks["text_encoder"], text_encoder, "linear"),
    }
    with new_folder(output) as folder:
        for part, (network, path, target_set) in parts.items():
            if path is None:
                continue
            pairs = read_pairs(path)
            try:
                rank = import_pairs(network, pairs, folder / part, target_set)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            size = sum(up.numel() + down.numel() for up, down in pairs)
            log.info("%s: %d modules, rank %d, %d parameters", part, len(pairs), rank, size)


def read_pairs(path: str | Path) -> list[Pair]:
    """Return the (up, down) matrices of a published file; nothing in it is executed.

    Raises:
        OSError: there is no such file.
        ValueError: it holds something else.
    """
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


def import_pairs(
    network: nn.Module, pairs: list[Pair], folder: str | Path, target_set: TargetSet = "all"
) -> int:
    """Write the pairs as a peft adapter of a network and return its rank.

    Args:
        network: that they were trained on; on the meta device will do, only names and shapes are
            needed. It has the adapter's layers afterwards.

    Raises:
        ValueError: they do not fit, with the first module that doesn't.
    """
    targets = find_targets(network, target_set)
    if len(pairs) != len(targets):
        raise ValueError(
            f"has {len(pairs)} pairs of matrices, but the network has {len(targets)} such modules; "
            f"give the model that the adapter was trained on"
        )
    rank = pairs[0][1].shape[0]
    weights: dict[str, Tensor] = {}
    for (name, module), (up, down) in zip(targets.items(), pairs, strict=True):
        for factor, matrix, expected in zip(
            ("up", "down"), (up, down), pair_shapes(module, rank), strict=True
        ):
            if tuple(matrix.shape) != expected:
                raise ValueError(
                    f"{name}: its {factor} matrix has the shape {tuple(matrix.shape)}, where "
                    f"{expected} fits; give the model that the adapter was trained on"
                )
            # A view may pretend to a size that no memory has.
            if matrix.untyped_storage().nbytes() < matrix.numel() * matrix.element_size():
                raise ValueError(f"{name}: its {factor} matrix is larger than its data")
            if not matrix.isfinite().all():
                raise ValueError(f"{name}: its {factor} matrix has values that are not finite")
        weights[f"{name}.lora_A.weight"], weights[f"{name}.lora_B.weight"] = down, up
    config = lora_config(list(targets), rank, alpha=rank)
    inject_adapter_in_model(config, network)
    names = get_peft_model_state_dict(network).keys()
    assert names == weights.keys(), "peft names them so"
    write_adapter(config, {name: weight.float() for name, weight in weights.items()}, Path(folder))
    return rank


def pair_shapes(module: nn.Module, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of a module's up and down matrices."""
    weight: Any = module.weight
    out_size, in_size, *kernel = weight.shape
    return (out_size, rank, *[1] * len(kernel)), (rank, in_size, *kernel)

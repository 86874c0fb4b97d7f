"""Adapters of image-to-video models, in the files that the loaders of their pipelines take."""

import hashlib
from pathlib import Path
from typing import Any

from flipsketch.models.files import PICKLES
from flipsketch.models.headers import read_header, refuse_integers
from flipsketch.models.hub import HubPlace, fetch, list_files, resolve
from flipsketch.models.places import locate
from flipsketch.models.registry import NO_LORA, find_file, is_file

WEIGHTS_NAME = "pytorch_lora_weights.safetensors"  # as diffusers saves them


def find_video_lora(place: str | Path) -> tuple[Path, ...]:
    """Return the local files of an adapter, given as a file or as the folder of one: one file, or
    of a model with two networks (Wan 2.2) one of high and one of low noise.

    Raises:
        ValueError: there is none, or not one alone, or a damaged one.
        OSError: it cannot be fetched.
    """
    if is_file(place):
        files: tuple[Path, ...] = (find_file(place),)
    else:
        found = locate(place)
        if isinstance(found, HubPlace):
            found = resolve(found)
            names = choose_files(str(found), [*list_files(found)])
            found = fetch(found, names)
        else:
            names = choose_files(str(found), [path.name for path in found.iterdir()])
        files = tuple(found / name for name in names)
    for file in files:
        check_file(file)
    return files


def choose_files(where: str, names: list[str]) -> list[str]:
    own = sorted(name for name in names if "/" not in name)
    weights = [name for name in own if name.endswith(".safetensors")]
    if WEIGHTS_NAME in weights:
        return [WEIGHTS_NAME]
    high, low = ([n for n in weights if noise in n.lower()] for noise in ("high", "low"))
    if len(weights) == 2 and len(high) == len(low) == 1 and high != low:
        return [*high, *low]
    if len(weights) == 1:
        return weights
    if not weights:
        pickled = next((name for name in own if name.endswith(PICKLES)), None)
        raise ValueError(
            f"{where}: expected an adapter as safetensors ({WEIGHTS_NAME}), found "
            f"{f'a pickle, {pickled:.100}, which is not loaded' if pickled else 'none'}"
        )
    raise ValueError(
        f"{where}: has {len(weights)} files that may be the adapter ({', '.join(weights):.120}); "
        f"give one of them, by its path"
    )


def check_file(path: Path) -> None:
    """Raise ValueError unless a file holds an adapter; its weights are not read."""
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: expected an adapter as safetensors; a pickle is not loaded")
    header = read_header(path)
    for name, tensor in header.items():
        if tensor.shape:
            refuse_integers(path, name, tensor)
    if not any("lora" in name.lower() for name in header):
        some = next(iter(header), "no tensors")
        raise ValueError(
            f"{path}: is no LoRA adapter; its tensors should be named like "
            f"transformer.blocks.0.attn1.to_q.lora_A.weight, found {some!s:.100}"
        )


def fingerprint_video_lora(place: str | Path) -> str:
    """Return a hash over the contents of an adapter's files."""
    digest = hashlib.sha256()
    for path in find_video_lora(place):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load_video_lora(loaded: Any, place: str | Path | None) -> None:
    """Add an adapter to a pipeline of diffusers, by the pipeline's own loader.

    Raises:
        ValueError: there is none, or it is not of this model.
    """
    if place is None or str(place) in ("", NO_LORA):
        return
    name = type(loaded).__name__
    if not hasattr(loaded, "load_lora_weights"):
        raise ValueError(f"{name} has no loader for adapters; leave out --lora")
    files = find_video_lora(place)
    own: list[dict[str, Any]] = [{}, {"load_into_transformer_2": True}]
    if len(files) == 2 and getattr(loaded, "transformer_2", None) is None:
        raise ValueError(f"{place}: is for two networks, but this model has one; give one file")
    for file, how in zip(files, own, strict=False):
        try:
            loaded.load_lora_weights(
                str(file.parent), weight_name=file.name, local_files_only=True, **how
            )
        # Whatever names and shapes of another model lead each loader to.
        except (ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
            raise ValueError(f"{file}: does not fit this {name}: {error!s:.200}") from error
    if not any(loaded.get_list_adapters().values()):
        raise ValueError(
            f"{files[0]}: has no weights for the networks of this {name}; give an adapter of "
            f"this model"
        )
    parameters = [
        parameter
        for part in loaded.get_list_adapters()
        for key, parameter in getattr(loaded, part).named_parameters()
        if ".lora_B." in key
    ]
    if not any(bool(parameter.any()) for parameter in parameters):
        raise ValueError(f"{files[0]}: changes nothing, since all its weights are 0")

"""Weights by name (a "state dict") out of files that others have written: pickled by PyTorch, in a
checkpoint of training, or as safetensors. Whatever is read is checked before it is used."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from flipsketch.models.files import PICKLES
from flipsketch.models.headers import read_header
from flipsketch.models.pickles import check_archive, load_tensors
from flipsketch.storage.text import quote_briefly

log = logging.getLogger(__name__)

# What training scripts save beside an optimizer's state, the outermost first.
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "unet", "params")
MAX_DEPTH = 4
# Of DistributedDataParallel and torch.compile, where they stand before every name.
PREFIXES = ("module.", "_orig_mod.")
# SDXL's UNet has 1,680 tensors, a text encoder of 11 billion parameters 220.
MAX_TENSORS, MAX_NAME = 100_000, 500
# Tied weights stand in a file once and under two names or three.
MAX_REPEATS = 4
SEVERAL_MB = 4 * 1024 * 1024
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, without what training wrapped them in.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, or holds something else than weights.
    """
    if path.suffix == ".safetensors":
        read_header(path)
        return check_tensors(path, load_file(path))
    if path.suffix not in PICKLES:
        raise ValueError(
            f"{path}: expected a file of weights ({', '.join(PICKLES)} or .safetensors), found "
            f"{path.suffix or 'no suffix'}; if it is one, rename it"
        )
    found = load_tensors(path, str(path), mmap=check_archive(path))
    return check_tensors(path, strip_prefixes(unwrap(path, found)))


def unwrap(path: Path, found: Any) -> dict[Any, Any]:
    """Return the innermost dictionary of a checkpoint that has the weights."""
    for _ in range(MAX_DEPTH):
        if not isinstance(found, Mapping):
            break
        inner = [name for name in WRAPPERS if isinstance(found.get(name), Mapping)]
        if not inner:
            return dict(found)
        found = found[inner[0]]
    raise ValueError(
        f"{path}: expected a dictionary of tensors by name, perhaps within "
        f"{', '.join(WRAPPERS[:3])}, found {describe(found)}"
    )


def describe(found: Any) -> str:
    kind = f"a {type(found).__name__}"
    if isinstance(found, list) and found and all(isinstance(each, Tensor) for each in found):
        return (
            f"{kind} of tensors without names; if it is the published adapter, import it with "
            f"jobs/import_lora.py"
        )
    return kind


def strip_prefixes(found: dict[Any, Any]) -> dict[Any, Any]:
    for prefix in PREFIXES:
        if found and all(str(name).startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def check_tensors(path: Path, found: dict[Any, Any]) -> dict[str, Tensor]:
    """Return the tensors of a dictionary, each whole and by itself in memory.

    Raises:
        ValueError: there are none, or one cannot be weights.
    """
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    if others := found.keys() - tensors.keys():
        named = ", ".join(sorted(quote_briefly(str(name)) for name in others)[:3])
        log.info("%s: %d entries that are no tensors are left out: %s", path, len(others), named)
    if not 1 <= len(tensors) <= MAX_TENSORS:
        raise ValueError(
            f"{path}: has {len(tensors):,} tensors by name, but weights have 1 to {MAX_TENSORS:,}; "
            f"give the file with a network's weights"
        )
    for name, tensor in tensors.items():
        check_tensor(path, name, tensor)
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if num_bytes > MAX_REPEATS * path.stat().st_size + SEVERAL_MB:
        raise ValueError(
            f"{path}: its tensors have {num_bytes:,} bytes together, but the file has "
            f"{path.stat().st_size:,}: they name the same data over and over; it is not unpacked"
        )
    return separate(tensors)


def check_tensor(path: Path, name: Any, tensor: Tensor) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(
            f"{path}: {quote_briefly(str(name))} is no name of a tensor, which has up to "
            f"{MAX_NAME} printable characters"
        )
    where = f"{path}: its tensor {quote_briefly(name)}"
    is_plain = tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_meta)
    if not is_plain or tensor.is_complex():
        kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}"
        raise ValueError(f"{where} is no plain one ({kind}), as weights are; save it as one")
    # A view may pretend to a size that no memory has.
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise ValueError(f"{where} is larger than its data; save the weights again, without views")
    if tensor.dtype in FLOATS and tensor.isnan().any():
        raise ValueError(f"{where} has values that are not numbers; use another checkpoint")


def separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that share no memory, which safetensors cannot write."""
    seen: set[int] = set()
    alone = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        plain = tensor.detach().contiguous()
        alone[name] = plain.clone() if storage in seen else plain
        seen.add(storage)
    return alone

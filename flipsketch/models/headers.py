"""What a model's or adapter's files state, read without their weights: JSON settings, and the
headers of safetensors with the names, types and shapes of the tensors."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from flipsketch.storage.text import one_line

# The settings of an adapter with a thousand layers by name have a hundred kilobytes.
MAX_JSON_BYTES = 16 * 1024 * 1024
FLOATS = ("F64", "F32", "BF16", "F16")
COPY = "copy it again from where it is whole"


class TensorInfo(NamedTuple):
    dtype: str
    """As safetensors names it: F32, BF16, ..."""
    shape: tuple[int, ...]


def read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of settings in JSON, found none; {COPY}")
    if (num_bytes := path.stat().st_size) > MAX_JSON_BYTES:
        raise ValueError(
            f"{path}: has {num_bytes:,} bytes, more than settings have ({MAX_JSON_BYTES:,}); {COPY}"
        )
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({one_line(str(error), 200)}); {COPY}") from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise ValueError(f"{path}: expected an object of settings in JSON, found a {kind}; {COPY}")
    return found


def read_header(path: Path) -> dict[str, TensorInfo]:
    """Return the tensors of a safetensors file; all bytes that the header speaks of are there.

    Raises:
        ValueError: there is no such file, or it is cut short or damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a file of weights, found none; {COPY}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty (0 bytes); {COPY}")
    try:
        # It compares the header's offsets with the file's size, and maps the weights unread.
        with safe_open(path, "numpy") as weights:
            found = {name: weights.get_slice(name) for name in weights.keys()}
            return {
                name: TensorInfo(each.get_dtype(), tuple(each.get_shape()))
                for name, each in found.items()
            }
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{path}: damaged or cut short ({one_line(str(error), 200)}); {COPY}"
        ) from error


@contextmanager
def naming_files(folder: Path) -> Iterator[None]:
    """Name the folder where a file of weights in it cannot be written.

    Raises:
        OSError: that is so.
    """
    try:
        yield
    except SafetensorError as error:
        raise OSError(f"{folder}: weights cannot be written ({error}); free some space") from error


def refuse_integers(path: Path, name: str, tensor: TensorInfo) -> None:
    """Raise ValueError unless a tensor of a safetensors file can be a network's weights."""
    if tensor.dtype not in FLOATS:
        raise ValueError(
            f"{path}: its tensor {name!r:.200} has the type {tensor.dtype}, but weights are of "
            f"type {', '.join(FLOATS)}; save it as one of these"
        )

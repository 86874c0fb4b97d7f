"""Files that PyTorch pickled: loaded as tensors alone, so that nothing in them is executed."""

import re
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch


def load_tensors(source: Path | BinaryIO, where: str) -> Any:
    """Return what a pickled file holds, if it is made of tensors and plain values.

    Args:
        where: the file, for the message.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    try:
        with warnings.catch_warnings():
            # Of pickles by other versions, which are loaded all the same.
            warnings.simplefilter("ignore")
            return torch.load(source, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # The unpickler raises whatever a strange file leads it to.
    except Exception as error:
        raise ValueError(
            f"{where}: not a file of plain tensors, and nothing else is loaded: "
            f"{explain_unpickling(error)}"
        ) from error


def explain_unpickling(error: Exception) -> str:
    """Return why a file could not be loaded, without PyTorch's advice to load it unsafely."""
    text = str(error)
    if "weights_only" not in text and "weights only" not in text.lower():
        return text.partition("\n")[0][:200]
    wanted = re.search(r"(?:GLOBAL|allowed global:?|class) ([\w.]+)", text)
    return (
        f"it asks for {wanted[1]}" if wanted else "it is damaged, or asks for something to be run"
    )

"""Files that PyTorch pickled: loaded as tensors alone, so that nothing in them is executed."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from flipsketch.storage.text import one_line

ZIP_MAGIC = b"PK\x03\x04"
# Names and shapes of a hundred thousand tensors; what is larger holds other things than weights.
MAX_PICKLE_BYTES = 64 * 1024 * 1024


def load_tensors(source: Path | BinaryIO, where: str, *, mmap: bool = False) -> Any:
    """Return what a pickled file holds, if it is made of tensors and plain values.

    Args:
        where: the file, for the message.
        mmap: map tensors from the file when they are used, rather than read them all at once; the
            archive must be one that `check_archive` takes.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    try:
        with warnings.catch_warnings():
            # Of pickles by other versions, which are loaded all the same.
            warnings.simplefilter("ignore")
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except OSError:
        raise
    # The unpickler raises whatever a strange file leads it to.
    except Exception as error:
        raise ValueError(
            f"{where}: not a file of plain tensors, and nothing else is loaded: "
            f"{explain_unpickling(error)}"
        ) from error


def check_archive(path: Path) -> bool:
    """Return whether a file is a zip archive, as PyTorch has written since 1.6, rather than a bare
    pickle.

    Raises:
        OSError: there is no such file.
        ValueError: it is no file of weights, or one that would unpack to more than it has on disk.
    """
    with path.open("rb") as file:
        start = file.read(200)
    num_bytes = path.stat().st_size
    if not start:
        raise ValueError(f"{path}: is empty (0 bytes); copy or download it again")
    if start.startswith(b"version https://git-lfs"):
        raise ValueError(
            f"{path}: is a pointer of Git LFS ({num_bytes} bytes), in place of the weights; run "
            f"`git lfs pull` where it was cloned, or download the file itself"
        )
    if start.lstrip()[:1] in (b"<", b"{"):
        raise ValueError(
            f"{path}: is a page or text, perhaps an error message of the server that it was "
            f"downloaded from; download it again"
        )
    if not start.startswith(ZIP_MAGIC):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(
            f"{path}: damaged or cut short ({num_bytes:,} bytes; {error!s:.100}); copy or download "
            f"it again"
        ) from error
    packed = next((each for each in entries if each.compress_type != zipfile.ZIP_STORED), None)
    # PyTorch compresses nothing, and reads compressed tensors wrongly when it maps them.
    if packed is not None or sum(each.file_size for each in entries) > num_bytes:
        raise ValueError(
            f"{path}: an archive whose parts are compressed or overlap, which PyTorch never "
            f"writes; it may be made to fill the memory, and is not unpacked"
        )
    for each in entries:
        if each.filename.endswith("data.pkl") and each.file_size > MAX_PICKLE_BYTES:
            raise ValueError(
                f"{path}: its list of tensors has {each.file_size:,} bytes, more than the "
                f"{MAX_PICKLE_BYTES:,} of any list of weights; it is not read"
            )
    return True


def explain_unpickling(error: Exception) -> str:
    """Return why a file could not be loaded, without PyTorch's advice to load it unsafely."""
    text = str(error)
    if "weights_only" not in text and "weights only" not in text.lower():
        return one_line(text.partition("\n")[0], 200)
    wanted = re.search(r"(?:GLOBAL|allowed global:?|class) ([\w.]+)", text)
    return (
        f"it asks for {wanted[1]}" if wanted else "it is damaged, or asks for something to be run"
    )

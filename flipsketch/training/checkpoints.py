"""Checkpoints of training: each complete or absent; a run resumes from the newest."""

import io
import logging
import re
import zipfile
from typing import Any

import torch

from flipsketch.models.pickles import load_tensors
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
NAME = re.compile(r"step-(\d{6,})\.pt")


def checkpoint_steps(folder: Folder) -> list[int]:
    """Return the steps after which checkpoints were saved, ascending."""
    found = (NAME.fullmatch(name) for name in folder.list(CHECKPOINTS))
    return sorted(int(match[1]) for match in found if match)


def checkpoint_name(step: int) -> str:
    return f"{CHECKPOINTS}/step-{step:06d}.pt"


def save_checkpoint(folder: Folder, step: int, state: dict[str, Any], keep: int) -> None:
    """Save a checkpoint, then delete all but the newest few.

    Raises:
        OSError: it cannot be written; earlier checkpoints are kept.
    """
    content = io.BytesIO()
    torch.save(state, content)
    folder.publish(checkpoint_name(step), content.getbuffer())
    for old in checkpoint_steps(folder)[:-keep]:
        folder.delete(checkpoint_name(old))


def load_newest(folder: Folder) -> tuple[int, dict[str, Any] | None]:
    """Return step and state of the newest readable checkpoint; 0 and None without checkpoints.

    Raises:
        ValueError: none of the checkpoints can be read.
    """
    steps = checkpoint_steps(folder)
    for step in reversed(steps):
        try:
            return step, load_checkpoint(folder, step)
        except ValueError as error:
            log.warning("%s; trying the one before", error)
    if steps:
        raise ValueError(
            f"{folder}/{CHECKPOINTS}: none of its checkpoints can be read; add --overwrite to "
            f"start again, or restore one from a copy"
        )
    return 0, None


def load_checkpoint(folder: Folder, step: int) -> dict[str, Any]:
    """Return the state after a step.

    Raises:
        ValueError: its checkpoint is missing or damaged.
    """
    name = checkpoint_name(step)
    content = folder.read(name)
    if content is None:
        raise ValueError(f"{folder}/{name}: missing; do all workers see the same folder?")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            bad = archive.testzip()
    except zipfile.BadZipFile as error:
        bad = str(error)
    if bad is not None:
        raise ValueError(f"{folder}/{name}: is damaged ({bad})")
    return load_tensors(io.BytesIO(content), f"{folder}/{name}")

"""AnimateDiff's UNet of two folders: Stable Diffusion's, which draws pictures, and a motion
adapter, whose modules stand between its layers and attend over frames.

Source: Guo et al. (2024), "AnimateDiff: Animate Your Personalized Text-to-Image Diffusion Models
without Specific Tuning".
"""

import inspect
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

from flipsketch.models.families import (
    CONDITIONS,
    MOTION_FOLDER,
    PICTURES_UNET,
    family_of,
    needs_motion,
)
from flipsketch.models.headers import COPY
from flipsketch.models.registry import find_motion_adapter
from flipsketch.storage.text import one_line

# Settings of Stable Diffusion's UNet that change nothing it computes, beside those that diffusers
# carries over: half precision of its scores, the old name of num_attention_heads.
HARMLESS = {"upcast_attention", "attention_head_dim", "dropout"}


def choose_motion_adapter(folder: Path, place: str | Path | None) -> Path | None:
    """Return the folder of the adapter that gives a model's UNet its motion modules, or None if it
    is a video model's already.

    Args:
        place: an adapter's folder or name; None for the one in the model's own folder.

    Raises:
        ValueError: it needs one and there is none, or it takes none.
    """
    if needs_motion(folder):
        if place:
            return find_motion_adapter(place)
        if (folder / MOTION_FOLDER).is_dir():
            return folder / MOTION_FOLDER
        raise ValueError(
            f"{folder}: is a model of pictures, Stable Diffusion ({PICTURES_UNET}); to animate "
            f"with it name a motion adapter, such as --motion-adapter "
            f"guoyww/animatediff-motion-adapter-v1-5-2"
        )
    if place:
        raise ValueError(
            f"{folder}: takes no motion adapter: its UNet, a {family_of(folder).unet}, attends "
            f"over frames already; leave out --motion-adapter, or give a Stable Diffusion 1.5 "
            f"model ({PICTURES_UNET})"
        )
    return None


def join_motion(unet: UNet2DConditionModel, adapter: MotionAdapter) -> UNetMotionModel:
    """Return a UNet of pictures with an adapter's motion modules; it shares the weights of both.

    Raises:
        ValueError: they do not fit each other.
    """
    refuse_ignored(unet)
    groups = unet.config.norm_num_groups, adapter.config.motion_norm_num_groups
    if groups[0] != groups[1]:
        raise ValueError(
            f"the UNet normalizes in {groups[0]!s:.20} groups and the adapter in {groups[1]!s:.20}"
        )
    if adapter.config.conv_in_channels:
        raise ValueError(
            f"the adapter's conv_in_channels is {adapter.config.conv_in_channels}: it animates a "
            f"picture that it is given beside the noise (PIA), not a prompt alone"
        )
    # Laid out without weights and then given them: diffusers' own way draws random ones first.
    with torch.device("meta"):
        joined = UNetMotionModel.from_unet2d(unet, adapter, load_weights=False)
    weights = {**unet.state_dict(), **adapter.state_dict()}
    try:
        joined.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ValueError(one_line(str(error), 200)) from error
    return joined


def refuse_ignored(unet: UNet2DConditionModel) -> None:
    """Raise ValueError for settings of a UNet of pictures that a UNetMotionModel has not, and would
    leave out without a word, and for those that ask for more than a prompt."""
    known = inspect.signature(UNetMotionModel.__init__).parameters.keys() | HARMLESS
    known -= set(CONDITIONS)
    for name, parameter in inspect.signature(UNet2DConditionModel.__init__).parameters.items():
        value: Any = unet.config.get(name, parameter.default)
        if name not in known and name != "self" and value != parameter.default:
            raise ValueError(f"its {name} is {value!r:.80}, which is not supported")


def join_naming(
    unet: UNet2DConditionModel, adapter: MotionAdapter, folder: Path, motion_adapter: Path
) -> UNetMotionModel:
    """As `join_motion`, with the folders in the message.

    Raises:
        ValueError: they do not fit each other.
    """
    try:
        return join_motion(unet, adapter)
    # Diffusers raises whatever strange settings lead it to.
    except Exception as error:
        raise ValueError(
            f"{motion_adapter}: does not fit the UNet of {folder}: {error}; give a motion adapter "
            f"and a model of the same kind (Stable Diffusion 1.5), or {COPY}"
        ) from error

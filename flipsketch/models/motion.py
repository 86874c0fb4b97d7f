"""AnimateDiff's UNet of two folders: Stable Diffusion's, which draws pictures, and a motion
adapter, whose modules stand between its layers and attend over frames.

Source: Guo et al. (2024), "AnimateDiff: Animate Your Personalized Text-to-Image Diffusion Models
without Specific Tuning".
"""

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

from flipsketch.models.families import ANIMATEDIFF, CONDITIONS, MOTION_FOLDER
from flipsketch.models.files import PIPELINE_FILE
from flipsketch.models.headers import COPY, read_settings
from flipsketch.storage.text import one_line

# Settings of Stable Diffusion's UNet that change nothing it computes, beside those that diffusers
# carries over: half precision of its scores, the old name of num_attention_heads.
HARMLESS = {"upcast_attention", "attention_head_dim", "dropout"}


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


def index_motion(folder: Path) -> None:
    """Have the index of a model's folder say that its UNet, which drew pictures, has motion modules
    now, as diffusers needs to load the folder."""
    path = folder / PIPELINE_FILE
    if not path.is_file():
        return
    kept = {
        name: part
        for name, part in read_settings(path).items()
        if name not in ("safety_checker", "requires_safety_checker")
    }
    absent: dict[str, Any] = {part: [None, None] for part in ANIMATEDIFF.absent_parts}
    index = {**absent, **kept, MOTION_FOLDER: [None, None]}
    index |= {"_class_name": ANIMATEDIFF.pipeline, "unet": ["diffusers", ANIMATEDIFF.unet]}
    path.write_text(json.dumps(index, indent=2) + "\n")


def refuse_ignored(unet: UNet2DConditionModel) -> None:
    """Raise ValueError for settings of a UNet of pictures that a UNetMotionModel has not, and would
    leave out without a word, and for those that ask for more than a prompt."""
    known = inspect.signature(UNetMotionModel.__init__).parameters.keys() | HARMLESS
    known -= set(CONDITIONS)
    for name, parameter in inspect.signature(UNet2DConditionModel.__init__).parameters.items():
        value: Any = unet.config.get(name, parameter.default)
        # Some folders have null for false, or false for null.
        is_set = (value or None) != (parameter.default or None)
        if name not in known and name != "self" and is_set:
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

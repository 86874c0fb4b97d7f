"""AnimateDiff's motion modules as its authors publish them (`mm_sd_v15_v2.ckpt`): to the folder of
a diffusers `MotionAdapter`, whose settings follow from the shapes."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter
from diffusers.loaders.single_file_utils import convert_animatediff_checkpoint_to_diffusers
from torch import Tensor

from flipsketch.models.headers import naming_files
from flipsketch.models.inspection import refuse_excess

MODULE = "motion_modules."
TRANSFORMER = re.compile(
    r"(?:(down|up)_blocks\.(\d{1,2})|mid_block)\.motion_modules\.(\d{1,2})\.temporal_transformer\."
    r"(?:transformer_blocks\.(\d{1,2})\.)?(.+)"
)
# Of all that are published; no shape tells it.
NUM_HEADS = 8
NUM_GROUPS = 32
# Half-precision files round the positions, whose values lie from -1 to 1.
POSITION_TOLERANCE = 1e-3


def is_motion_module(names: Iterable[str]) -> bool:
    """Tell whether weights are named as AnimateDiff's authors name those of motion modules."""
    names = list(names)
    has_modules = any(f"{MODULE}0.temporal_transformer." in name for name in names)
    return has_modules and not any("lora" in name for name in names)


def write_motion_adapter(path: Path, weights: dict[str, Tensor], folder: Path) -> int:
    """Write the folder of a MotionAdapter, and return the number of tensors that it got.

    Args:
        path: of the weights, for messages.

    Raises:
        ValueError: they are not all of a motion module, or not of one that diffusers has.
    """
    # A checkpoint of training also has the image model's weights, which are not the adapter's.
    own = {name: each for name, each in weights.items() if MODULE in name or "conv_in." in name}
    positions = {name: each for name, each in own.items() if "pos_encoder" in name}
    settings = infer_settings(path, own, positions)
    refuse_excess(path, settings)
    try:
        with torch.device("meta"):
            adapter: Any = MotionAdapter(**settings)
        converted = convert_animatediff_checkpoint_to_diffusers(own)
        expected = {name: tuple(each.shape) for name, each in adapter.named_parameters()}
    except (ValueError, TypeError, RuntimeError, ZeroDivisionError) as error:
        raise ValueError(f"{path}: no motion adapter has its shapes: {error!s:.200}") from error
    found = {name: tuple(each.shape) for name, each in converted.items()}
    if strange := sorted(set(found.items()) ^ set(expected.items())):
        name = strange[0][0]
        raise ValueError(
            f"{path}: not the motion module that its channels say: {name:.200} is "
            f"{found.get(name, 'missing')}, where {expected.get(name, 'nothing')} is expected "
            f"({len(strange)} differ); download it again"
        )
    adapter = MotionAdapter(**settings)
    check_positions(path, positions, dict(adapter.named_buffers()))
    adapter.load_state_dict(converted, strict=False)
    adapter.to(next(iter(converted.values())).dtype)
    with naming_files(folder):
        adapter.save_pretrained(folder)
    return len(converted)


def infer_settings(
    path: Path, weights: dict[str, Tensor], positions: dict[str, Tensor]
) -> dict[str, Any]:
    """Return the settings of the MotionAdapter that has weights of these names and shapes."""
    channels: dict[int, int] = {}
    layers: dict[int, set[int]] = {}
    depth: dict[int, set[int]] = {}
    for name, weight in weights.items():
        match = TRANSFORMER.fullmatch(name)
        if match is None or match[1] == "up" or match[2] is None:
            continue
        block, layer = int(match[2]), int(match[3])
        layers.setdefault(block, set()).add(layer)
        if match[5] == "norm.weight":
            channels[block] = weight.shape[0]
        if match[4] is not None:
            depth.setdefault(block, set()).add(int(match[4]))
    lengths = {each.shape[1] for each in positions.values() if each.ndim == 3}
    blocks = sorted(layers)
    if not channels or channels.keys() != layers.keys() != depth.keys() or len(lengths) != 1:
        raise ValueError(
            f"{path}: expected motion modules of AnimateDiff's (down_blocks.0.motion_modules.0."
            f"temporal_transformer. ...) whose positions have one length, found blocks {blocks} "
            f"and lengths {sorted(lengths)}; give a whole file of motion modules"
        )
    conv_in = weights.get("conv_in.weight")
    return {
        "block_out_channels": tuple(channels[block] for block in blocks),
        "motion_layers_per_block": tuple(len(layers[block]) for block in blocks),
        "motion_transformer_layers_per_block": tuple(len(depth[block]) for block in blocks),
        "motion_num_attention_heads": NUM_HEADS,
        "motion_norm_num_groups": NUM_GROUPS,
        "motion_max_seq_length": lengths.pop(),
        "use_motion_mid_block": any(name.startswith("mid_block.") for name in weights),
        "conv_in_channels": None if conv_in is None else conv_in.shape[1],
    }


def check_positions(path: Path, positions: dict[str, Tensor], buffers: dict[str, Tensor]) -> None:
    """Raise ValueError unless a file's positions are the sinusoids that diffusers computes."""
    for name, found in positions.items():
        same = next((each for each in buffers.values() if each.shape == found.shape), None)
        if same is None or (found.float() - same).abs().max() > POSITION_TOLERANCE:
            raise ValueError(
                f"{path}: {name:.200} has other positions than AnimateDiff's sinusoids, which is "
                f"all that diffusers computes; such a motion module cannot be converted"
            )

"""LoRA files with names, as people have them: peft's, diffusers' (`pytorch_lora_weights`), those of
kohya's scripts and of LyCORIS for convolutions, and AnimateDiff's motion LoRAs.

All name a layer by its path in the network. They differ in what stands before and after it, and in
whether a dot or an underscore separates its parts, so names are compared without dots.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from flipsketch.models.adapter import CONFIG_FILE, compile_pattern, parse_alpha, parse_settings
from flipsketch.models.headers import read_header, read_settings
from flipsketch.models.lora import layer_shapes
from flipsketch.models.lora_layers import REMEDY, LoraLayer
from flipsketch.models.state_dicts import read_state_dict
from flipsketch.storage.text import count, one_line

FACTOR = re.compile(
    r"(?P<layer>.+?)(?:"
    r"[._]lora(?:_linear_layer)?[._](?P<factor>A|B|down|up|mid|magnitude_vector)"
    r"(?:\.default)?(?:\.weight)?"
    r"|(?:[._]lora)?\.(?P<other>alpha|dora_scale))"
)
FACTORS = {"A": "down", "B": "up"}
WRAPPERS = ("module.", "base_model.model.", "_orig_mod.")
PREFIXES = {
    "lora_unet_": "unet",
    "unet.": "unet",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "text_encoder.": "text_encoder",
    "text_model.": "text_encoder",
}
# How names of layers differ, once dots are underscores and one stands at either end.
RENAMED = {
    "_processor_": "_",
    "_temporal_transformer_": "_",
    "_attention_blocks_0_": "_attn1_",
    "_attention_blocks_1_": "_attn2_",
    "_self_attn_to_q_": "_self_attn_q_proj_",
    "_self_attn_to_k_": "_self_attn_k_proj_",
    "_self_attn_to_v_": "_self_attn_v_proj_",
    "_self_attn_to_out_": "_self_attn_out_proj_",
    "_text_model_": "_",
}
OTHER_KINDS = {"hada_": "LoHa", "lokr_": "LoKr", "oft_": "OFT", "on_input": "IA3", ".diff": "full"}
SDXL = ("lora_te2_", "text_encoder_2.")
METADATA = "lora_adapter_metadata"


@dataclass
class NamedMatrices:
    """What a file has for one layer, by what it is: down, up, mid, alpha, magnitude_vector ..."""

    name: str
    """As the file has it."""
    tensors: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class NamedLora:
    """A file of LoRA, and the settings that came with it."""

    path: Path
    parts: dict[str, dict[str, NamedMatrices]]
    """By part of the model and by the layer's name without dots."""
    settings: dict[str, dict[str, Any]]
    """Of peft, by part of the model, where there are any."""


def read_named_lora(path: Path, part: str) -> NamedLora:
    """Return the matrices of a file of LoRA; in a folder of peft's, with its settings.

    Args:
        part: of the model, where names do not tell.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    settings: dict[str, dict[str, Any]] = {}
    if path.name.startswith("adapter_model.") and (path.parent / CONFIG_FILE).is_file():
        own = read_settings(path.parent / CONFIG_FILE)
        settings = dict.fromkeys(("unet", "text_encoder"), parse(path.parent / CONFIG_FILE, own))
    elif path.suffix == ".safetensors":
        settings = read_metadata(path)
    parts: dict[str, dict[str, NamedMatrices]] = {}
    strange = []
    for name, tensor in read_state_dict(path).items():
        match = FACTOR.fullmatch(name)
        if match is None:
            strange.append(name)
            continue
        own_part, layer = locate_layer(match["layer"], part)
        factor = match["factor"] or match["other"]
        matrices = parts.setdefault(own_part, {}).setdefault(layer, NamedMatrices(match["layer"]))
        matrices.tensors[FACTORS.get(factor, factor)] = tensor
    if strange or not parts:
        raise ValueError(f"{path}: {explain_strange(strange)}")
    return NamedLora(path, parts, settings)


def explain_strange(names: list[str]) -> str:
    """Return why a file is not read that has tensors of such names."""
    kinds = {kind for mark, kind in OTHER_KINDS.items() if any(mark in name for name in names)}
    if kinds:
        kind = min(kinds)
        return f"is an adapter of the kind {kind}; only LoRA is read, merge it with its own tool"
    if names and all(re.fullmatch(r".*\.(weight|bias)", name) for name in names):
        example = one_line(min(names), 100)
        return (
            f"has {count(len(names), 'tensor')} that are no adapter's, such as {example}; if it is "
            f"a whole model, give it as --model; if motion modules, convert them with "
            f"jobs/convert_model.py"
        )
    return f"has {count(len(names), 'tensor')} of unknown kind, such as {one_line(min(names), 100)}"


def locate_layer(name: str, part: str) -> tuple[str, str]:
    """Return the part of the model that a layer is in, and its name there without dots."""
    name = unwrap(name)
    if name.startswith(SDXL):
        raise ValueError(
            f"its layer {name:.200} is of a second text encoder, which Stable Diffusion XL has; "
            f"{REMEDY}"
        )
    for prefix, own in PREFIXES.items():
        if name.startswith(prefix):
            part, name = own, unwrap(name.removeprefix(prefix))
            break
    return part, flatten(name)


def unwrap(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def flatten(name: str) -> str:
    """Return a layer's name without dots, as other tools that name it otherwise would have it."""
    flat = f"_{name.replace('.', '_')}_"
    for theirs, ours in RENAMED.items():
        flat = flat.replace(theirs, ours)
    return flat.strip("_")


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Return peft's settings that diffusers keeps in a file's header, by part of the model."""
    read_header(path)
    with safe_open(path, "numpy") as file:
        text = (file.metadata() or {}).get(METADATA)
    if text is None:
        return {}
    try:
        found = json.loads(text)
        parts: dict[str, dict[str, Any]] = {}
        for name, value in found.items():
            part, _, setting = name.partition(".")
            parts.setdefault(part, {})[setting] = value
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: its {METADATA} is no JSON object: {error!s:.100}") from error
    return {part: parse(path, own) for part, own in parts.items()}


def parse(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        return parse_settings(settings)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: its settings cannot be used: {error}") from error


def name_layers(
    matrices: Mapping[str, NamedMatrices], settings: dict[str, Any] | None, network: nn.Module
) -> dict[str, LoraLayer]:
    """Return matrices by the names of a network's layers.

    Raises:
        ValueError: one is of no layer, lacks a factor, or belongs to no LoRA.
    """
    known = {flatten(name): name for name in layer_shapes(network)}
    layers = {}
    strange = []
    for flat, own in matrices.items():
        # Diffusers' early names leave out the number of the output's linear layer.
        name = known.get(flat) or known.get(f"{flat}_0")
        if name is None:
            strange.append(own.name)
            continue
        layers[name] = to_layer(name, own, settings)
    if strange:
        raise ValueError(
            f"{len(strange)} of its {len(matrices)} layers are none of the model's, such as "
            f"{one_line(min(strange), 200)}; {REMEDY}"
        )
    return layers


def to_layer(name: str, matrices: NamedMatrices, settings: dict[str, Any] | None) -> LoraLayer:
    tensors = matrices.tensors
    if missing := {"up", "down"} - tensors.keys():
        raise ValueError(
            f"its layer {matrices.name:.200} has no {missing.pop()} matrix, only "
            f"{', '.join(sorted(tensors))}; copy or train the adapter again"
        )
    if "dora_scale" in tensors:
        raise ValueError(
            f"its layer {matrices.name:.200} has a dora_scale (DoRA of LyCORIS), which is not "
            f"read; export the adapter in peft's format"
        )
    down, up = tensors["down"], tensors["up"]
    if "mid" in tensors:
        # LyCORIS' Tucker decomposition: a convolution of the rank's channels between two matrices.
        down = join_mid(name, tensors["mid"], down)
    rank = down.shape[0] if down.ndim else 0
    scale = 1.0
    if settings is not None:
        scale = stated_scale(matrices.name, settings, rank)
        if settings["use_dora"] != ("magnitude_vector" in tensors):
            raise ValueError(
                f"its layer {matrices.name:.200} and the settings beside it say different things "
                f"of DoRA (use_dora is {settings['use_dora']}); both must be of one adapter"
            )
    elif "alpha" in tensors and rank:
        scale = read_alpha(name, tensors["alpha"]) / rank
    return LoraLayer(down, up, scale, tensors.get("magnitude_vector"))


def join_mid(name: str, mid: Tensor, down: Tensor) -> Tensor:
    """Return the down matrix (rank, in, *kernel) of a middle one (rank, r, *kernel) after a down
    matrix (r, in)."""
    if mid.ndim < 3 or down.ndim < 2 or mid.shape[1] != down.shape[0]:
        raise ValueError(
            f"{name:.200}: its mid matrix has the shape {tuple(mid.shape)}, which does not follow "
            f"its down matrix of {tuple(down.shape)}; copy the adapter again"
        )
    return torch.einsum("oj...,ji->oi...", mid.float(), down.flatten(1).float())


def read_alpha(name: str, alpha: Tensor) -> float:
    if alpha.numel() != 1:
        shape = tuple(alpha.shape)
        raise ValueError(f"{name:.200}: its alpha must be one number, found the shape {shape}")
    return parse_alpha(f"{name:.200}: its alpha", alpha.item())


def stated_scale(name: str, settings: dict[str, Any], rank: int) -> float:
    """Return the scale that peft's settings give a layer, by its name beside them."""
    # Patterns are of the names in the network, which have text_model in some versions.
    names = [name]
    for prefix in (*WRAPPERS, *PREFIXES, *WRAPPERS):
        names.append(names[-1].removeprefix(prefix))

    def look_up(patterns: dict[str, Any], usual: Any) -> Any:
        compiled = ((compile_pattern(key), value) for key, value in patterns.items())
        matching = (value for key, value in compiled if key and any(map(key.match, names)))
        return next(matching, usual)

    stated = look_up(settings["ranks"], settings["rank"])
    if rank != stated:
        raise ValueError(
            f"{name:.200}: its matrices have the rank {rank}, but the settings beside them say "
            f"{stated}; both must be of one adapter"
        )
    alpha = look_up(settings["alphas"], settings["alpha"])
    return alpha / (math.sqrt(rank) if settings["use_rslora"] else rank)

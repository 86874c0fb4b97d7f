"""LoRA adapters (Hu et al., 2022) on a video model: a folder with `unet/` and, if trained,
`text_encoder/`, each in peft's format."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from peft import (
    LoraConfig,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from flipsketch.models.adapter import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Adapter,
    check_fits,
    read_adapter,
)
from flipsketch.models.choices import TargetSet
from flipsketch.models.headers import naming_files, read_header, read_settings
from flipsketch.models.registry import check_lora
from flipsketch.storage.folder import share_files

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
LINEAR = (nn.Linear,)
CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def find_targets(network: nn.Module, target_set: TargetSet) -> dict[str, nn.Module]:
    """Return the modules that a set of targets names, in the order of `named_modules`."""
    kinds = (*LINEAR, *CONV) if target_set == "all" else LINEAR
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, kinds) and (target_set != "attention" or name.endswith(ATTENTION))
    }


def add_lora(
    network: nn.Module, target_set: TargetSet, *, rank: int = 4, alpha: float = 4, seed: int = 0
) -> int:
    """Put a new adapter on a network, in place, and return the number of modules that it has.

    It is the identity until it is trained, since one factor is zero; the other is drawn by the
    seed. Only the adapter's parameters take gradients.
    """
    targets = find_targets(network, target_set)
    assert targets, "a network has layers"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_lora(lora_config(list(targets), rank, alpha), network)
    return len(targets)


def inject_lora(config: LoraConfig, network: nn.Module) -> None:
    """Put an adapter's layers into a network, in place.

    AnimateDiff's transformers call two of their layers by keyword, as peft's cannot be called.
    """
    inject_adapter_in_model(config, network)
    for module in network.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            for layer in (module.proj_in, module.proj_out):
                if isinstance(layer, BaseTunerLayer):
                    layer.register_forward_pre_hook(take_by_place, with_kwargs=True)


def take_by_place(
    layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return ((kwargs.pop("input"),), kwargs) if "input" in kwargs else (args, kwargs)


def lora_config(names: list[str], rank: int, alpha: float) -> LoraConfig:
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules=names)


def lora_parameters(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in network.named_parameters() if ".lora_" in name]


def save_lora(networks: dict[str, nn.Module], folder: str | Path) -> None:
    """Write the adapters of some of a model's networks, by part, as `load_lora` reads them."""
    for part, network in networks.items():
        weights = get_peft_model_state_dict(network)
        config: Any = network.peft_config
        write_adapter(config["default"], weights, Path(folder) / part)


def write_adapter(config: LoraConfig, weights: dict[str, Tensor], folder: Path) -> None:
    """Write one network's adapter; the file with its weights comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    # Peft keeps layers' names in a set, whose order differs from process to process.
    settings = read_settings(folder / CONFIG_FILE)
    if isinstance(settings.get("target_modules"), list):
        settings["target_modules"].sort()
    (folder / CONFIG_FILE).write_text(json.dumps(settings, indent=2, sort_keys=True))
    contiguous = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    with naming_files(folder):
        save_file(contiguous, folder / WEIGHTS_FILE)
    share_files(folder)


def load_lora(unet: nn.Module, text_encoder: nn.Module, folder: str | Path) -> None:
    """Put an adapter's layers into the networks, in place.

    Raises:
        ValueError: the folder holds no adapter, or one made for another model.
    """
    networks = {"unet": unet, "text_encoder": text_encoder}
    # All of it is read before any of it is used.
    for part, adapter in check_lora_fits(networks, folder).items():
        inject_lora(to_config(adapter), networks[part])
        weights = load_file(adapter.weights_path)
        loaded = set_peft_model_state_dict(networks[part], weights)
        assert not loaded.unexpected_keys, "the adapter was seen to fit"


def check_lora_fits(networks: dict[str, nn.Module], folder: str | Path) -> dict[str, Adapter]:
    """Return what the files of an adapter state, by part of the model.

    Args:
        networks: of the model, by part; names and shapes are all that is needed of them.

    Raises:
        ValueError: the folder holds no adapter, a damaged one, or one made for another model.
    """
    folder = check_lora(folder)
    adapters = {part: read_adapter(folder / part) for part in networks if (folder / part).is_dir()}
    for part, adapter in adapters.items():
        check_fits(adapter, layer_shapes(networks[part]), f"the model's {part}")
    return adapters


def layer_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of all layers that an adapter can be put on."""
    layers: dict[str, Any] = find_targets(network, "all")
    return {name: tuple(layer.weight.shape) for name, layer in layers.items()}


def to_config(adapter: Adapter) -> LoraConfig:
    """Return peft's configuration of an adapter, on the layers that it has weights for."""
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        target_modules=sorted(adapter.layers),
        rank_pattern=adapter.ranks,
        alpha_pattern=adapter.alphas,
        use_rslora=adapter.use_rslora,
        use_dora=adapter.use_dora,
    )


@dataclass(frozen=True)
class AdapterShape:
    """What the adapter of one network is like: its size, its scale, and the layers it is put on."""

    rank: int
    alpha: float
    modules: frozenset[str]
    """Names of the layers in their network."""

    def __str__(self) -> str:
        return f"rank {self.rank}, alpha {self.alpha:g} and {len(self.modules)} layers"

    def find_target_set(self, network: nn.Module) -> TargetSet | None:
        """Return the set of a bare network's layers that the adapter is put on, if it is one."""
        for target_set in get_args(TargetSet):
            if self.modules == find_targets(network, target_set).keys():
                return target_set
        return None


def read_shape(folder: Path) -> AdapterShape:
    """Return the shape of one network's adapter, in peft's format.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    adapter = read_adapter(folder)
    return AdapterShape(adapter.rank, adapter.alpha, frozenset(adapter.layers))


def check_same_layers(network: nn.Module, folder: Path, target_set: TargetSet | None) -> None:
    """Raise ValueError unless a network's adapter could have the weights of another.

    Args:
        folder: of the other one, in peft's format.
        target_set: that the other one is put on, if it is one.
    """
    own: Any = network.peft_config
    weights = get_peft_model_state_dict(network)
    names = frozenset(name.partition(".lora_")[0] for name in weights)
    asked = AdapterShape(own["default"].r, float(own["default"].lora_alpha), names)
    saved = read_shape(folder)
    shapes = {name: weight.shape for name, weight in weights.items()}
    loaded = read_header(folder / WEIGHTS_FILE)
    if saved != asked or shapes != {name: weight.shape for name, weight in loaded.items()}:
        raise ValueError(
            f"{folder}: has {saved} (target set: {target_set or 'none of those known'}), but the "
            f"run asks for {asked}; leave out --rank, --alpha and --target-set to continue with "
            f"the adapter's own, or start a new adapter with --lora none"
        )


def fill_lora(networks: dict[str, nn.Module], folder: str | Path) -> None:
    """Give the adapters of a model's networks, by part, the weights of one with the same layers."""
    for part, network in networks.items():
        weights = load_file(Path(folder) / part / WEIGHTS_FILE)
        set_peft_model_state_dict(network, weights)


def merge_lora(network: nn.Module) -> None:
    """Add an adapter's product to the weights, in place, and take its layers out again."""
    for module in network.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    drop_lora(network)


def drop_lora(network: nn.Module) -> None:
    """Take an adapter's layers out, in place."""
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, BaseTunerLayer)
    ]
    for name, module in layers:
        parent, _, own_name = name.rpartition(".")
        setattr(network.get_submodule(parent), own_name, module.get_base_layer())
    if hasattr(network, "peft_config"):
        del network.peft_config

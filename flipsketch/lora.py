"""LoRA adapters (Hu et al., 2022) on a video model: a folder with `unet/` and, if trained,
`text_encoder/`, each in peft's format."""

from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from safetensors.torch import load_file

UNET_FILES = ("unet/adapter_config.json", "unet/adapter_model.safetensors")


def check_lora(folder: str | Path) -> Path:
    """Return the path of an adapter folder, or raise ValueError if it is none."""
    missing = [name for name in UNET_FILES if not (Path(folder) / name).is_file()]
    if missing:
        raise ValueError(f"{folder}: not an adapter folder, it has no {missing[0]} (peft's format)")
    return Path(folder)


def load_lora(unet: torch.nn.Module, text_encoder: torch.nn.Module, folder: str | Path) -> None:
    """Put an adapter's layers into the networks, in place.

    Raises:
        ValueError: the folder holds no adapter, or one made for another model.
    """
    folder = check_lora(folder)
    parts = {"unet": unet, "text_encoder": text_encoder}
    for part, network in parts.items():
        if not (folder / part).is_dir():
            continue
        config = LoraConfig.from_pretrained(str(folder / part))
        try:
            inject_adapter_in_model(config, network)
            weights = load_file(folder / part / "adapter_model.safetensors")
            loaded = set_peft_model_state_dict(network, weights)
        except (ValueError, RuntimeError, OSError) as error:
            raise ValueError(f"{folder / part}: does not fit the model: {error}") from error
        if loaded.unexpected_keys:
            raise ValueError(
                f"{folder / part}: does not fit the model, which has no "
                f"{loaded.unexpected_keys[0]}; give the adapter that was trained on this model"
            )

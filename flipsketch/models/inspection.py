"""Whether a model can be loaded, told from its files' settings and headers before any weights are
read: each network is laid out on torch's meta device, and its parameters are looked up."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import nn
from transformers import CLIPTokenizer

from flipsketch.models.families import CONDITIONS, PICTURES_UNET, family_of
from flipsketch.models.files import find_variant, is_weights, variant_of
from flipsketch.models.headers import (
    COPY,
    TensorInfo,
    read_header,
    read_settings,
    refuse_integers,
)
from flipsketch.models.lora import check_lora_fits
from flipsketch.models.motion import join_naming
from flipsketch.models.motion_adapters import choose_motion_adapter

# The class of each network by the parts of the pipeline, beside the UNet, whose class its family
# has; no other is loaded from its folder.
NETWORKS = {
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
}
HALVES = {"CLIPTextModel": "text_model.", "CLIPVisionModelWithProjection": "vision_model."}
SCHEDULER_FILE = "scheduler_config.json"
WEIGHTS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}
# Of ModelScope's UNet the widest layer has 5,120 units and the vocabulary 49,408 tokens; a layer
# more takes time also where it takes no memory.
MAX_NUMBER, MAX_LAYERS, MAX_ENTRIES = 1_000_000, 200, 64
# Diffusers renames these when it loads them.
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v."}
OLD_NAMES |= {".proj_attn.": ".to_out.0."}


def inspect_model(
    folder: Path,
    lora: Path | None = None,
    motion_adapter: str | Path | None = None,
) -> dict[str, Any]:
    """Return the networks of a model, by part, without their weights, if it can be loaded.

    Args:
        lora: folder of an adapter that is to fit.
        motion_adapter: as of `load_model`.

    Raises:
        ValueError: settings or weights are missing, damaged or of another model.
    """
    networks: dict[str, Any] = {"unet": lay_out_unet(folder, motion_adapter, inspect_network)}
    networks |= {part: inspect_network(folder / part, *NETWORKS[part]) for part in NETWORKS}
    load_scheduler(folder)
    check_parts(folder, networks, load_tokenizer(folder))
    if lora is not None:
        check_lora_fits({name: networks[name] for name in ("unet", "text_encoder")}, lora)
    return networks


def load_scheduler(folder: Path) -> DDIMScheduler:
    """Return a model's noise schedule, set as FlipSketch needs DDIM and its family its betas; the
    prediction type, and betas of which the family says nothing, are the model's.

    Raises:
        ValueError: its settings cannot be used.
    """
    path = folder / "scheduler" / SCHEDULER_FILE
    stated = read_settings(path)
    refuse_excess(path, stated)
    # Folders often have the settings of other samplers, which have some that DDIM knows nothing of.
    known = inspect.signature(DDIMScheduler.__init__).parameters
    settings = {name: value for name, value in stated.items() if name in known}
    settings["_class_name"] = "DDIMScheduler"
    settings |= {"clip_sample": False, "set_alpha_to_one": False}
    settings |= {"steps_offset": 1, "timestep_spacing": "leading", **family_of(folder).scheduler}
    try:
        scheduler = DDIMScheduler.from_config(settings)
        alphas, num_timesteps = scheduler.alphas_cumprod, scheduler.config.num_train_timesteps
        is_valid = len(alphas) == num_timesteps and bool(torch.isfinite(alphas).all())
    except Exception as error:
        raise ValueError(f"{path}: not a schedule of DDIM's ({error!s:.200}); {COPY}") from error
    kind = scheduler.config.prediction_type
    if not is_valid or kind not in ("epsilon", "v_prediction", "sample"):
        raise ValueError(
            f"{path}: its betas must be finite, one for each of its num_train_timesteps "
            f"({num_timesteps}), and its prediction_type epsilon, v_prediction or sample, found "
            f"{len(alphas)} betas and {kind!r:.80}; {COPY}"
        )
    return scheduler


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Return a model's tokenizer; raise ValueError if its files cannot be used."""
    try:
        return CLIPTokenizer.from_pretrained(folder / "tokenizer")
    except Exception as error:
        raise ValueError(
            f"{folder / 'tokenizer'}: not the tokenizer of a CLIPTextModel ({error!s:.200}); {COPY}"
        ) from error


def inspect_network(folder: Path, library: str, name: str) -> nn.Module:
    """Return a network on the meta device, if its folder has settings of that class and, for each
    of its parameters, weights of that shape.

    Raises:
        ValueError: it has not.
    """
    network = lay_out(folder, library, name)
    # Of CLIP's halves some files have the name of the whole before each tensor's.
    prefix = HALVES.get(name, "")
    found = {
        tensor.removeprefix(prefix): (path, header)
        for tensor, path, header in read_weights(folder, WEIGHTS[library])
    }
    # Buffers too: an adapter's positions are as many as the frames that it was trained on.
    for own_name, weights in network.state_dict().items():
        parameter, shape = own_name.removeprefix(prefix), tuple(weights.shape)
        path, tensor = find_tensor(found, parameter)
        if tensor is None:
            raise ValueError(
                f"{folder}: has no weights named {parameter}, which its config.json needs "
                f"({len(found):,} others are there); {COPY}"
            )
        if squeeze(tensor.shape) != squeeze(shape):
            raise ValueError(
                f"{path}: its tensor {parameter} has the shape {tensor.shape!s:.80}, where {shape} "
                f"follows from {folder / 'config.json'}; both must be of one model"
            )
        refuse_integers(path, parameter, tensor)
    return network


def lay_out(folder: Path, library: str, name: str) -> nn.Module:
    """Return a network without weights, by the config.json of its folder."""
    path = folder / "config.json"
    settings = read_settings(path)
    architectures = settings.get("architectures") or [None]
    stated = settings.get("_class_name") or (
        architectures[0] if isinstance(architectures, list) else architectures
    )
    # CLIP's text encoder is also loaded from the whole of CLIP.
    if stated not in (None, name) and not (name == "CLIPTextModel" and stated == "CLIPModel"):
        raise ValueError(
            f"{path}: is of a {stated!s:.80}, but a {name} is needed there; give a model of the "
            f"kind that is named in the help"
        )
    refuse_excess(path, settings)
    kind = getattr(importlib.import_module(library), name)
    try:
        with torch.device("meta"):
            if library == "diffusers":
                return kind.from_config(settings)
            return kind(kind.config_class.from_pretrained(folder))
    # Libraries raise whatever strange settings lead them to.
    except Exception as error:
        raise ValueError(
            f"{path}: no {name} can be made of these settings "
            f"({type(error).__name__}: {error!s:.200}); {COPY}"
        ) from error


def lay_out_networks(
    folder: Path, *, text_encoder: bool = True, motion_adapter: str | Path | None = None
) -> dict[str, nn.Module]:
    """Return the UNet, and perhaps the text encoder, of a text-to-video model without weights, by
    their settings alone."""
    networks = {"unet": lay_out_unet(folder, motion_adapter)}
    if text_encoder:
        networks["text_encoder"] = lay_out(folder / "text_encoder", *NETWORKS["text_encoder"])
    return networks


def lay_out_model(folder: Path, motion_adapter: Path | None = None) -> dict[str, nn.Module]:
    """Return the networks of a text-to-video model, by part, without weights, by their settings
    alone: no weights need be there.

    Args:
        motion_adapter: folder of the one that `choose_motion_adapter` chose.
    """
    networks = {part: lay_out(folder / part, *NETWORKS[part]) for part in NETWORKS}
    return {"unet": lay_out_joined(folder, motion_adapter), **networks}


def lay_out_unet(
    folder: Path,
    motion_adapter: str | Path | None = None,
    lay_out: Callable[[Path, str, str], Any] = lay_out,
) -> nn.Module:
    """Return a text-to-video model's UNet, its motion modules included, as `lay_out` does.

    Raises:
        ValueError: it, or the adapter that it needs, cannot be used.
    """
    return lay_out_joined(folder, choose_motion_adapter(folder, motion_adapter), lay_out)


def lay_out_joined(
    folder: Path, adapter: Path | None, lay_out: Callable[[Path, str, str], Any] = lay_out
) -> nn.Module:
    """As `lay_out_unet`, with a motion adapter that was chosen already."""
    if adapter is None:
        return lay_out(folder / "unet", "diffusers", family_of(folder).unet)
    unet = lay_out(folder / "unet", "diffusers", PICTURES_UNET)
    return join_naming(unet, lay_out(adapter, "diffusers", "MotionAdapter"), folder, adapter)


def lay_out_modelscope() -> dict[str, nn.Module]:
    """Return the networks of ModelScope T2V, by part, without weights, and without its folder."""
    from diffusers import AutoencoderKL, UNet3DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    text = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=23,
        num_attention_heads=16,
    )
    with torch.device("meta"):
        return {
            "unet": UNet3DConditionModel(sample_size=32),
            "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            ),
            "text_encoder": CLIPTextModel(text),
        }


def refuse_excess(path: Path, settings: dict[str, Any]) -> None:
    """Raise ValueError for sizes on which laying out a network would take long."""
    for name, value in walk(settings):
        # num_hidden_layers, temporal_transformer_layers_per_mid_block, ...
        limit = MAX_LAYERS if "layers" in name else MAX_NUMBER
        if (
            isinstance(value, list)
            and len(value) > MAX_ENTRIES
            and name.endswith(("channels", "types", "block", "dim", "heads"))
        ):
            raise ValueError(f"{path}: {name} has {len(value):,} entries, more than {MAX_ENTRIES}")
        if isinstance(value, int) and abs(value) > limit:
            raise ValueError(
                f"{path}: {name} is {value:.3e}, more than the {limit:,} that is allowed; {COPY}"
                if abs(value) < 10**300
                else f"{path}: {name} has too many digits; {COPY}"
            )


def walk(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value in settings, and the name that it or its list has."""
    yield name, settings
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from walk(value, key)
    elif isinstance(settings, list):
        for value in settings:
            yield from walk(value, name)


def read_weights(folder: Path, stem: str) -> Iterator[tuple[str, Path, TensorInfo]]:
    """Yield the name of each tensor of a network's weights, its file and what it is like."""
    variant = find_variant(folder) if folder.is_dir() else None
    whole = folder / f"{stem}{f'.{variant}' if variant else ''}.safetensors"
    paths = [whole]
    indexes = (path for path in folder.glob(f"{stem}.*json") if is_weights(path.name))
    index = next((path for path in indexes if variant_of(path.name) == variant), None)
    if not whole.is_file() and index is not None:
        files = read_settings(index).get("weight_map")
        if not isinstance(files, dict) or not all(
            isinstance(name, str) and Path(name).name == name for name in files.values()
        ):
            raise ValueError(f"{index}: its weight_map does not name files beside it; {COPY}")
        paths = [folder / name for name in sorted(set(files.values()))]
    for path in paths:
        for name, tensor in read_header(path).items():
            yield name, path, tensor


def find_tensor(
    found: dict[str, tuple[Path, TensorInfo]], name: str
) -> tuple[Path, TensorInfo | None]:
    names = [name, *(name.replace(new, old) for old, new in OLD_NAMES.items() if new in name)]
    return next((found[each] for each in names if each in found), (Path(), None))


def squeeze(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without the ones at its end: an old attention's matrices were convolutions."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def check_parts(folder: Path, networks: dict[str, Any], tokenizer: CLIPTokenizer) -> None:
    """Raise ValueError unless the parts of a text-to-video model go together."""
    unet, vae, text_encoder = (networks[part].config for part in ("unet", *NETWORKS))
    for name in CONDITIONS:
        if unet.get(name) is not None:
            raise ValueError(
                f"{folder / 'unet' / 'config.json'}: {name} is {unet[name]!r:.80}: it needs more "
                f"than a prompt, which is not supported; give a model of the kind of Stable "
                f"Diffusion 1.5"
            )
    for one, value, other, wanted in (
        ("unet: in_channels", unet.in_channels, "vae: latent_channels", vae.latent_channels),
        (
            "unet: cross_attention_dim",
            unet.cross_attention_dim,
            "text_encoder: hidden_size",
            text_encoder.hidden_size,
        ),
    ):
        if value != wanted:
            raise ValueError(
                f"{folder}: its parts are not of one model: {one} is {value!s:.80}, but {other} is "
                f"{wanted!s:.80}; {COPY}"
            )
    if not isinstance(unet.sample_size, int) or not 1 <= unet.sample_size <= 1024:
        raise ValueError(
            f"{folder / 'unet' / 'config.json'}: sample_size must be a whole number from 1 to "
            f"1024, the height and width of the latents, found {unet.sample_size!r:.80}"
        )
    most = text_encoder.max_position_embeddings
    if tokenizer.model_max_length > most or len(tokenizer) > text_encoder.vocab_size:
        raise ValueError(
            f"{folder / 'tokenizer'}: gives up to {tokenizer.model_max_length} of {len(tokenizer)} "
            f"tokens, but the text encoder takes {most} of {text_encoder.vocab_size}; both must be "
            f"of one model"
        )

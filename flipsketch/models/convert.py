"""Weights that PyTorch pickled, as safetensors: a whole model folder, one part of it, or a single
file. Tensors are read alone, nothing is executed, and a card says from what all of it was made."""

import json
import logging
import shutil
from pathlib import Path

from safetensors.torch import save_file

from flipsketch.models.conversion_card import Converted, describe, write_card
from flipsketch.models.conversion_source import SAFE, SHARD, bare_stem, find_source, is_kept
from flipsketch.models.files import PICKLES, WEIGHT_SUFFIXES
from flipsketch.models.headers import naming_files, read_header, read_settings
from flipsketch.models.inspection import WEIGHTS, inspect_network
from flipsketch.models.motion_module import is_motion_module, write_motion_adapter
from flipsketch.models.state_dicts import read_state_dict
from flipsketch.storage.folder import new_folder, refuse_existing

log = logging.getLogger(__name__)

CONFIG, INDEX = "config.json", ".index.json"
STEMS = {"pytorch_model": "model"}
# The UNet in Stable Diffusion's own code, and in what was made of it, such as DynamiCrafter.
ONE_FILE = "model.diffusion_model."
# Classes whose parameters have the names that files give them. Those of others may be renamed when
# they are loaded: their weights are written as they are.
CHECKED = {
    "diffusers": {
        *("UNet3DConditionModel", "UNetMotionModel", "UNet2DConditionModel", "MotionAdapter"),
        *("UNetSpatioTemporalConditionModel", "AutoencoderKL", "AutoencoderKLTemporalDecoder"),
    },
    "transformers": {"CLIPTextModel", "CLIPModel", "CLIPVisionModelWithProjection"},
}


def convert_model(place: str, output: str, model_license: str | None = None) -> None:
    """Write a model, a part of one or a single file of weights, with all weights as safetensors.

    Args:
        place: a folder in diffusers' layout, one of its parts, or a file; here or on the Hub.
        model_license: of the model, where its card does not tell.

    Raises:
        OSError, ValueError: there is nothing to convert, a file is damaged or holds other things
            than weights, or weights are not of the class that is named beside them.
    """
    refuse_existing(output)
    source, parts = find_source(place)
    with new_folder(output) as folder:
        converted = []
        for part, names in parts.items():
            if names:
                (folder / part).mkdir(exist_ok=True)
                converted += convert_part(source / part, folder / part, names)
        if not converted:
            raise ValueError(
                f"{place}: has no pickled weights ({', '.join(PICKLES)}) to convert; a model "
                f"whose weights are safetensors is used as it is"
            )
        write_card(folder, place, source, converted, model_license)


def convert_part(source: Path, folder: Path, names: list[str]) -> list[Converted]:
    """Write the weights of one network, and copy the settings beside them.

    Args:
        names: of the files in `source` that are needed.
    """
    weights_files = [source / name for name in names if name.endswith(WEIGHT_SUFFIXES)]
    for name in names:
        if is_kept(name) and not name.endswith(INDEX):
            shutil.copyfile(source / name, folder / name)
    library, class_name = network_class(folder)
    converted: list[Converted] = []
    shards: dict[str, str] = {}
    for path in weights_files:
        target = folder / target_name(path.name, library)
        known = read_header(path).keys() if path.suffix == SAFE else set()
        if known and (class_name or not is_motion_module(known)):
            shutil.copyfile(path, target)
            shards |= dict.fromkeys(known, target.name)
            continue
        weights = read_state_dict(path)
        if not class_name and any(name.startswith(ONE_FILE) for name in weights):
            log.warning(
                "%s: has the names of a whole model in one file, which is written as it is; for a "
                "model folder use diffusers' from_single_file with the folder of the model that it "
                "was fine-tuned from, and save_pretrained",
                path,
            )
        if all("lora" in name for name in weights):
            raise ValueError(
                f"{path}: is a LoRA adapter, not a model; import it with jobs/import_lora.py"
            )
        if is_motion_module(weights) and not class_name:
            write_motion_adapter(path, weights, folder)
        else:
            with naming_files(folder):
                save_file(weights, target, metadata={"format": "pt"})
        shards |= dict.fromkeys(weights, target.name)
        converted.append(describe(path, weights))
    if weights_files and SHARD.fullmatch(bare_stem(weights_files[0].name)):
        write_index(source, folder, shards)
    if converted:
        check_class(source, folder)
    return converted


def check_class(source: Path, folder: Path) -> None:
    """Raise ValueError unless what was written is what the settings beside it say, if they say it.

    Args:
        source: that it was made of, for the message.
    """
    library, class_name = network_class(folder)
    if library is None or class_name not in CHECKED[library]:
        log.info(
            "%s: its tensors were not compared with a network (%s)",
            source,
            f"a {class_name}" if class_name else f"no {CONFIG} names its class",
        )
        return
    try:
        inspect_network(folder, library, class_name)
    except ValueError as error:
        raise ValueError(str(error).replace(str(folder), str(source))) from error


def network_class(folder: Path) -> tuple[str | None, str]:
    """Return the library and the class of the network whose settings are in a folder."""
    if not (folder / CONFIG).is_file():
        return None, ""
    settings = read_settings(folder / CONFIG)
    if isinstance(name := settings.get("_class_name"), str):
        return "diffusers", name
    architectures = settings.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        return "transformers", architectures[0]
    return None, ""


def target_name(name: str, library: str | None) -> str:
    """Return what weights are called as safetensors, where the library looks for them."""
    shard = SHARD.fullmatch(bare_stem(name))
    stem = shard[1] if shard else bare_stem(name)
    stem = WEIGHTS.get(library or "", STEMS.get(stem, stem))
    return f"{stem}-{shard[2]}{SAFE}" if shard else f"{stem}{SAFE}"


def write_index(source: Path, folder: Path, shards: dict[str, str]) -> None:
    """Write which shard has each tensor.

    Raises:
        ValueError: a shard is missing.
    """
    names = sorted(set(shards.values()))
    parsed = SHARD.fullmatch(names[0].removesuffix(SAFE))
    assert parsed is not None
    total = int(parsed[2].rpartition("-")[2])
    stated: set[str] = set()
    for index in source.glob(f"*{INDEX}"):
        weight_map = read_settings(index).get("weight_map")
        stated |= set(weight_map) if isinstance(weight_map, dict) else set()
    missing = stated - shards.keys()
    if len(names) != total or missing:
        raise ValueError(
            f"{source}: has {len(names)} of {total} shards of the weights, and lacks "
            f"{len(missing)} tensors that its index names; copy the others there too"
        )
    num_bytes = sum((folder / name).stat().st_size for name in names)
    index_of = {"metadata": {"total_size": num_bytes}, "weight_map": dict(sorted(shards.items()))}
    (folder / f"{parsed[1]}{SAFE}{INDEX}").write_text(json.dumps(index_of, indent=2) + "\n")

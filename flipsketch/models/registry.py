"""Find models and adapters (embedded, in a folder, on the Hub) and read what they state."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flipsketch.models.adapter import read_adapter
from flipsketch.models.families import (
    CONFIG_FILE,
    MOTION_FOLDER,
    needs_motion,
)
from flipsketch.models.files import (
    PICKLES,
    PIPELINE_FILE,
    WEIGHT_SUFFIXES,
    choose_weights,
    is_settings,
    needed_files,
)
from flipsketch.models.headers import read_settings
from flipsketch.models.hub import (
    HubPlace,
    fetch,
    find_missing,
    find_snapshot,
    list_files,
    resolve,
)
from flipsketch.models.places import IS_PATH, find_embedded, locate

log = logging.getLogger(__name__)

EMBEDDED_MODEL, EMBEDDED_LORA = "doodle", "doodle-lora"
NO_LORA = "none"
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
# Parts without weights are no networks.
NETWORKS = {"unet", "vae", "text_encoder", "image_encoder", "transformer"}
ADAPTED = ("unet", "text_encoder")
LORA_FILES = ("unet/adapter_config.json", "unet/adapter_model.safetensors")


def choose_lora(model: str | Path, lora: str | Path | None) -> str | None:
    """Return the adapter to load with a model, or None.

    Args:
        lora: an adapter's folder or name; "none" or empty for no adapter; None for the default,
            which is doodle-lora with the model doodle, and no adapter with any other.
    """
    if lora is None:
        is_embedded = str(model) == EMBEDDED_MODEL and find_embedded(model) != Path(model)
        return EMBEDDED_LORA if is_embedded else None
    return None if str(lora) in ("", NO_LORA) else str(lora)


def check_lora(folder: str | Path) -> Path:
    """Return the path of an adapter folder, or raise ValueError if it is none, or a damaged one."""
    names = list_names(Path(folder))
    if any(name not in names for name in LORA_FILES):
        raise ValueError(refuse_lora(str(folder), names))
    for part in ADAPTED:
        if (Path(folder) / part).is_dir():
            read_adapter(Path(folder) / part)
    return Path(folder)


def find_model(place: str | Path, parts: tuple[str, ...] = PARTS) -> Path:
    """Return the local folder of a model: one that is given, or comes with this project, or is
    fetched from the Hub.

    Raises:
        ValueError: there is none, or it lacks one of the parts, or a part's weights.
        OSError: it cannot be fetched.
    """
    return find_parts(
        place, parts, lambda names: [*filter(is_settings, names), *choose_weights(names)]
    )


def find_settings(place: str | Path, parts: tuple[str, ...] = PARTS) -> Path:
    """As `find_model`; of a model on the Hub only the settings and the tokenizer are fetched."""
    return find_parts(place, parts, lambda names: filter(is_settings, names))


def is_fetched(place: str | Path, parts: tuple[str, ...] = PARTS) -> bool:
    """Tell whether a model is here with all that `find_model` would fetch."""
    found = locate(place)
    if not isinstance(found, HubPlace):
        return True
    found = resolve(found)
    names = [name for name in list_files(found) if name.rpartition("/")[0] in parts]
    by_part = [[name for name in names if name.startswith(f"{part}/")] for part in parts]
    needed = [name for own in by_part for name in (*filter(is_settings, own), *choose_weights(own))]
    return not find_missing(found, needed)


def find_parts(
    place: str | Path, parts: tuple[str, ...], choose: Callable[[list[str]], Iterable[str]]
) -> Path:
    if is_file(place):
        raise ValueError(
            f"{place!s:.200}: is a file, but a model is a folder in diffusers' layout; how one is "
            f"made of a file is said in docs/convert_model.md"
        )
    found = locate(place)
    if not isinstance(found, HubPlace):
        names = list_names(found)
        refuse_container(str(place), names)
        check_parts(str(found), names, parts)
        return found
    found = resolve(found)
    names = [*list_files(found)]
    refuse_container(str(place), names)
    check_parts(str(found), names, parts)
    if "unet" in parts and any(name.startswith(f"{MOTION_FOLDER}/") for name in names):
        # A pipeline of AnimateDiff has its motion modules twice if its UNet is whole.
        if needs_motion(fetch(found, [f"unet/{CONFIG_FILE}"])):
            parts = (*parts, MOTION_FOLDER)
    in_root = [name for name in names if "/" not in name and name.endswith(".json")]
    in_parts = [choose([n for n in names if n.rpartition("/")[0] == part]) for part in parts]
    return fetch(found, [*in_root, *(name for chosen in in_parts for name in chosen)])


def list_names(folder: Path) -> list[str]:
    """Return the names of the files in a local folder, and in the folders in it."""
    paths = (path for pattern in ("*", "*/*") for path in folder.glob(pattern))
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]


def refuse_container(place: str, names: list[str]) -> None:
    """Raise ValueError if models are in folders of a place, which is none itself."""
    if PIPELINE_FILE in names or any(name.startswith("unet/") for name in names):
        return
    inner = f"/{PIPELINE_FILE}"
    if within := sorted(name.removesuffix(inner) for name in names if name.endswith(inner)):
        path, at, revision = place.partition("@")
        raise ValueError(
            f"{place}: is not a model folder, but it has one in {within[0]}: give "
            f"{path.rstrip('/')}/{within[0]}{at}{revision}"
        )


def check_parts(where: str, names: Iterable[str], parts: tuple[str, ...]) -> None:
    """Raise ValueError if a model lacks a part, or the weights of one as safetensors.

    Args:
        where: the model's place, for the message.
        names: of its files, each below its part's folder.
    """
    names = [*names]
    files: dict[str, list[str]] = {part: [] for part in parts}
    for name in names:
        part, _, file = name.rpartition("/")
        if part in files:
            files[part].append(file)
    if missing := [part for part in parts if not files[part]]:
        pickled = next((name for name in names if name.endswith(PICKLES)), None)
        remedy = f"; jobs/convert_model.py converts its {pickled:.100}" if pickled else ""
        raise ValueError(
            f"{where}: not a model folder, it has no {', '.join(missing)}/; expected diffusers' "
            f"layout of a pipeline with {', '.join(f'{part}/' for part in parts)}{remedy}"
        )
    for part, own in files.items():
        if part in NETWORKS or any(name.endswith(PICKLES) for name in own):
            refuse_pickles(f"{where}/{part}", own, where)


def refuse_pickles(where: str, names: Iterable[str], model: str | None = None) -> None:
    """Raise ValueError unless a network has weights as safetensors.

    Args:
        where: its place, for the message.
        names: of its files.
        model: the place to convert, if that is another.
    """
    names = [*names]
    if choose_weights(names):
        return
    if pickled := [name for name in names if name.endswith(PICKLES)]:
        raise ValueError(
            f"{where}: has no weights as safetensors, and pickles are not loaded ({pickled[0]}); "
            f"convert them first: jobs/convert_model.py --model {model or where} --output FOLDER"
        )
    raise ValueError(f"{where}: has no weights as safetensors; put them there")


def find_lora(place: str | Path) -> Path:
    """Return the local folder of an adapter (unet/ and perhaps text_encoder/, in peft's format).

    Raises:
        ValueError: there is none, or a damaged one.
        OSError: it cannot be fetched.
    """
    if is_file(place):
        raise ValueError(
            f"{place!s:.200}: is a file, but an adapter is a folder with {LORA_FILES[0]} (peft's "
            f"format); make one of it with jobs/import_lora.py"
        )
    found = locate(place)
    if isinstance(found, HubPlace):
        found = resolve(found)
        names = list_files(found)
        wanted = [f"{part}/{Path(file).name}" for part in ADAPTED for file in LORA_FILES]
        if any(name not in names for name in LORA_FILES):
            raise ValueError(refuse_lora(str(found), [*names]))
        found = fetch(found, [name for name in wanted if name in names])
    return check_lora(found)


def refuse_lora(where: str, names: list[str]) -> str:
    """Return why a folder is no adapter, and what to do."""
    others = sorted(name for name in names if name.endswith(WEIGHT_SUFFIXES))
    if PIPELINE_FILE in names:
        # The published checkpoint has its adapter in a folder beside its networks.
        others = [name for name in others if "lora" in name.lower()]
        if not others:
            return f"{where}: is a model, not an adapter; give it as --model"
    remedy = f"; import its {others[0]:.100} with jobs/import_lora.py" if others else ""
    missing = next(name for name in LORA_FILES if name not in names)
    return f"{where}: not an adapter folder, it has no {missing} (peft's format){remedy}"


def is_file(place: str | Path) -> bool:
    """Tell whether a place is a file, here or, by its name, one of weights in a repository."""
    # A revision may come after its name.
    is_named = str(place).partition("@")[0].endswith(WEIGHT_SUFFIXES) and not os.path.isdir(place)
    return is_named or os.path.isfile(place)


def find_file(place: str | Path) -> Path:
    """Return a local file: one that is given, or one in a repository of the Hub, by its name after
    that of its folder.

    Raises:
        ValueError: there is none.
        OSError: it cannot be fetched.
    """
    if Path(place).is_file():
        return Path(place)
    if Path(place).suffix and IS_PATH.match(str(place)) and not Path(place).is_dir():
        raise ValueError(f"{place!s:.200}: there is no such file; check the path")
    found = locate(place)
    if not isinstance(found, HubPlace):
        raise ValueError(f"{place!s:.200}: expected a file, found a folder; give a file in it")
    if not found.folder:
        raise ValueError(
            f"{place!s:.200}: there is no such file here; one on the Hugging Face Hub is "
            f"owner/name/file"
        )
    folder, _, name = found.folder.rpartition("/")
    parent = resolve(HubPlace(found.repository, folder, found.revision))
    names = list_files(parent)
    if name not in names:
        raise ValueError(f"{place!s:.200}: there is no file {name:.100} in {parent}")
    return fetch(parent, [name]) / name


def read_index(place: str | Path) -> dict[str, Any]:
    """Return what a model's model_index.json says: its pipeline's class, and that of each part.

    Raises:
        ValueError: there is no such model, or it has none.
        OSError: it cannot be fetched.
    """
    found = locate(place)
    if isinstance(found, HubPlace):
        found = resolve(found)
        if PIPELINE_FILE not in list_files(found):
            raise ValueError(f"{found}: not the folder of a pipeline, it has no {PIPELINE_FILE}")
        found = fetch(found, [PIPELINE_FILE])
    return read_settings(found / PIPELINE_FILE)


def frame_size(folder: Path) -> int:
    """Return height and width in pixels of a model's frames, as `VideoModel.size`, from its
    configuration alone."""
    paths = [folder / part / "config.json" for part in ("unet", "vae")]
    unet, vae = (read_settings(path) for path in paths)
    size, channels = unet.get("sample_size"), vae.get("block_out_channels")
    if not isinstance(size, int) or not isinstance(channels, list) or not 1 <= len(channels) <= 16:
        raise ValueError(
            f"{folder}: sample_size of {paths[0]} and block_out_channels of {paths[1]} must be a "
            f"whole number and a list, found {size!r:.80} and {channels!r:.80}; give a model in "
            f"diffusers' layout"
        )
    return size * 2 ** (len(channels) - 1)


def fingerprint_folder(
    folder: str | Path, parts: tuple[str, ...] = PARTS, *, needed_only: bool = False
) -> str:
    """Return a hash over the names and contents of a model's or adapter's files.

    Files beside its parts (a card, pictures, `.git`) do not count, nor do those that other programs
    have fetched into the same folder of the Hub's cache.

    Args:
        needed_only: in a part, too, files that are not read do not count.
    """
    digest = hashlib.sha256()
    is_shared = needed_only or find_snapshot(Path(folder)) is not None
    for part in parts:
        paths = [path for path in sorted((Path(folder) / part).glob("*")) if path.is_file()]
        needed = {*needed_files(path.name for path in paths)} if is_shared else None
        for path in paths:
            if needed is None or path.name in needed:
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{part}/{path.name} {content}\n".encode())
    return digest.hexdigest()


def weights_bytes(folder: Path, motion_adapter: Path | None = None) -> int:
    """Return the size on disk of a model's weights, one copy of each part's, and of those of the
    motion adapter that it needs, if it does."""
    parts = [part for part in folder.iterdir() if part.is_dir()]
    if motion_adapter is not None and motion_adapter not in parts:
        parts.append(motion_adapter)
    return sum(
        (part / name).stat().st_size
        for part in parts
        for name in choose_weights(path.name for path in part.iterdir())
    )

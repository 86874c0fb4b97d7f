"""Find models and adapters (embedded, in a folder, on the Hub) and read what they state."""

import hashlib
import logging
import re
from pathlib import Path

from flipsketch.models.adapter import read_adapter
from flipsketch.models.headers import read_settings
from flipsketch.storage.location import is_uri
from flipsketch.storage.waiting import call_in_time

log = logging.getLogger(__name__)

# In a wheel, and in a checkout.
PLACES = (Path(__file__).parents[1] / "embedded", Path(__file__).parents[2] / "data" / "models")
EMBEDDED = next((place for place in PLACES if place.is_dir()), PLACES[-1])
EMBEDDED_MODEL, EMBEDDED_LORA = "doodle", "doodle-lora"
NO_LORA = "none"
HUB_TIMEOUT_S = 10
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
ADAPTED = ("unet", "text_encoder")
LORA_FILES = ("unet/adapter_config.json", "unet/adapter_model.safetensors")


def find_embedded(name: str | Path) -> Path:
    """Return the folder of a model or adapter that comes with this project, if it has that name,
    else the path as it is; raise ValueError for a URI."""
    if is_uri(str(name)):
        raise ValueError(
            f"{name}: models and adapters are read from local disks alone, which all workers see; "
            f"copy the folder to one, and give its path"
        )
    embedded = EMBEDDED / name
    is_name = Path(name).name == str(name)
    return embedded if is_name and embedded.is_dir() and not Path(name).exists() else Path(name)


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
    missing = [name for name in LORA_FILES if not (Path(folder) / name).is_file()]
    if missing:
        raise ValueError(f"{folder}: not an adapter folder, it has no {missing[0]} (peft's format)")
    for part in ADAPTED:
        if (Path(folder) / part).is_dir():
            read_adapter(Path(folder) / part)
    return Path(folder)


def find_model(path_or_hub_name: str | Path, parts: tuple[str, ...] = PARTS) -> Path:
    """Return the local folder of a model: one that is given, or comes with this project, or is
    fetched from the Hub.

    Raises:
        ValueError: there is none, or it lacks one of the parts, or a part's weights.
    """
    if not str(path_or_hub_name).strip() or path_or_hub_name == Path():
        raise ValueError("the model's name is empty; give a folder in diffusers' layout or a name")
    folder = find_embedded(path_or_hub_name)
    if not folder.is_dir():
        patterns = ["README.md", "*.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
        folder = fetch_files(str(path_or_hub_name), patterns, "a folder in diffusers' layout")
    missing = [part for part in parts if not (folder / part).is_dir()]
    networks = {"unet", "vae", "text_encoder", "image_encoder"}
    for part in [part for part in parts if part in networks] if not missing else ():
        if not any((folder / part).glob("*.safetensors")):
            raise ValueError(
                f"{folder / part}: has no weights as safetensors, and pickles are not loaded; put "
                f"them there, or convert them"
            )
    if missing:
        raise ValueError(
            f"{folder}: not a model folder, it has no {', '.join(missing)}/; expected diffusers' "
            f"layout of a pipeline with {', '.join(f'{part}/' for part in parts)}"
        )
    return folder


def check_hub_name(name: str) -> None:
    """Raise ValueError if the Hub can have no model of that name; nothing is asked of it."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(
            f"model {name!r} is neither a folder here nor a name on the Hugging Face Hub "
            f"(owner/name); give the path of a folder in diffusers' layout, such a name, or doodle"
        )


def fetch_files(hub_name: str, patterns: list[str], alternative: str) -> Path:
    """Return the local folder of the Hub's files of some names, but for half-precision copies."""
    # Here, since command lines import this file, and a model is seldom fetched.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    is_reached = reach_hub(hub_name)
    try:
        return Path(
            snapshot_download(
                hub_name,
                allow_patterns=patterns,
                ignore_patterns=["*.fp16.*"],
                local_files_only=not is_reached,
            )
        )
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = type(error).__name__ if is_reached else "which does not answer; none is in its cache"
        raise ValueError(
            f"model {hub_name!r} is neither a folder here nor a model that the Hugging Face Hub "
            f"gives ({why}); give the path of {alternative}, or check the name and the connection"
        ) from error


def reach_hub(hub_name: str) -> bool:
    """Ask the Hub for a model, once: without an answer downloading would go on asking for a minute.

    Returns:
        Whether the Hub answers, if only that it has no such model.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        # Beside the client's own limit: looking up the address of a server has none.
        call_in_time(
            lambda: HfApi().model_info(hub_name, timeout=HUB_TIMEOUT_S),
            2 * HUB_TIMEOUT_S,
            f"{hub_name}: asking the Hugging Face Hub",
        )
    except (HfHubHTTPError, HFValidationError):
        return True
    # The client's own kinds of error differ from version to version.
    except Exception as error:
        log.warning(
            "%s: is no folder here, and the Hugging Face Hub does not answer (%s)", hub_name, error
        )
        return False
    log.info("taking %s from the Hugging Face Hub, or from what was fetched before", hub_name)
    return True


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


def model_licence(folder: Path) -> str:
    """Return the license that the model's card states, or 'unknown'."""
    # Imported late: a dry run and a wrong flag need nothing of it.
    from huggingface_hub import metadata_load
    from yaml import YAMLError

    card = folder / "README.md"
    try:
        data = metadata_load(card) if card.is_file() else None
    except (YAMLError, ValueError) as error:
        log.warning("%s: its license cannot be read: %s", card, error)
        data = None
    licence = (data or {}).get("license")
    if isinstance(licence, bool):
        # YAML takes some words for truth values.
        licence = read_license_line(card)
    licence = "unknown" if licence in (None, "", []) else licence
    return ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence)


def read_license_line(card: Path) -> str:
    line = re.search(r"^license:\s*(\S+)", card.read_text(), re.MULTILINE)
    return line[1] if line else ""


def fingerprint_folder(folder: str | Path, parts: tuple[str, ...] = PARTS) -> str:
    """Return a hash over the names and contents of a model's or adapter's files.

    Files beside its parts (a card, pictures, `.git`) do not count.
    """
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted((Path(folder) / part).glob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{part}/{path.name} {content}\n".encode())
    return digest.hexdigest()


def weights_bytes(folder: Path) -> int:
    """Return the size of a model's weights on disk."""
    return sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))

"""Find AnimateDiff motion adapters, and tell which models need one."""

from pathlib import Path

from flipsketch.models.families import (
    CONFIG_FILE,
    MOTION_FOLDER,
    PICTURES_UNET,
    family_of,
    needs_motion,
)
from flipsketch.models.files import WEIGHT_SUFFIXES, choose_weights, is_settings
from flipsketch.models.hub import HubPlace, fetch, list_files, resolve
from flipsketch.models.places import locate
from flipsketch.models.registry import fingerprint_folder, is_file, refuse_pickles


def find_motion_adapter(place: str | Path, *, settings_only: bool = False) -> Path:
    """Return the local folder of an AnimateDiff motion adapter.

    Args:
        settings_only: of one on the Hub, no weights are fetched.

    Raises:
        ValueError: there is none, or it lacks settings, or weights as safetensors.
        OSError: it cannot be fetched.
    """
    if is_file(place):
        raise ValueError(
            f"{place!s:.200}: is a file, but a motion adapter is a folder with {CONFIG_FILE}; make "
            f"one of it: jobs/convert_model.py --model {place!s:.200} --output FOLDER"
        )
    found = locate(place)
    if isinstance(found, HubPlace):
        found = resolve(found)
        names = [name for name in list_files(found) if "/" not in name]
    else:
        names = [path.name for path in found.iterdir() if path.is_file()]
    if CONFIG_FILE not in names:
        modules = sorted(name for name in names if name.endswith(WEIGHT_SUFFIXES))
        remedy = f"; convert its {modules[0]:.100} with jobs/convert_model.py" if modules else ""
        raise ValueError(
            f"{place!s:.200}: not the folder of a MotionAdapter: has no {CONFIG_FILE}{remedy}"
        )
    refuse_pickles(str(place), names)
    if not isinstance(found, HubPlace):
        return found
    weights = [] if settings_only else choose_weights(names)
    return fetch(found, [*filter(is_settings, names), *weights])


def has_weights(folder: Path) -> bool:
    """Tell whether a network's folder has weights, beside its settings."""
    return bool(choose_weights(path.name for path in folder.iterdir()))


def choose_motion_adapter(
    folder: Path, place: str | Path | None, *, settings_only: bool = False
) -> Path | None:
    """Return the folder of the adapter that gives a model's UNet its motion modules, or None if it
    is a video model's already.

    Args:
        place: an adapter's folder or name; None for the one in the model's own folder.
        settings_only: as of `find_motion_adapter`.

    Raises:
        ValueError: it needs one and there is none, or it takes none.
    """
    if needs_motion(folder):
        if place:
            return find_motion_adapter(place, settings_only=settings_only)
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


def fingerprint_motion(motion_adapter: Path) -> str:
    """Return a hash over the settings and the weights of a motion adapter."""
    return fingerprint_folder(motion_adapter, ("",), needed_only=True)

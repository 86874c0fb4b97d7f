"""Which files of a model a conversion needs, here or on the Hub: of each part its settings and one
copy of its weights."""

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from flipsketch.models.files import PIPELINE_FILE, SETTINGS, VARIANTS, WEIGHT_SUFFIXES
from flipsketch.models.hub import HubPlace, fetch, list_files, resolve
from flipsketch.models.places import locate
from flipsketch.models.registry import find_file, is_file, list_names, read_index

log = logging.getLogger(__name__)

SAFE = ".safetensors"
# As libraries name weights; files of other names are taken where there is none of these.
STANDARD = ("diffusion_pytorch_model", "pytorch_model", "model", "adapter_model")
SHARD = re.compile(r"(.+)-(\d{5}-of-\d{5})")
PLACE = re.compile(r"-\d{5}-of-\d{5}")
# What training saves beside weights.
TRAINING = ("optimizer", "scheduler", "training_args", "rng_state", "random_states", "scaler")
TERMS = re.compile(r"(licen[cs]e|notice|use_policy).*", re.IGNORECASE)


def find_source(place: str) -> tuple[Path, dict[str, list[str]]]:
    """Return the local folder of what is to be converted, and the names of the files needed of each
    of its parts; "" is the folder itself.

    Raises:
        ValueError: there is none, or several files could be the weights of one part.
        OSError: it cannot be fetched.
    """
    if is_file(place):
        path = find_file(place)
        return path.parent, {"": [path.name]}
    found = locate(place)
    if not isinstance(found, HubPlace):
        return found, choose_parts(place, list_names(found))
    found = resolve(found)
    parts = choose_parts(str(found), list_files(found))
    return fetch(found, (f"{part}/{n}".lstrip("/") for part in parts for n in parts[part])), parts


def choose_parts(place: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Return the files needed of a folder and of those in it which are parts of its pipeline; of
    all in it, if it is none of a pipeline."""
    inside: dict[str, list[str]] = {"": []}
    for name in sorted(names):
        part, _, file = name.rpartition("/")
        if "/" not in part and not part.startswith((".", "_")):
            inside.setdefault(part, []).append(file)
    if PIPELINE_FILE not in inside[""]:
        return {part: choose_files(place, part, own) for part, own in inside.items()}
    index = read_index(place)
    parts = {part: own for part, own in inside.items() if isinstance(index.get(part), list)}
    if left_out := sorted(inside.keys() - parts.keys() - {""}):
        log.info("left out, since %s names no such parts: %s", PIPELINE_FILE, ", ".join(left_out))
    # Weights beside the index are the whole model in one file, which the parts hold once more.
    chosen = {part: choose_files(place, part, own) for part, own in parts.items()}
    return {"": [*filter(is_kept, inside[""])]} | chosen


def choose_files(place: str, part: str, names: list[str]) -> list[str]:
    """Return the files of a part that are needed: settings, and the usual copy of its weights, not
    one of half precision or without moving averages, as safetensors if they are there.

    Raises:
        ValueError: several files could be the weights.
    """
    weights = [
        name for name in names if name.endswith(WEIGHT_SUFFIXES) and not name.startswith(TRAINING)
    ]
    weights = [name for name in weights if split_name(name)[0] in STANDARD] or weights
    variants = {split_name(name)[1] for name in weights} & {"", *VARIANTS}
    usual = next((each for each in ("", *VARIANTS) if each in variants), None)
    weights = [name for name in weights if usual in (None, split_name(name)[1])]
    weights = [name for name in weights if name.endswith(SAFE)] or weights
    if len(weights) > 1 and not all(SHARD.fullmatch(bare_stem(name)) for name in weights):
        where = f"{place}/{part}".rstrip("/")
        raise ValueError(
            f"{where}: has {len(weights)} files that may be the weights "
            f"({', '.join(weights)[:200]}); give the one to convert, as {where}/{weights[0]}"
        )
    return [*filter(is_kept, names), *weights]


def is_kept(name: str) -> bool:
    """Tell whether a file is copied: what a model needs beside its weights, and its terms."""
    return name.endswith((*SETTINGS, ".yaml", ".yml")) or TERMS.fullmatch(name) is not None


def split_name(name: str) -> tuple[str, str]:
    """Return what weights are called, and which copy of them a file is: "fp16", "non_ema" or, of
    the usual one, nothing."""
    stem = PLACE.sub("", name.rpartition(".")[0])
    usual, _, variant = stem.partition(".")
    return (usual, variant) if usual in STANDARD else (stem, "")


def bare_stem(name: str) -> str:
    """Return a file's name without its suffix and without the mark of a copy."""
    place = PLACE.search(name)
    return split_name(name)[0] + (place[0] if place else "")

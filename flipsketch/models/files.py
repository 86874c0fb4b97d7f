"""Names of a model's files: which are settings, which are weights, and which copy of weights."""

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

PIPELINE_FILE = "model_index.json"
"""In the folder of a pipeline: its class, and those of its parts."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
WEIGHT_SUFFIXES = (".safetensors", *PICKLES)
SETTINGS = (".json", ".txt", ".model")
SHARD = re.compile(r"-\d{5}-of-\d{5}")
# Copies in other precisions, in the order in which they are taken where the usual one lacks.
VARIANTS = ("fp32", "bf16", "fp16")


def is_weights(name: str) -> bool:
    """Tell whether a file holds weights as safetensors, or the index of such files."""
    return ".safetensors" in name


def is_settings(name: str) -> bool:
    return name.endswith(SETTINGS) and not is_weights(name) and ".fp16." not in name


def variant_of(name: str) -> str | None:
    """Return which copy of weights a file is of, such as "fp16" in "model.fp16.safetensors"; None
    of the usual copy. Libraries put it at three places of an index's name."""
    words = SHARD.sub("", name.rpartition("/")[2]).split(".")[1:]
    return next((word for word in words if word not in ("safetensors", "index", "json")), None)


def choose_variant(names: Iterable[str]) -> str | None:
    """Return which copy of a part's weights to take: the usual one (None) if it is there."""
    found = {variant_of(name) for name in names if is_weights(name)}
    if not found or None in found:
        return None
    known = [variant for variant in VARIANTS if variant in found]
    return known[0] if known else min(variant for variant in found if variant)


def find_variant(folder: Path) -> str | None:
    """Return which copy of the weights in a part's folder to load, as libraries name it."""
    return choose_variant(path.name for path in folder.iterdir())


def choose_weights(names: Iterable[str]) -> list[str]:
    """Return the files of one copy of a part's weights."""
    names = [name for name in names if is_weights(name)]
    variant = choose_variant(names)
    return [name for name in names if variant_of(name) == variant]


def needed_files(names: Iterable[str]) -> list[str]:
    """Return the files that loading a part reads: settings, and a copy of its weights; pickles of
    tensors, which scorers are read from, if there is no other."""
    names = list(names)
    pickles = [name for name in names if fnmatch(name.rpartition("/")[2], "pytorch_model*.bin")]
    return [*filter(is_settings, names), *(choose_weights(names) or pickles)]

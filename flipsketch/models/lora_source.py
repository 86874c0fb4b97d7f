"""Which files of an adapter an import reads, here or on the Hub."""

import re
from pathlib import Path

from flipsketch.models.adapter import CONFIG_FILE
from flipsketch.models.files import PICKLES, WEIGHT_SUFFIXES
from flipsketch.models.hub import HubPlace, fetch, list_files, resolve
from flipsketch.models.places import locate
from flipsketch.models.registry import ADAPTED, find_file, is_file, list_names

PEFT = re.compile(r"((unet|text_encoder)/)?adapter_(config\.json|model\.(safetensors|bin))")
SINGLE = "pytorch_lora_weights"
# As the published tool names them: 2500_unet.pt and 2500_text_encoder.pt.
PUBLISHED = re.compile(r"(\d+_)?(unet|text_encoder)\.pt")


def find_lora_files(place: str, part: str = "") -> list[Path]:
    """Return the files with the weights of an adapter: one, or one of each part of the model.

    Args:
        part: of the model, if only its files are asked for.

    Raises:
        ValueError: there is no such place, or it has no adapter, or several.
        OSError: it cannot be fetched.
    """
    if is_file(place):
        return [find_file(place)]
    found = locate(place)
    if isinstance(found, HubPlace):
        found = resolve(found)
        chosen = choose_files(str(found), [*list_files(found)])
        folder = fetch(found, chosen)
    else:
        folder, chosen = found, choose_files(place, list_names(found))
    weights = [name for name in chosen if name.endswith(WEIGHT_SUFFIXES)]
    own = [name for name in weights if not part or part_of(name) in (None, part)]
    return [folder / name for name in own or weights]


def part_of(name: str) -> str | None:
    """Return the part of the model that a file's name, or its folder's, tells; None for any."""
    folder, _, file = name.rpartition("/")
    if folder in ADAPTED:
        return folder
    published = PUBLISHED.fullmatch(file)
    return published[2] if published else None


def choose_files(place: str, names: list[str]) -> list[str]:
    """Return the files to read of a folder; safetensors before pickles of the same name."""
    safe = {name.removesuffix(".safetensors") for name in names}
    names = sorted(n for n in names if not (n.endswith(PICKLES) and n.rpartition(".")[0] in safe))
    own = [name for name in names if "/" not in name]
    for chosen in (
        [name for name in own if PEFT.fullmatch(name)],
        [name for name in names if PEFT.fullmatch(name)],
        [name for name in own if name.startswith(SINGLE) and name.endswith(WEIGHT_SUFFIXES)],
        [name for name in own if PUBLISHED.fullmatch(name)],
        [name for name in own if name.endswith(WEIGHT_SUFFIXES)],
    ):
        kinds = [PUBLISHED.fullmatch(name) for name in chosen]
        is_pair = len(chosen) == 2 and all(kinds) and len({kind[2] for kind in kinds if kind}) == 2
        num_weights = sum(name.endswith(WEIGHT_SUFFIXES) for name in chosen)
        if num_weights == 1 or is_pair or (chosen and all(map(PEFT.fullmatch, chosen))):
            return chosen
        if num_weights > 1:
            raise ValueError(
                f"{place}: has {num_weights} files that may be the adapter "
                f"({', '.join(chosen)[:200]}); give the one to import, as {place}/{chosen[-1]}"
            )
    raise ValueError(
        f"{place}: has no adapter: no folder of peft's ({CONFIG_FILE}), no {SINGLE}.safetensors "
        f"and no other file of weights; give the file or the folder that has one"
    )

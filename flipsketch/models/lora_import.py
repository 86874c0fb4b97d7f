"""Adapters as others publish them, as the folders that are given to --lora here: the matrices of
each layer are read, compared with the model's layers, and written beside a card."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from flipsketch.models.cards import (
    choose_license,
    license_field,
    list_cards,
    model_licence,
    read_parts,
)
from flipsketch.models.families import MOTION_FOLDER, PICTURES_UNET, needs_motion
from flipsketch.models.hub import CARD
from flipsketch.models.inspection import lay_out, lay_out_networks
from flipsketch.models.lora import find_targets
from flipsketch.models.lora_layers import LoraLayer, fit_layers, write_layers
from flipsketch.models.lora_source import PUBLISHED, find_lora_files
from flipsketch.models.named_lora import name_layers, read_named_lora
from flipsketch.models.published_lora import PUBLISHED_SETS, is_published, name_pairs, read_pairs
from flipsketch.models.registry import ADAPTED, find_settings
from flipsketch.storage.folder import new_folder, refuse_existing
from flipsketch.storage.text import count, one_line

log = logging.getLogger(__name__)

TEMPLATE = """---
{metadata}library_name: peft
{base_model}tags: [lora, flipsketch]
---

A LoRA adapter of `{model}`, imported by `jobs/import_lora.py`. License: {license}.

| part | layers | rank |
|---|---|---|
{parts}

| file | bytes | SHA-256 |
|---|---|---|
{files}
{original}"""


@dataclass
class ReadLora:
    """What was read of an adapter's files."""

    layers: dict[str, dict[str, LoraLayer]] = field(default_factory=dict)
    """By part of the model and by the layer's name in it."""
    files: list[Path] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    """Parts that a file also has, but that were not asked for."""
    is_published: bool = False


def import_lora(
    model: str,
    places: Mapping[str, str],
    output: str,
    *,
    motion_adapter: str | None = None,
    license: str | None = None,
) -> None:
    """Write an adapter folder from an adapter's files in any format that is read.

    Args:
        model: that the adapter was trained on, by folder or place on the Hub.
        places: of the files or folders, by the part of the model that they are for; those by "" are
            for the parts that they name.
        license: of the adapter, where no card tells.

    Raises:
        OSError, ValueError: a file is missing, damaged or of another kind, or does not fit.
    """
    refuse_existing(output)
    networks = lay_out_adapted(model, motion_adapter)
    read = ReadLora()
    for part, place in places.items():
        for path in find_lora_files(place, part):
            read_file(path, part, networks, read)
    check_content(read)
    with new_folder(output) as folder:
        rows = []
        for part in ADAPTED:
            if own := read.layers.get(part):
                rank = write_layers(own, networks[part], folder / part)
                size = sum(layer.up.numel() + layer.down.numel() for layer in own.values())
                rows.append(f"| {part} | {len(own)} | {rank} |")
                log.info("%s: %d layers, rank %d, %d parameters", part, len(own), rank, size)
        card = make_card(model, read.files, rows, license)
        (folder / CARD).write_text(card, encoding="utf-8")
    warn_of_left_out(read)


def lay_out_adapted(model: str, motion_adapter: str | None) -> dict[str, nn.Module]:
    """Return the networks that adapters are put on, without weights.

    Of a model of pictures without a motion adapter the UNet is that of pictures, whose layers keep
    their names when it gets one.
    """
    source = find_settings(model, ADAPTED)
    has_motion = motion_adapter or (source / MOTION_FOLDER).is_dir() or not needs_motion(source)
    if has_motion:
        return lay_out_networks(source, motion_adapter=motion_adapter)
    return {
        "unet": lay_out(source / "unet", "diffusers", PICTURES_UNET),
        "text_encoder": lay_out(source / "text_encoder", "transformers", "CLIPTextModel"),
    }


def read_file(path: Path, part: str, networks: dict[str, nn.Module], read: ReadLora) -> None:
    """Add what a file has for a part of the model; with the part "", for any."""
    found: dict[str, dict[str, LoraLayer]] = {}
    try:
        if is_published(path):
            read.is_published = True
            own = part or published_part(path)
            pairs = read_pairs(path)
            refuse_swapped(own, len(pairs), networks)
            found[own] = name_pairs(pairs, networks[own], PUBLISHED_SETS[own])
        else:
            # A folder of peft's is the part that it is named after.
            usual = part or (path.parent.name if path.parent.name in ADAPTED else "unet")
            named = read_named_lora(path, usual)
            for own, matrices in named.parts.items():
                if part in ("", own):
                    found[own] = name_layers(matrices, named.settings.get(own), networks[own])
                else:
                    read.left_out.add(own)
        for own, layers in found.items():
            if own in read.layers:
                raise ValueError(f"has matrices for the {own}, which another file has too")
            read.layers[own] = fit_layers(layers, networks[own])
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    if not found:
        raise ValueError(
            f"{path}: has no matrices for the {part}, only for {', '.join(read.left_out)}; give "
            f"the file that has them"
        )
    read.files.append(path)


def refuse_swapped(part: str, num_pairs: int, networks: dict[str, nn.Module]) -> None:
    counts = {name: len(find_targets(networks[name], PUBLISHED_SETS[name])) for name in ADAPTED}
    for other in ADAPTED:
        if counts[other] == num_pairs != counts[part]:
            raise ValueError(
                f"has {num_pairs} pairs of matrices, as many as the model's {other} has modules, "
                f"not its {part}; give it as --{other.replace('_', '-')}"
            )


def published_part(path: Path) -> str:
    match = PUBLISHED.fullmatch(path.name)
    if match is None:
        raise ValueError(
            "has matrices without names, and its own name does not tell for which network; give it "
            "as --unet or as --text-encoder"
        )
    return match[2]


def check_content(read: ReadLora) -> None:
    """Leave out parts that change nothing, where others do.

    Raises:
        ValueError: the adapter does not change the UNet, or all of a file's matrices without names
            are zero.
    """
    zero = [
        part
        for part, layers in read.layers.items()
        if all(layer.is_zero for layer in layers.values())
    ]
    files = ", ".join(map(str, read.files))
    if zero and (read.is_published or len(zero) == len(read.layers)):
        raise ValueError(
            f"{files}: all {count(len(read.layers[zero[0]]), 'layer')} of the {zero[0]} add zero, "
            f"so the adapter changes nothing: it was never trained, or its weights were lost; give "
            f"another checkpoint"
        )
    for part in zero:
        log.warning("%s: all of its layers add zero; it is left out", part)
        del read.layers[part]
    if "unet" not in read.layers:
        raise ValueError(
            f"{files}: change the text encoder alone, but an adapter is of the UNet, and perhaps "
            f"of the text encoder too; give the UNet's with --unet"
        )
    for part, layers in read.layers.items():
        if num_zero := sum(layer.is_zero for layer in layers.values()):
            log.info("%s: %d of %d layers add zero", part, num_zero, len(layers))


def warn_of_left_out(read: ReadLora) -> None:
    if "text_encoder" in read.layers:
        return
    if read.is_published or "text_encoder" in read.left_out:
        log.warning(
            "the text encoder's adapter is left out: it was trained together with the UNet's, and "
            "clips differ without it; give it with --text-encoder (the published one lies beside "
            "the UNet's, as 2500_text_encoder.pt)"
        )


def make_card(model: str, files: list[Path], rows: list[str], license: str | None) -> str:
    # Imported late: it is needed once, at the end.
    import yaml

    above = [folder for path in files for folder in (path.parent, path.parent.parent)]
    stated = ((folder, model_licence(folder)) for folder in above)
    folder, found = next((each for each in stated if each[1] != "unknown"), (above[0], None))
    known = choose_license(folder, found, license, "--license") or "unknown"
    if known == "unknown":
        log.warning("no card states the adapter's license; give it with --license")
    lines = []
    for path in sorted(files):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"| `{path.name}` | {path.stat().st_size:,} | `{digest}` |")
    # Its text may name licenses that its metadata do not.
    cards = [card for each in (folder, *above) for card in list_cards(each) if card.is_file()]
    _, original = read_parts(cards[0] if cards else None)
    base = "" if Path(model).is_dir() else f"base_model: {one_line(model.partition('@')[0], 200)}\n"
    # As YAML may hold it, whatever it says.
    metadata = {"license": license_field([one_line(known, 200)])}
    return TEMPLATE.format(
        metadata=yaml.safe_dump(metadata, allow_unicode=True, width=1000),
        license=one_line(known, 200),
        base_model=base,
        model=one_line(model, 200),
        parts="\n".join(rows),
        files="\n".join(lines),
        original=f"\nThe card of the original:\n\n{original}\n" if original else "",
    )

"""Adapters at toy size, and what careless or hostile hands may make of their files."""

import json
import random
import struct
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from flipsketch.models.adapter import CONFIG_FILE, WEIGHTS_FILE
from flipsketch.models.lora import add_lora, save_lora
from flipsketch.models.video_model import load_model

# In place of any value.
STRANGE = (
    *(None, True, False, 0, 1, -1, 2, 3, 1_000_000, 10**18, 10**400, -(10**400), 0.5, 1e308),
    *(float("nan"), float("inf"), "", "none", "4", "nan", "(a+)+$", "[", "\x1b[31m", "\udcff"),
    *("x" * 10_000, [], {}, [None], [[]], ["to_q"], ["(a+)+$"], [1, "to_q"], {"to_q": 1_000_000}),
    *({"(.*)*x": 4}, {"to_q": "4"}, {"a": {"b": {"c": []}}}, ["to_q"] * 50_000),
)


def write_adapter(model: Path, folder: Path, *, rank: int = 2) -> Path:
    """Write an adapter of a model's attention, as training begins with it."""
    unet = load_model(model).unet
    add_lora(unet, "attention", rank=rank)
    save_lora({"unet": unet}, folder)
    return folder


def read_parts(folder: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return an adapter's configuration, the header of its weights, and these."""
    config = json.loads((folder / "unet" / CONFIG_FILE).read_bytes())
    content = (folder / "unet" / WEIGHTS_FILE).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return config, json.loads(content[8 : 8 + length]), content[8 + length :]


def pack(header: bytes, weights: bytes, length: int | None = None) -> bytes:
    """Return a safetensors file; its header may be said to have another length."""
    return struct.pack("<Q", len(header) if length is None else length) + header + weights


def edit_configs(config: dict[str, Any], number: int, seed: int) -> Iterator[bytes]:
    """Yield adapter configurations with edits, each other ones."""
    chance = random.Random(seed)
    whole = json.dumps(config).encode()
    for _ in range(number):
        edited, way = deepcopy(config), chance.randrange(8)
        if way < 4:
            for name in chance.sample(sorted(config), chance.randint(1, 3)):
                edited[name] = chance.choice(STRANGE)
        elif way == 4:
            del edited[chance.choice(sorted(config))]
        elif way == 5:
            edited[chance.choice(["r ", "R", "__class__", "future", ""])] = chance.choice(STRANGE)
        text = to_json(edited)
        if way == 6:
            text = damage(whole, chance)
        elif way == 7:
            text = chance.choice(
                [
                    b"[" * chance.choice([10, 100_000]),
                    b'{"r":' * chance.choice([10, 100_000]),
                    b"[" + whole + b"]",
                    whole.decode().encode("utf-16"),
                    b"\xef\xbb\xbf" + whole,
                    whole[:-1] + b',"r":99}',
                    b'{"r": ' + b"9" * chance.choice([10, 5_000]) + b"}",
                ]
            )
        yield text


def edit_weights(header: dict[str, Any], weights: bytes, number: int, seed: int) -> Iterator[bytes]:
    """Yield files of weights whose headers have edits, or are cut short."""
    chance = random.Random(seed)
    whole = pack(json.dumps(header).encode(), weights)
    names = sorted(name for name in header if name != "__metadata__")
    for _ in range(number):
        edited, way = deepcopy(header), chance.randrange(8)
        name = chance.choice(names)
        if way == 0:
            edited[name][chance.choice(["dtype", "shape", "data_offsets"])] = chance.choice(STRANGE)
        elif way == 1:
            shape = [
                chance.choice([0, 1, 2, 16, 2**31, 2**63]) for _ in range(chance.randint(0, 6))
            ]
            edited[name]["shape"] = shape
        elif way == 2:
            edited[chance.choice(["a", name + "\x1b[2J", "x" * 5_000, ""])] = edited.pop(name)
        elif way == 3:
            edited[name]["dtype"] = chance.choice(["I64", "BOOL", "F64", "BF16", "F8_E4M3", "?"])
        elif way == 4:
            del edited[name]
        content = pack(to_json(edited), weights)
        if way == 5:
            length = chance.choice([0, 1, 7, 2**20, 2**31, 2**60, 2**64 - 1])
            content = pack(json.dumps(header).encode(), weights, length)
        elif way == 6:
            content = whole[: chance.randrange(len(whole))]
        elif way == 7:
            content = damage(whole, chance)
        yield content


def to_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def damage(content: bytes, chance: random.Random) -> bytes:
    """Return bytes with some of the first thousands changed, dropped or repeated."""
    place = chance.randrange(min(len(content), 4_000))
    length = chance.randint(1, 16)
    new = chance.choice([b"", b"\x00", b"\xff\xfe", b"9" * 400, content[place : place + 64]])
    return content[:place] + new + content[place + length :]

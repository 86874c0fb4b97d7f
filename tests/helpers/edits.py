"""Damage and edits of files, as disks and people make them, from a seed."""

import copy
import hashlib
import json
import random
from typing import Any

from flipsketch.storage.sealed import SEAL, seal

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 3.5, -0.0, 1e308, float("nan"), float("inf"), 10**30, 2**63),
    *(
        "",
        "x",
        "0-999999999999",
        "5-1",
        "0-9999999",
        "1 2 3",
        "\ud800",
        "\x1b[31m",
        "/",
        "a" * 9999,
    ),
    *([], {}, [[]], [1, 2], {"kind": "retry", "rows": "0-99999999"}, {"a": {"b": [{}]}}),
]


def flip(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def edit_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, drop, double or insert something, or cut a file short."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    end = min(end, start + 40)
    return rng.choice(
        [
            lambda: flip(content, rng.randrange(8 * len(content))),
            lambda: content[:start],
            lambda: content[:start] + content[end:],
            lambda: content[:end] + content[start:],
            lambda: content[:start] + rng.randbytes(rng.randrange(1, 20)) + content[end:],
            lambda: content[:start] + b"[" * 50_000 + content[start:],
            lambda: content.decode().encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"])),
            lambda: bytes(rng.choice([0, 1, 1000])),
        ]
    )()


def edit_json(content: bytes, rng: random.Random) -> bytes:
    """Change a value, a key or an item of a document, and hide it better or worse: keep the hash,
    leave it out as earlier versions did, or take it anew, and of a plan its fingerprint too."""
    document = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        edit_value(document, rng)
    if rng.random() < 0.1:
        document = rng.choice(ODD)
    if not isinstance(document, dict):
        return json.dumps(document).encode()
    if "fingerprint" in document and isinstance(document.get("settings"), dict):
        if rng.random() < 0.8 and "additions" in document:
            text = json.dumps(document["settings"], sort_keys=True).encode()
            document["fingerprint"] = hashlib.sha256(text).hexdigest()
    hiding = rng.random()
    if hiding < 0.2:
        return json.dumps(document).encode()
    document = {name: value for name, value in document.items() if name not in SEAL}
    if hiding < 0.6:
        return json.dumps(document).encode()
    return seal(json.dumps({**document, **SEAL}).encode())


def edit_value(document: Any, rng: random.Random) -> None:
    """Change something in a document, at any depth."""
    inner = document
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(inner[key], dict | list) and inner[key] and rng.random() < 0.7:
            inner = inner[key]
            continue
        break
    change = rng.random()
    if change < 0.2:
        del inner[key]
    elif change < 0.3 and isinstance(inner, dict):
        inner[f"{key}x"] = inner.pop(key)
    elif change < 0.4 and isinstance(inner, dict):
        inner[rng.choice(["kind", "format", "rows", "splits", "x"])] = copy.deepcopy(
            rng.choice(ODD)
        )
    elif change < 0.5 and isinstance(inner[key], int | float):
        inner[key] = inner[key] * rng.choice([-1, 2, 1000, 10**9])
    elif change < 0.6 and isinstance(inner, list):
        inner.append(copy.deepcopy(rng.choice(ODD)))
    else:
        inner[key] = copy.deepcopy(rng.choice(ODD))

#!/usr/bin/env python
"""Edit an adapter's files in thousands of ways, and see that each ends in a sentence or loads.

Half of the edits are of adapter_config.json, half of the headers of the weights. What is not
refused is put on the model. Prints a table, and what went wrong with the bytes that led to it.

    python benchmarks/adapter_fuzz.py
"""

import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import tyro

from flipsketch.models.adapter import CONFIG_FILE, WEIGHTS_FILE
from flipsketch.models.lora import drop_lora, load_lora
from flipsketch.models.quiet import quiet_libraries
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.video_model import load_model
from tests.helpers.adapters import edit_configs, edit_weights, read_parts, write_adapter


@dataclass(frozen=True, kw_only=True)
class FuzzConfig:
    edits: int = 2000
    """Number of edits."""
    seed: int = 0
    """Seed of the edits."""
    slow_s: float = 2
    """Seconds from which an edit counts as one that hangs."""


def main(config: FuzzConfig) -> int:
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_tiny_model(Path(scratch) / "tiny", size=16)
        lora = write_adapter(folder, Path(scratch) / "lora")
        model = load_model(folder)
        settings, header, weights = read_parts(lora)
        half = config.edits // 2
        edits = [(CONFIG_FILE, text) for text in edit_configs(settings, half, config.seed)]
        edits += [(WEIGHTS_FILE, text) for text in edit_weights(header, weights, half, config.seed)]
        whole = {name: (lora / "unet" / name).read_bytes() for name in (CONFIG_FILE, WEIGHTS_FILE)}
        endings: Counter[tuple[str, str]] = Counter()
        longest, before = 0.0, memory_mb()
        for name, content in edits:
            (lora / "unet" / name).write_bytes(content)
            started = time.monotonic()
            try:
                load_lora(model.unet, model.text_encoder, lora)
                drop_lora(model.unet)
                ending = "loaded"
            except ValueError as error:
                ending = "refused" if str(error).isprintable() else "refused, unreadably"
            except BaseException as error:
                ending = type(error).__name__
            seconds = time.monotonic() - started
            longest = max(longest, seconds)
            if seconds > config.slow_s:
                ending = "slow"
            if ending not in ("loaded", "refused"):
                print(f"{name}: {ending} on {content[:500]!r}")
            endings[name, ending] += 1
            (lora / "unet" / name).write_bytes(whole[name])
    print("| file | ending | edits |\n|---|---|---|")
    for (name, ending), count in sorted(endings.items()):
        print(f"| {name} | {ending} | {count:,} |")
    print(f"longest {longest:.2f} s, {memory_mb() - before:.0f} MB more than before")
    return int(any(ending not in ("loaded", "refused") for _, ending in endings))


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(tyro.cli(FuzzConfig, description=__doc__)))

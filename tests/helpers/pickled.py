"""Models as people had them before safetensors: pickled by PyTorch."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


class Evil:
    """Runs something where it is unpickled."""

    def __reduce__(self):
        return print, ("executed",)


def pickle_weights(folder: Path) -> Path:
    """Put pickles in place of a network's safetensors, as its library names them."""
    for path in sorted(folder.glob("*.safetensors")):
        stem = {"model": "pytorch_model"}.get(path.stem, path.stem)
        torch.save(load_file(path), folder / f"{stem}.bin")
        path.unlink()
    return folder


def published_motion_module(adapter: Any) -> dict[str, torch.Tensor]:
    """Return the weights of a MotionAdapter under the names that AnimateDiff's authors give them,
    positions included."""
    renamed = {
        ".norm1.": ".norms.0.",
        ".norm2.": ".norms.1.",
        ".norm3.": ".ff_norm.",
        ".attn1.": ".attention_blocks.0.",
        ".attn2.": ".attention_blocks.1.",
    }
    published = {}
    for name, weight in adapter.state_dict().items():
        modules, _, rest = name.partition(".motion_modules.")
        number, _, rest = rest.partition(".")
        rest = f".{rest}"
        if ".pos_embed." in rest:
            block = rest.removesuffix("pos_embed.pe")
            for attention in ("attention_blocks.0", "attention_blocks.1"):
                key = f"{modules}.motion_modules.{number}.temporal_transformer{block}"
                published[f"{key}{attention}.pos_encoder.pe"] = weight
            continue
        for ours, theirs in renamed.items():
            rest = rest.replace(ours, theirs)
        published[f"{modules}.motion_modules.{number}.temporal_transformer{rest}"] = weight
    return published

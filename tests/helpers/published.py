"""FlipSketch's published checkpoint at toy size, as the published tool writes and merges it."""

import shutil
from pathlib import Path

import torch
from diffusers import UNet3DConditionModel
from torch import nn
from transformers import CLIPTextModel

RANK = 3
LAYERS = {"unet": (nn.Linear, nn.Conv2d, nn.Conv3d), "text_encoder": (nn.Linear,)}
# Ancestors within which the merge that is shipped with the checkpoint looks for modules.
MERGED = {"ResnetBlock2D", "CrossAttention", "Attention", "GEGLU", "CLIPAttention"}


def modelscope_unet(**changes) -> UNet3DConditionModel:
    """ModelScope's blocks, layer for layer, a few channels wide."""
    return UNet3DConditionModel(
        **{
            "sample_size": 8,
            "block_out_channels": (4, 8, 16, 16),
            "norm_num_groups": 4,
            "attention_head_dim": 4,
            "cross_attention_dim": 8,
            **changes,
        }
    )


def published_matrices(
    network: nn.Module, part: str = "unet", *, rank: int = RANK, seed: int = 0, scale: float = 1.0
) -> list[torch.Tensor]:
    """Random matrices in the published order and shapes; no rank is above a layer's sizes."""
    random = torch.Generator().manual_seed(seed)
    matrices = []
    for module in network.modules():
        if isinstance(module, LAYERS[part]):
            out_size, in_size, *kernel = module.weight.shape
            own = min(rank, out_size, in_size)
            up = torch.randn(out_size, own, *[1 for _ in kernel], generator=random)
            matrices += [scale * up, torch.randn(own, in_size, *kernel, generator=random)]
    return matrices


def merge_as_shipped(network: nn.Module, part: str, matrices: list[torch.Tensor]) -> set[str]:
    """Add the matrices to those modules that the shipped merge finds; return their names."""
    names = [name for name, each in network.named_modules() if isinstance(each, LAYERS[part])]
    found = {
        f"{above}.{name}"
        for above, ancestor in network.named_modules()
        if type(ancestor).__name__ in MERGED
        for name, _ in ancestor.named_modules()
    }
    for name, up, down in zip(names, matrices[::2], matrices[1::2], strict=True):
        if name in found:
            weight = network.get_submodule(name).weight
            weight.data += (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    return found.intersection(names)


def write_checkpoint(model: Path, folder: Path) -> dict[str, int]:
    """Write the published layout for a toy model: the merged networks, and the matrices in lora/.

    Returns:
        How many modules the merge dropped, by part.
    """
    shutil.copytree(model, folder)
    (folder / "lora").mkdir()
    dropped = {}
    for part, kind in (("unet", UNet3DConditionModel), ("text_encoder", CLIPTextModel)):
        network = kind.from_pretrained(model / part)
        matrices = published_matrices(network, part, scale=0.01)
        torch.save(matrices, folder / "lora" / f"2500_{part}.pt")
        dropped[part] = len(matrices) // 2 - len(merge_as_shipped(network, part, matrices))
        network.save_pretrained(folder / part)
    return dropped

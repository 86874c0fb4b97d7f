"""AnimateDiff in the two folders that people have: a toy Stable Diffusion and a motion adapter."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter, PNDMScheduler, UNet2DConditionModel

from flipsketch.models.tiny import TEXT_WIDTH, write_tiny_model

SIZES: dict[str, Any] = {"block_out_channels": (16, 32)}


def write_pictures_model(folder: Path, *, size: int = 16) -> Path:
    """Write a model of pictures, in the layout of Stable Diffusion 1.5, whose schedule has other
    betas than motion modules were trained with."""
    write_tiny_model(folder, size=size)
    for path in (folder / "unet").iterdir():
        path.unlink()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel(
            sample_size=size // 2,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=4,
            cross_attention_dim=TEXT_WIDTH,
            **SIZES,
        )
    unet.save_pretrained(folder / "unet")
    PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    index |= {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", type(unet).__name__]}
    index |= {"scheduler": ["diffusers", "PNDMScheduler"]}
    index |= {"safety_checker": [None, None], "requires_safety_checker": False}
    path.write_text(json.dumps(index))
    return folder


def write_motion_adapter(folder: Path, *, max_frames: int = 32) -> Path:
    """Write a motion adapter that fits it; unlike a new one it changes what is drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        adapter = MotionAdapter(
            motion_layers_per_block=1,
            motion_num_attention_heads=2,
            motion_norm_num_groups=4,
            motion_max_seq_length=max_frames,
            **SIZES,
        )
        for name, weights in adapter.named_parameters():
            if ".proj_out." in name:
                torch.nn.init.normal_(weights, std=0.1)
    adapter.save_pretrained(folder)
    return folder

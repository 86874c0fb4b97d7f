"""A real model folder at toy size with random weights: every class is that of ModelScope or of
AnimateDiff, so what runs on it runs on the real one. It draws noise, for tests and for looking at
the machinery."""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet3DConditionModel, UNetMotionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextModel, CLIPTokenizer

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.families import FAMILIES, FamilyName
from flipsketch.models.layout import save_parts, text_config
from flipsketch.models.video_model import VideoModel

CONTEXT_LENGTH = 24
TEXT_WIDTH = 32


def write_tiny_model(
    folder: str | Path, *, seed: int = 0, size: int = 32, family: FamilyName = "modelscope"
) -> Path:
    """Write a model folder (2 MB) for frames of `size` pixels; the same seed, the same weights."""
    folder = Path(folder)
    if size % 8 or not 8 <= size <= 1024:
        raise ValueError(
            f"size must be a multiple of 8 (VAE and UNet halve it) from 8 to 1024, got {size}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = make_unet(size // 2, family)
        vae = AutoencoderKL(
            sample_size=size,
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=4,
        )
        tokenizer = byte_tokenizer()
        text_encoder = CLIPTextModel(text_config(tokenizer, num_layers=2, width=TEXT_WIDTH))
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule=FAMILIES[family].scheduler.get("beta_schedule", "scaled_linear"),
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    card = "---\nlicense: cc0-1.0\n---\nToy text-to-video model with random weights.\n"
    save_parts(VideoModel(unet, vae, text_encoder, tokenizer, scheduler), folder, card)
    return folder


def make_unet(sample_size: int, family: FamilyName) -> VideoUNet:
    sizes: dict[str, Any] = {
        "sample_size": sample_size,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": TEXT_WIDTH,
    }
    if family == "animatediff":
        return UNetMotionModel(
            down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
            up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
            num_attention_heads=(2, 4),
            motion_num_attention_heads=2,
            **sizes,
        )
    return UNet3DConditionModel(
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        attention_head_dim=8,
        **sizes,
    )


def byte_tokenizer() -> CLIPTokenizer:
    """CLIP's byte-pair tokenizer without a merge: a token for each letter."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        model_max_length=CONTEXT_LENGTH,
    )


if __name__ == "__main__":
    import argparse

    from flipsketch.models.quiet import quiet_libraries

    parser = argparse.ArgumentParser(
        prog="python -m flipsketch.models.tiny",
        description="Write a toy model with random weights.",
    )
    parser.add_argument("folder", help="folder to write; what is in it already is kept")
    parser.add_argument("--size", type=int, default=32, help="pixels of a frame, a multiple of 8")
    parser.add_argument("--family", choices=FAMILIES, default="modelscope", help="kind of model")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights")
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        print(write_tiny_model(**vars(arguments)))
    except (ValueError, OSError) as error:
        parser.error(str(error))

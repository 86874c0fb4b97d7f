"""Real CLIP and X-CLIP models at toy size, with random weights."""

import json
from pathlib import Path

import torch
from transformers import XCLIPConfig, XCLIPModel, XCLIPTextConfig, XCLIPVisionConfig

from flipsketch.doodle_model.architecture import make_tokenizer
from flipsketch.doodle_model.scorer import make_clip
from flipsketch.models.layout import text_config

SETTINGS = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def save(folder: Path, *parts) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(SETTINGS))
    return folder


def write_clip(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["a bird flies", "a fish swims"] * 9)
    clip = make_clip(tokenizer, 32)
    # As CLIP begins, it hardly looks at the pixels.
    for parameter in clip.vision_model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 8
    return save(folder, clip, tokenizer)


def write_xclip(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = make_tokenizer(["a bird flies", "a fish swims"] * 9)
    text = XCLIPTextConfig(**text_config(tokenizer, num_layers=1, width=16).to_dict())
    vision = XCLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        num_frames=4,
        mit_hidden_size=16,
        mit_intermediate_size=32,
        mit_num_attention_heads=2,
    )
    xclip = XCLIPModel(
        XCLIPConfig(
            text_config=text.to_dict(),
            vision_config=vision.to_dict(),
            projection_dim=16,
            prompt_num_attention_heads=2,
        )
    )
    return save(folder, xclip, tokenizer)

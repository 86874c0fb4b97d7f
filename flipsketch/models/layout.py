"""Model folders in diffusers' layout: what the toy model and the embedded model have in common."""

import json
import os
from pathlib import Path
from typing import Any

from transformers import CLIPTextConfig, CLIPTokenizer

from flipsketch.models.families import family_of_unet
from flipsketch.models.registry import PARTS
from flipsketch.models.video_model import VideoModel
from flipsketch.storage.folder import share_files


def text_config(tokenizer: CLIPTokenizer, *, num_layers: int, width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def save_parts(model: VideoModel, folder: Path, card: str) -> None:
    """Write a model folder in diffusers' layout; its index comes last."""
    family = family_of_unet(model.unet)
    index: dict[str, Any] = {"_class_name": family.pipeline}
    for name in PARTS:
        part = getattr(model, name)
        part.save_pretrained(folder / name)
        share_files(folder / name)
        library = "transformers" if name in ("text_encoder", "tokenizer") else "diffusers"
        index[name] = [library, type(part).__name__]
    # What diffusers' pipeline can have, and does without.
    index |= {part: [None, None] for part in family.absent_parts}
    (folder / "README.md").write_text(card)
    # In one move, so that a folder with an index is whole.
    (folder / "model_index.json.new").write_text(json.dumps(index, indent=1) + "\n")
    os.replace(folder / "model_index.json.new", folder / "model_index.json")

"""The embedded model `doodle`: ModelScope's classes, small enough for a laptop and a repository."""

import json
from pathlib import Path

from diffusers import DDIMScheduler, UNet3DConditionModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextModel, CLIPTokenizer

from flipsketch.models.layout import text_config

CONTEXT_LENGTH = 24
TEXT_WIDTH = 128
VOCABULARY_SIZE = 1024
# What differs from SamplingConfig's defaults, which are the paper's for ModelScope.
SAMPLING = {
    "guidance_scale": 2.0,
    "hold_sketch": True,
    "sketch_in_noise": 1.0,
    "darken_sketch": True,
}


def make_tokenizer(prompts: list[str]) -> CLIPTokenizer:
    """Return a byte-pair tokenizer as CLIP's, whose merges are learnt from prompts."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learnt = Tokenizer(models.BPE(end_of_word_suffix="</w>", fuse_unk=False))
    learnt.normalizer = normalizers.Lowercase()
    learnt.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learnt.train_from_iterator(prompts, trainer)
    merges = [tuple(merge) for merge in json.loads(learnt.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += list(dict.fromkeys("".join(merge) for merge in merges))
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=merges,
        model_max_length=CONTEXT_LENGTH,
    )


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(text_config(tokenizer, num_layers=3, width=TEXT_WIDTH))


def make_unet(size: int, latent_channels: int) -> UNet3DConditionModel:
    """Return a UNet for latents of `size` x `size`, 6.9 M parameters.

    The upper level does without attention, which would cost as much again as all the rest.
    """
    return UNet3DConditionModel(
        sample_size=size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=(64, 128),
        down_block_types=("DownBlock3D", "CrossAttnDownBlock3D"),
        up_block_types=("CrossAttnUpBlock3D", "UpBlock3D"),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=16,
        cross_attention_dim=TEXT_WIDTH,
    )


def make_scheduler() -> DDIMScheduler:
    """Return ModelScope's noise schedule, for a model that predicts velocity."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


def write_sampling(folder: Path) -> None:
    """Say beside a model's parts which settings suit it, for `sampling.model_defaults`."""
    (folder / "sampling.json").write_text(json.dumps(SAMPLING, indent=1) + "\n")
